//go:build linux

package guard

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Timeout is how long an interface stays guarded after the last [Guard.Refresh]
// that named it (DESIGN.md section 4). Refresh three times as often.
const Timeout = 3 * time.Second

// Guard is a table in the network namespace in which it was opened. Its methods
// are safe for concurrent use.
type Guard struct {
	table  table
	mu     sync.Mutex // one exchange with the kernel at a time
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
func Open() (*Guard, error) { return open(arpTable()) }

// OpenIP is [Open] for the table of family ip: the kernel does not see the IPv4
// packets that come in by the guarded interfaces.
func OpenIP() (*Guard, error) { return open(ipTable()) }

func open(t table) (*Guard, error) {
	// The socket is close-on-exec (the library opens no other kind) and no method
	// hands it out: a duplicate in another process would keep the guard alive
	// after isat's death.
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a netfilter netlink socket: %w", explainSocket(err))
	}
	// Texts of the kernel in errors; a failure to set it loses nothing else.
	_ = conn.SetOption(netlink.ExtendedAcknowledge, true)

	g := &Guard{table: t, conn: conn}
	if err := g.create(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("making the nftables table %q of family %s: %w", tableName, t.name, err)
	}
	return g, nil
}

// create sends the whole table as one batch.
func (g *Guard) create() error {
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

// batch returns an empty batch on the table's family.
func (g *Guard) batch() *batch { return &batch{family: g.table.family} }

// owner returns the netlink port that owns the table named isat, 0 if none does.
func (g *Guard) owner() (port uint32, err error) {
	tables, err := request(g.conn, g.table.family, unix.NFT_MSG_GETTABLE, 0, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_TABLE_NAME, tableName)
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

// Refresh makes names the guarded interfaces, each for [Timeout] from now, and no
// others. The change is atomic: an interface that was guarded and is named again
// is guarded throughout. An interface need not exist, and one that is renamed is
// guarded again when Refresh is called with its new name.
//
// The error wraps [ErrLost] if the table is no longer there, EINVAL if a name is
// no interface name (1 to 15 bytes, dev_valid_name of the kernel), and
// [net.ErrClosed] after Close. After any error the set is as it was before.
func (g *Guard) Refresh(names []string) error {
	for _, name := range names {
		if len(name) == 0 || len(name) >= unix.IFNAMSIZ {
			return fmt.Errorf("guarding interface %q: not an interface name: %w", name, unix.EINVAL)
		}
	}
	// Flush and fill in one batch. Deleting elements by name would not do: one
	// that has just timed out gives ENOENT, and that fails the batch.
	b := g.batch()
	b.flushSet()
	b.addElements(names)
	if err := g.apply(b); err != nil {
		return fmt.Errorf("refreshing the guard: %w", err)
	}
	return nil
}

// Remove ends the guard of one interface at once and leaves the others alone.
// An interface that is not guarded is no error. Other errors are those of
// [Guard.Refresh].
func (g *Guard) Remove(name string) error {
	b := g.batch()
	b.deleteElement(name)
	err := g.apply(b)
	// ENOENT is the missing element or the missing table. Only the second matters,
	// and then too the interface is not guarded; Refresh will report it.
	if errors.Is(err, ErrLost) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ending the guard of %s: %w", name, err)
	}
	return nil
}

// apply commits a batch that needs the table.
func (g *Guard) apply(b *batch) error {
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

// Close deletes the table: the kernel's ARP is itself again when Close returns.
// A second Close does nothing.
func (g *Guard) Close() error {
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
