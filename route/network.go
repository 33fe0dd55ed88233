package route

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Spec says what a [Network] is. It is a comparable value.
type Spec struct {
	// Prefix is the IPv4 destination, without bits beyond its length.
	Prefix netip.Prefix
	// Interface is the interface index, from 1. Only a network that discards its
	// packets (Reject, Blackhole) may have 0, none.
	Interface int
	// Gateway is the IPv4 address of the next hop, invalid if the destination is
	// on the link.
	Gateway netip.Addr
	// Source is the preferred IPv4 source address, invalid if there is none.
	Source netip.Addr
	// Flags are the flags without Up, Host and Gateway, which follow from the
	// rest.
	Flags Flags
	// Metric orders networks with the same prefix: the lowest wins, and among
	// equals the one added first.
	Metric uint32
	// Implicit makes 0.0.0.0/0 the network of every address that no other on-link
	// network of its interface holds. Only lookups on the interface find it:
	// neither Lookup nor Networks nor messages show it. A taken-over interface has one, because
	// there the kernel has chosen the interface already and may ask for any
	// address.
	Implicit bool
}

// check returns why s is no network, as an error that wraps EINVAL.
func (s *Spec) check() error {
	var reason string
	switch {
	case !s.Prefix.IsValid() || !s.Prefix.Addr().Is4():
		reason = "the prefix is not an IPv4 prefix"
	case s.Prefix != s.Prefix.Masked():
		reason = "the prefix has bits beyond its length"
	case s.Interface < 0:
		reason = "the interface index is negative"
	case s.Interface == 0 && s.Flags&discards == 0:
		reason = "it has no interface"
	case s.Gateway.IsValid() && (!s.Gateway.Is4() || s.Gateway.IsUnspecified() || s.Gateway.IsMulticast()):
		reason = "the gateway is not an IPv4 unicast address"
	case s.Source.IsValid() && (!s.Source.Is4() || s.Source.IsUnspecified() || s.Source.IsMulticast()):
		reason = "the source is not an IPv4 unicast address"
	case s.Flags&onlyClones != 0:
		reason = "it has a flag that only clones have"
	case s.Flags&Cloning != 0 && s.Gateway.IsValid():
		reason = "a cloning network has no gateway"
	case s.Flags&discards != 0 && (s.Flags&Cloning != 0 || s.Gateway.IsValid()):
		reason = "a network that discards its packets has no next hop"
	case s.Flags&Gateway != 0 && !s.Gateway.IsValid():
		reason = "the gateway is missing"
	case s.Implicit && (s.Prefix.Bits() != 0 || s.Flags&Cloning == 0):
		reason = "an implicit network is 0.0.0.0/0 and cloning"
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", reason, syscall.EINVAL)
}

// derive sets the flags that follow from the other fields.
func (s *Spec) derive() {
	s.Flags = s.Flags&^derived | Up
	if s.Gateway.IsValid() {
		s.Flags |= Gateway
	}
	if s.Prefix.IsSingleIP() && s.Flags&Cloning == 0 {
		s.Flags |= Host
	}
}

// Network is a route to a prefix, made by [Table.Add]. Its fields never change:
// [Table.Change] puts another Network in its place. Safe for concurrent use,
// but for the methods that say "Writer".
type Network[E any] struct {
	Spec
	table  *Table[E]
	clones *Clones[E] // nil unless Flags has Cloning
}

// Clones returns the host routes below n, or nil if n is not cloning.
func (n *Network[E]) Clones() *Clones[E] { return n.clones }

// Clone adds the host route of addr, which carries e and has the flags own
// besides those of every clone (Up, LLInfo, what n has but Cloning and Static, Host
// unless own has Announce, and WasCloned unless own has Static). Readers find no word in it before
// the first [Clones.Publish]. Reports Add. Writer.
//
// Errors are EINVAL if addr is not in n or is 0.0.0.0, if n is not cloning or e is
// nil; EEXIST if there is such a clone; ENETUNREACH if n was deleted or another
// network of the interface has a longer prefix with addr in it.
func (n *Network[E]) Clone(addr netip.Addr, e *E, own Flags) error {
	c := Clone[E]{Entry: e, Flags: n.Flags.ofClone(own)}
	if err := n.add(addr, c); err != nil {
		return fmt.Errorf("adding host route %v to %v on interface %d: %w", addr, n.Prefix, n.Interface, err)
	}
	n.report(Add, addr, c)
	return nil
}

func (n *Network[E]) add(addr netip.Addr, c Clone[E]) error {
	key := Key(addr)
	if n.clones == nil || key == 0 || c.Entry == nil || !n.Prefix.Contains(addr) {
		return syscall.EINVAL
	}
	// The clone of an address lives in one network, the one that LookupOn finds.
	if m, ok := n.table.LookupOn(n.Interface, addr); !ok || m.clones != n.clones {
		return syscall.ENETUNREACH
	}
	if !n.clones.insert(key, c) {
		return syscall.EEXIST
	}
	return nil
}

// Remove deletes the host route of addr and reports Delete. The error is ESRCH, as
// of RTM_DELETE, if there is none. Writer.
func (n *Network[E]) Remove(addr netip.Addr) error {
	if n.clones != nil {
		if c, ok := n.clones.remove(Key(addr)); ok {
			n.report(Delete, addr, c)
			return nil
		}
	}
	return fmt.Errorf("deleting host route %v from %v on interface %d: %w", addr, n.Prefix, n.Interface, syscall.ESRCH)
}

// Change gives the host route of addr other flags of its own, as [Network.Clone]
// takes them, and reports Change. With the flags it has, it only reports: that the
// link-layer address was learned or has moved. The error is ESRCH if there is no
// such clone. Writer.
func (n *Network[E]) Change(addr netip.Addr, own Flags) error {
	if c, ok := n.get(addr); ok {
		c.Flags = n.Flags.ofClone(own)
		n.clones.setFlags(Key(addr), c.Flags)
		n.report(Change, addr, c)
		return nil
	}
	return fmt.Errorf("changing host route %v of %v on interface %d: %w", addr, n.Prefix, n.Interface, syscall.ESRCH)
}

// Resolve reports Resolve: the link-layer address of the host route of addr is
// being asked for. It does nothing if there is no such clone. Writer.
func (n *Network[E]) Resolve(addr netip.Addr) {
	if c, ok := n.get(addr); ok {
		n.report(Resolve, addr, c)
	}
}

// get returns the clone of addr, and whether there is one.
func (n *Network[E]) get(addr netip.Addr) (Clone[E], bool) {
	if n.clones == nil {
		return Clone[E]{}, false
	}
	return n.clones.Get(Key(addr))
}

// removeAll deletes the clones in p and reports each. Writer.
func (n *Network[E]) removeAll(p netip.Prefix) {
	if n.clones == nil {
		return
	}
	for addr := range n.clones.All() {
		if p.Contains(addr) {
			c, _ := n.clones.remove(Key(addr))
			n.report(Delete, addr, c)
		}
	}
}

// report tells about the clone of addr.
func (n *Network[E]) report(typ MessageType, addr netip.Addr, c Clone[E]) {
	n.table.notify(Message[E]{
		Type:      typ,
		Prefix:    netip.PrefixFrom(addr, addr.BitLen()),
		Interface: n.Interface,
		Flags:     c.Flags,
		Entry:     c.Entry,
	})
}
