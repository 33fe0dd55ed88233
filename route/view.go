package route

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"

	"github.com/gaissmai/bart"
)

// view is all networks at one time. It never changes.
type view[E any] struct {
	// networks are all but the implicit ones, host-wide. Those with the same
	// prefix are in the order of preference, the best one first; never none.
	networks *bart.Table[[]*Network[E]]
	links    map[int]link[E] // by interface index; only those with cloning networks
}

// get returns the network that [Table.Get] does, nil if there is none.
func (v *view[E]) get(prefix netip.Prefix, ifindex int, gateway netip.Addr) *Network[E] {
	same, _ := v.networks.Get(prefix)
	for _, n := range same {
		if n.Interface == ifindex && n.Gateway == gateway {
			return n
		}
	}
	return nil
}

// hop returns where a packet to addr, which n has in it, goes, as [Table.NextHop]
// does.
func (v *view[E]) hop(n *Network[E], addr netip.Addr) (Hop[E], bool) {
	switch {
	case n.Flags&discards != 0:
		return Hop[E]{Route: n, Addr: addr}, true
	case n.Flags&Gateway == 0:
		return Hop[E]{Route: n, Network: n, Addr: addr}, true
	}
	on := v.links[n.Interface].lookup(n.Gateway)
	return Hop[E]{Route: n, Network: on, Addr: n.Gateway, Gateway: true}, on != nil
}

// ofInterface returns the first of networks with the same prefix that is of the
// interface or of none, nil if there is none.
func ofInterface[E any](same []*Network[E], ifindex int) *Network[E] {
	for _, n := range same {
		if n.Interface == ifindex || n.Interface == 0 {
			return n
		}
	}
	return nil
}

// has reports whether n is in v.
func (v *view[E]) has(n *Network[E]) bool {
	if n.Implicit {
		return v.links[n.Interface].implicit == n
	}
	return v.get(n.Prefix, n.Interface, n.Gateway) == n
}

// free returns why a network of spec cannot be added to v, nil if it can.
func (v *view[E]) free(spec Spec) error {
	l := v.links[spec.Interface]
	switch {
	case spec.Implicit && l.implicit != nil,
		!spec.Implicit && v.get(spec.Prefix, spec.Interface, spec.Gateway) != nil:
		return syscall.EEXIST
	case spec.Gateway.IsValid() && l.lookup(spec.Gateway) == nil:
		// As Linux: "Nexthop has invalid gateway".
		return fmt.Errorf("gateway %v is not on the link: %w", spec.Gateway, syscall.ENETUNREACH)
	}
	return nil
}

// with returns v and n.
func (v *view[E]) with(n *Network[E]) *view[E] {
	w := *v
	if !n.Implicit {
		w.networks = v.networks.ModifyPersist(n.Prefix, func(same []*Network[E], _ bool) ([]*Network[E], bool) {
			i := 0
			for i < len(same) && same[i].Metric <= n.Metric {
				i++
			}
			return slices.Insert(slices.Clone(same), i, n), false
		})
	}
	if n.clones != nil {
		l := v.links[n.Interface]
		if l.networks == nil {
			l.networks = new(bart.Table[*Network[E]])
		}
		if n.Implicit {
			l.implicit = n
		} else {
			l.networks = l.networks.InsertPersist(n.Prefix, n)
		}
		w.links = v.withLink(n.Interface, l)
	}
	return &w
}

// without returns v but n, which is in v.
func (v *view[E]) without(n *Network[E]) *view[E] {
	w := *v
	if !n.Implicit {
		w.networks = v.networks.ModifyPersist(n.Prefix, func(same []*Network[E], _ bool) ([]*Network[E], bool) {
			same = slices.DeleteFunc(slices.Clone(same), func(m *Network[E]) bool { return m == n })
			return same, len(same) == 0
		})
	}
	if n.clones != nil {
		l := v.links[n.Interface]
		if n.Implicit {
			l.implicit = nil
		} else {
			l.networks = l.networks.DeletePersist(n.Prefix)
		}
		w.links = v.withLink(n.Interface, l)
	}
	return &w
}

// withLink returns the links of v with l for the interface.
func (v *view[E]) withLink(ifindex int, l link[E]) map[int]link[E] {
	links := make(map[int]link[E], len(v.links)+1)
	maps.Copy(links, v.links)
	links[ifindex] = l
	if l.implicit == nil && l.networks.Size() == 0 {
		delete(links, ifindex)
	}
	return links
}

// link is the cloning networks of one interface.
type link[E any] struct {
	networks *bart.Table[*Network[E]]
	implicit *Network[E] // nil if there is none
}

// lookup returns the cloning network whose clone addr would be, nil if none.
func (l link[E]) lookup(addr netip.Addr) *Network[E] {
	if l.networks == nil { // no such interface
		return nil
	}
	if n, ok := l.networks.Lookup(addr); ok {
		return n
	}
	if l.implicit != nil && addr.Is4() {
		return l.implicit
	}
	return nil
}

// covering returns the network that has the addresses of p which no longer prefix
// has, nil if none.
func (l link[E]) covering(p netip.Prefix) *Network[E] {
	if l.networks == nil {
		return nil
	}
	if n, ok := l.networks.LookupPrefix(p); ok {
		return n
	}
	return l.implicit
}
