//go:build linux

package guard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Timeout is how long an element is guarded after the last [Guard.Refresh] that
// named it (DESIGN.md section 4). Refresh three times as often.
const Timeout = 3 * time.Second

// Key is what a guard is for: the name of an interface or an IPv4 address.
type Key interface{ string | netip.Addr }

// Guard is a table in the network namespace in which it was opened. Its methods
// are safe for concurrent use.
type Guard[K Key] struct {
	table  table
	bytes  func(K) ([]byte, error) // of an element
	mu     sync.Mutex              // one exchange with the kernel at a time
	conn   *netlink.Conn
	closed bool
}

// Open makes the table of family arp, with no interface guarded, in the network
// namespace of the calling thread. The table lives until Close or until the
// process ends.
//
// The errors that a user can act on are: one wrapping EPERM if the process lacks
// CAP_NET_ADMIN, an [*UnsupportedError] if the kernel lacks what the guard needs,
// and a [*TakenError] if there is a table of that name already.
func Open() (*Guard[string], error) { return open(arpTable(), interfaceName) }

// OpenIP is [Open] for the table of family ip: the kernel does not see the IPv4
// packets that come in by the guarded interfaces.
func OpenIP() (*Guard[string], error) { return open(ipTable(), interfaceName) }

// OpenSenders is [Open] for the table of addresses: no IPv4 packet leaves the
// machine whose source is one of them.
func OpenSenders() (*Guard[netip.Addr], error) { return open(sendersTable(), address) }

// interfaceName is the element of an interface. The meta expression pads the name
// with zeroes, too.
func interfaceName(name string) ([]byte, error) {
	if len(name) == 0 || len(name) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("guarding interface %q: not an interface name: %w", name, unix.EINVAL)
	}
	key := make([]byte, unix.IFNAMSIZ)
	copy(key, name)
	return key, nil
}

// address is the element of an IPv4 address.
func address(ip netip.Addr) ([]byte, error) {
	if !ip.Is4() {
		return nil, fmt.Errorf("guarding address %v: not of IPv4: %w", ip, unix.EINVAL)
	}
	return ip.AsSlice(), nil
}

func open[K Key](t table, bytes func(K) ([]byte, error)) (*Guard[K], error) {
	// The socket is close-on-exec (the library opens no other kind) and no method
	// hands it out: a duplicate in another process would keep the guard alive
	// after isat's death.
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter netlink socket: %w", explainSocket(err))
	}
	// Texts of the kernel in errors; a failure to set it loses nothing else.
	_ = conn.SetOption(netlink.ExtendedAcknowledge, true)

	g := &Guard[K]{table: t, bytes: bytes, conn: conn}
	if err := g.create(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("making the nftables table %q of family %s: %w", t.name, t.familyName, err)
	}
	return g, nil
}

// create sends the whole table as one batch.
func (g *Guard[K]) create() error {
	b := g.batch()
	b.newTable()
	b.newSet()
	for _, c := range g.table.chains {
		b.newChain(c)
		b.newRule(c)
	}
	err := b.commit(g.conn)
	var refused *refusal
	if errors.As(err, &refused) {
		return explainCreate(refused, g.table, g.owner)
	}
	return err
}

// batch returns an empty batch on the table.
func (g *Guard[K]) batch() *batch { return &batch{table: &g.table} }

// owner returns the netlink port that owns the table of this name, 0 if none does.
func (g *Guard[K]) owner() (port uint32, err error) {
	tables, err := request(g.conn, g.table.family, unix.NFT_MSG_GETTABLE, 0, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_TABLE_NAME, g.table.name)
	})
	if err != nil {
		return 0, err
	}
	for _, table := range tables {
		a, err := decode(table)
		if err != nil {
			return 0, err
		}
		for a.Next() {
			if a.Type() == attributeOwner {
				port = a.Uint32()
			}
		}
		if err := a.Err(); err != nil {
			return 0, err
		}
	}
	return port, nil
}

// Refresh makes keys the elements that are guarded, each for [Timeout] from now,
// and no others. The change is atomic: one that was guarded and is named again is
// guarded throughout. An interface need not exist, and one that is renamed is
// guarded again when Refresh is called with its new name.
//
// The error wraps [ErrLost] if the table is no longer there, EINVAL if a key is no
// interface name (1 to 15 bytes, dev_valid_name of the kernel) or not an IPv4
// address, and [net.ErrClosed] after Close. After any error the set is as it was
// before.
func (g *Guard[K]) Refresh(keys []K) error {
	// Flush and fill in one batch. Deleting elements by name would not do: one
	// that has just timed out gives ENOENT, and that fails the batch.
	return g.change("refreshing the guard", keys, func(b *batch, keys [][]byte) {
		b.flushSet()
		b.addElements(keys)
	})
}

// Add guards keys, and leaves the others alone. One that is guarded already may
// time out when it would have. Errors are those of [Guard.Refresh].
func (g *Guard[K]) Add(keys ...K) error {
	return g.change("adding to the guard", keys, (*batch).addElements)
}

// Remove ends the guard of one key at once and leaves the others alone. One that
// is not guarded is no error. Other errors are those of [Guard.Refresh].
func (g *Guard[K]) Remove(key K) error {
	err := g.change("ending the guard", []K{key}, (*batch).deleteElements)
	// ENOENT is the missing element or the missing table. Only the second matters,
	// and then too the key is not guarded; Refresh will report it.
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// change applies a batch that edit makes of keys.
func (g *Guard[K]) change(what string, keys []K, edit func(*batch, [][]byte)) error {
	elements := make([][]byte, 0, len(keys))
	for _, k := range keys {
		e, err := g.bytes(k)
		if err != nil {
			return err
		}
		elements = append(elements, e)
	}
	b := g.batch()
	edit(b, elements)
	if len(b.commands) == 0 {
		return nil
	}
	if err := g.apply(b); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// apply commits a batch that needs the table.
func (g *Guard[K]) apply(b *batch) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return net.ErrClosed
	}
	err := b.commit(g.conn)
	var refused *refusal
	if errors.As(err, &refused) {
		return explainChange(refused)
	}
	return err
}

// Close deletes the table: the kernel is itself again when Close returns.
// A second Close does nothing.
func (g *Guard[K]) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	// The table goes with its owner's socket, as it would if the process died.
	if err := g.conn.Close(); err != nil {
		return fmt.Errorf("closing the guard: %w", err)
	}
	return nil
}
