package route

import (
	"fmt"
	"iter"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/gaissmai/bart"
)

// Table is the routing table of one host. Make it with [New].
//
// Readers get a consistent view: they load one pointer to an immutable view,
// which the writer replaces as a whole. Adding or deleting a network costs some
// microseconds and a copy of the list of interfaces; it is no matter of packets.
type Table[E any] struct {
	view   atomic.Pointer[view[E]]
	notify func(Message[E])
}

// New returns an empty table. It calls notify for each message, synchronously,
// from the method that makes the change and after it is made. notify must not
// change the table.
func New[E any](notify func(Message[E])) *Table[E] {
	t := &Table[E]{notify: notify}
	t.view.Store(&view[E]{networks: new(bart.Table[[]*Network[E]])})
	return t
}

// Lookup returns the network with the longest prefix that has addr in it, the
// best of them if there are several. Implicit networks do not take part.
func (t *Table[E]) Lookup(addr netip.Addr) (*Network[E], bool) {
	if same, ok := t.view.Load().networks.Lookup(addr); ok {
		return same[0], true
	}
	return nil, false
}

// LookupOn returns the cloning network of the interface whose clone addr is, or
// would be: the one with the longest prefix, the implicit one if there is no
// other. Networks behind gateways do not take part: whoever asks has chosen addr
// as the next hop.
func (t *Table[E]) LookupOn(ifindex int, addr netip.Addr) (*Network[E], bool) {
	n := t.view.Load().links[ifindex].lookup(addr)
	return n, n != nil
}

// Hop is where a packet goes next.
type Hop[E any] struct {
	// Route is the network that the destination matched.
	Route *Network[E]
	// Network is the network on the link that Addr is in: Route itself unless it
	// has a gateway. It is nil if Route discards its packets (Reject, Blackhole).
	Network *Network[E]
	// Addr is the address to resolve in Network: the destination or the gateway.
	Addr netip.Addr
	// Gateway reports whether Addr is a gateway.
	Gateway bool
}

// NextHop finds out where a packet to addr goes. It reports false if no network
// has addr in it, or if the gateway is in no cloning network of the route's
// interface any more. Gateways behind gateways do not exist, so there are no loops.
func (t *Table[E]) NextHop(addr netip.Addr) (Hop[E], bool) {
	v := t.view.Load()
	same, ok := v.networks.Lookup(addr)
	if !ok {
		return Hop[E]{}, false
	}
	return v.hop(same[0], addr)
}

// NextHopOn is [Table.NextHop] for whoever has chosen the interface already: only
// its networks take part, and those that discard their packets and have none.
func (t *Table[E]) NextHopOn(ifindex int, addr netip.Addr) (Hop[E], bool) {
	v := t.view.Load()
	same, ok := v.networks.Lookup(addr)
	if !ok {
		return Hop[E]{}, false
	}
	if n := ofInterface(same, ifindex); n != nil {
		return v.hop(n, addr)
	}
	for _, same := range v.networks.Supernets(netip.PrefixFrom(addr, addr.BitLen())) {
		if n := ofInterface(same, ifindex); n != nil {
			return v.hop(n, addr)
		}
	}
	return Hop[E]{}, false
}

// Networks iterates over all networks but the implicit ones, by address, shorter
// prefixes first, and in the order of preference where the prefixes are the same.
func (t *Table[E]) Networks() iter.Seq[*Network[E]] {
	v := t.view.Load()
	return func(yield func(*Network[E]) bool) {
		for _, same := range v.networks.AllSorted4() {
			for _, n := range same {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// Get returns the network with this prefix, interface and gateway (invalid if on
// the link). Implicit networks are not found.
func (t *Table[E]) Get(prefix netip.Prefix, ifindex int, gateway netip.Addr) (*Network[E], bool) {
	n := t.view.Load().get(prefix, ifindex, gateway)
	return n, n != nil
}

// Miss reports that a lookup found no network for addr. Writer.
func (t *Table[E]) Miss(addr netip.Addr) {
	t.notify(Message[E]{Type: Miss, Prefix: netip.PrefixFrom(addr, addr.BitLen())})
}

// Add adds a network and reports Add. If it is cloning, the clones that a shorter
// prefix of the same interface has in it are deleted and reported first, static
// ones included: their addresses belong to the new network (rt_fixchange in
// FreeBSD's net/route.c deletes the cloned ones likewise). Writer.
//
// Errors are EINVAL for what is no network, EEXIST if there is one with the same
// prefix, interface and gateway (or an implicit one, on the same interface), and
// ENETUNREACH if the gateway is in no cloning network of the interface.
func (t *Table[E]) Add(spec Spec) (*Network[E], error) {
	n, err := t.add(spec)
	if err != nil {
		return nil, fmt.Errorf("adding route %v on interface %d: %w", spec.Prefix, spec.Interface, err)
	}
	return n, nil
}

func (t *Table[E]) add(spec Spec) (*Network[E], error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	spec.derive()
	old := t.view.Load()
	if err := old.free(spec); err != nil {
		return nil, err
	}
	n := &Network[E]{Spec: spec, table: t}
	if spec.Flags&Cloning != 0 {
		n.clones = newClones[E]()
	}
	t.view.Store(old.with(n))
	if n.clones != nil && !n.Implicit {
		// Only the network that had the prefix till now can have clones of n:
		// those of longer prefixes are not its own, and stay.
		if above := old.links[spec.Interface].covering(spec.Prefix); above != nil {
			above.removeAll(spec.Prefix)
		}
	}
	t.report(Add, n)
	return n, nil
}

// Change puts a network with another gateway, source, metric or other flags in
// the place of n, which keeps its clones, and reports Change. It returns the new
// network; n is out of the table, but its methods act on the same clones. Writer.
//
// Errors are those of [Table.Add], EINVAL if prefix, interface, Cloning or
// Implicit would change, and ESRCH if n is not in the table.
func (t *Table[E]) Change(n *Network[E], spec Spec) (*Network[E], error) {
	m, err := t.change(n, spec)
	if err != nil {
		return nil, fmt.Errorf("changing route %v on interface %d: %w", n.Prefix, n.Interface, err)
	}
	return m, nil
}

func (t *Table[E]) change(n *Network[E], spec Spec) (*Network[E], error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	spec.derive()
	old := t.view.Load()
	switch {
	case !old.has(n):
		return nil, syscall.ESRCH
	case spec.Prefix != n.Prefix || spec.Interface != n.Interface || spec.Implicit != n.Implicit || (spec.Flags^n.Flags)&Cloning != 0:
		return nil, fmt.Errorf("it would be another route: %w", syscall.EINVAL)
	}
	if spec.Gateway != n.Gateway {
		if err := old.free(spec); err != nil {
			return nil, err
		}
	}
	m := &Network[E]{Spec: spec, table: t, clones: n.clones}
	t.view.Store(old.without(n).with(m))
	t.report(Change, m)
	return m, nil
}

// Delete deletes n: its clones first, each reported, then n itself, reported as
// Delete. Routes whose gateway was in n stay, and lead nowhere until another
// network takes the gateway in. The error is ESRCH, as of RTM_DELETE, if n is not
// in the table. Writer.
func (t *Table[E]) Delete(n *Network[E]) error {
	old := t.view.Load()
	if !old.has(n) {
		return fmt.Errorf("deleting route %v on interface %d: %w", n.Prefix, n.Interface, syscall.ESRCH)
	}
	t.view.Store(old.without(n))
	n.removeAll(n.Prefix)
	t.report(Delete, n)
	return nil
}

// DeleteInterface deletes every network of the interface as [Table.Delete] does,
// those behind gateways first and the implicit one last. Writer.
func (t *Table[E]) DeleteInterface(ifindex int) {
	var gateways, others []*Network[E]
	for n := range t.Networks() {
		switch {
		case n.Interface != ifindex:
		case n.Gateway.IsValid():
			gateways = append(gateways, n)
		default:
			others = append(others, n)
		}
	}
	if n := t.view.Load().links[ifindex].implicit; n != nil {
		others = append(others, n)
	}
	for _, n := range append(gateways, others...) {
		// It cannot fail: n was in the table a moment ago.
		_ = t.Delete(n)
	}
}

// report tells about a network. An implicit one is no route that anybody else
// knows of; its clones are.
func (t *Table[E]) report(typ MessageType, n *Network[E]) {
	if n.Implicit {
		return
	}
	t.notify(Message[E]{Type: typ, Prefix: n.Prefix, Gateway: n.Gateway, Interface: n.Interface, Flags: n.Flags})
}
