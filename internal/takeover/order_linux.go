package takeover

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/internal/rtnl"
)

// The order among the addresses of an interface has a meaning: the first of a
// network is primary, and the first of all is what programs send from that do not
// say. The kernel appends, so an address gets its place back by deleting and adding
// again those that come after it.

// maxMoved bounds for how many addresses that is done.
const maxMoved = 256

// step is one change of the addresses of an interface.
type step struct {
	remove bool // else it is added
	addr   rtnl.Addr
}

// plan returns the steps that put addresses back among those that are there, and
// whether they get their places: order has, for each of back, the addresses as they
// stood when it was taken down, none if that is not known.
//
// The first that is put back is added before any is deleted, since the kernel
// forgets all about routing on an interface that has no address, even for a moment.
func plan(now, back []rtnl.Addr, order [][]netip.Prefix) (steps []step, placed bool) {
	for _, a := range back {
		steps = append(steps, step{addr: a})
	}
	if slices.ContainsFunc(order, func(stood []netip.Prefix) bool { return len(stood) == 0 }) {
		return steps, false
	}
	want := desired(now, back, order)
	first := slices.IndexFunc(want, func(a rtnl.Addr) bool { return isAmong(back, a) })
	after := want[first+1:]
	sameNetwork := func(a rtnl.Addr) bool {
		return slices.ContainsFunc(back, func(b rtnl.Addr) bool { return a.Prefix == b.Prefix })
	}
	for _, moves := range []func(rtnl.Addr) bool{
		func(rtnl.Addr) bool { return false }, // they come last anyway
		sameNetwork,
		func(rtnl.Addr) bool { return true },
	} {
		moved := func(a rtnl.Addr) bool { return isAmong(after, a) && !isAmong(back, a) && moves(a) }
		steps := []step{{addr: want[first]}}
		movable := true
		for _, a := range now {
			if moved(a) {
				steps = append(steps, step{remove: true, addr: a})
				movable = movable && !isTemporary(a)
			}
		}
		if len(steps) > maxMoved || !movable {
			continue
		}
		for _, a := range after {
			if isAmong(back, a) || moved(a) {
				steps = append(steps, step{addr: a})
			}
		}
		if sameOrder(carriedOut(now, steps), want) {
			return steps, true
		}
	}
	return steps, false
}

// desired returns all addresses in the order in which they are to be: as they stood
// before the first was taken down, because that has moved others, too (a secondary
// that became primary); then those that are new.
func desired(now, back []rtnl.Addr, order [][]netip.Prefix) []rtnl.Addr {
	var stood []netip.Prefix
	for _, list := range order {
		for i, p := range list {
			if slices.Contains(stood, p) {
				continue
			}
			at := 0 // behind the one that it stood behind
			if i > 0 {
				at = slices.Index(stood, list[i-1]) + 1
			}
			stood = slices.Insert(stood, at, p)
		}
	}
	rank := func(a rtnl.Addr) int {
		if i := slices.Index(stood, prefixOf(a)); i >= 0 {
			return i
		}
		return len(stood)
	}
	want := slices.Concat(now, back)
	slices.SortStableFunc(want, func(a, b rtnl.Addr) int { return cmp.Compare(rank(a), rank(b)) })
	return want
}

// isAmong reports whether an address is one of a list.
func isAmong(list []rtnl.Addr, a rtnl.Addr) bool {
	return slices.ContainsFunc(list, func(b rtnl.Addr) bool { return sameAddr(a, b) })
}

// sameAddr reports whether two are the same to the kernel, on one interface.
func sameAddr(a, b rtnl.Addr) bool { return a.Local == b.Local && a.Prefix == b.Prefix }

func sameOrder(a, b []rtnl.Addr) bool { return slices.EqualFunc(a, b, sameAddr) }

// carriedOut returns the addresses that the kernel has after the steps, with
// promote_secondaries: __inet_insert_ifa and __inet_del_ifa of net/ipv4/devinet.c.
func carriedOut(now []rtnl.Addr, steps []step) []rtnl.Addr {
	list := slices.Clone(now)
	for _, s := range steps {
		if s.remove {
			list = deleted(list, s.addr)
		} else {
			list = inserted(list, s.addr)
		}
	}
	return list
}

func isSecondary(a rtnl.Addr) bool { return a.Flags&rtnl.AddrSecondary != 0 }

// inserted is __inet_insert_ifa: a primary goes after the last one whose scope is
// not narrower, a secondary to the end.
func inserted(list []rtnl.Addr, a rtnl.Addr) []rtnl.Addr {
	a.Flags &^= rtnl.AddrSecondary
	at := 0
	for i, b := range list {
		if !isSecondary(b) && a.Scope <= b.Scope {
			at = i + 1
		}
		if a.Prefix == b.Prefix {
			a.Flags |= rtnl.AddrSecondary
		}
	}
	if isSecondary(a) {
		at = len(list)
	}
	return slices.Insert(list, at, a)
}

// deleted is __inet_del_ifa: the first secondary of a primary that goes becomes
// primary, and comes after the last primary, or where the old one stood.
func deleted(list []rtnl.Addr, a rtnl.Addr) []rtnl.Addr {
	i := slices.IndexFunc(list, func(b rtnl.Addr) bool { return sameAddr(a, b) })
	if i < 0 {
		return list
	}
	a = list[i]
	list = slices.Delete(list, i, i+1)
	if isSecondary(a) {
		return list
	}
	last, others := i, false // where the promoted one goes; whether others stand before it
	for j := i; j < len(list); j++ {
		b := list[j]
		if !isSecondary(b) && a.Scope <= b.Scope {
			last = j + 1
		}
		if !isSecondary(b) || b.Prefix != a.Prefix {
			others = true
			continue
		}
		b.Flags &^= rtnl.AddrSecondary
		list[j] = b
		if others {
			list = slices.Insert(slices.Delete(list, j, j+1), last, b)
		}
		break
	}
	return list
}
