package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// step is something that may happen. It does it, says it, and notes what must be
// so from then on.
type step struct {
	name   string
	weight int
	do     func(*world)
	can    func(*world) bool // nil: always
}

// steps are what may happen, in the mix of a busy day.
var steps = []step{
	{"isat arp -s", 14, func(w *world) { w.isatSets(false) }, (*world).runs},
	{"isat arp -s temp", 7, func(w *world) { w.isatSets(true) }, (*world).runs},
	{"isat arp -s pub, reject, blackhole", 14, (*world).isatOrders, (*world).runs},
	{"isat arp -s pub only", 8, (*world).isatPublishes, (*world).runs},
	{"isat arp -d pub", 4, (*world).isatUnpublishes, (*world).runs},
	{"ip neigh proxy", 5, (*world).proxy, nil},
	{"forwarding", 1, (*world).forward, nil},
	{"isat restore", 30, (*world).restore, func(w *world) bool { return !w.runs() }},
	{"isat arp -S", 2, (*world).isatReplaces, (*world).runs},
	{"isat arp -d", 8, (*world).isatDeletes, (*world).runs},
	{"isat arp -d -a", 1, (*world).isatDeletesAll, (*world).runs},
	{"isat arp -f", 1, (*world).isatReads, (*world).runs},
	{"ip neigh permanent", 16, func(w *world) { w.neigh(permanent, "add", "replace", "replace", "change") }, nil},
	{"ip neigh dynamic", 10, func(w *world) { w.neigh(dynamic, "add", "replace", "replace", "change") }, nil},
	{"ip neigh noarp", 1, (*world).noarp, nil},
	{"ip neigh del", 8, func(w *world) { w.deletes("ip neigh del %s dev %s") }, nil},
	{"ip neigh flush", 2, (*world).flush, nil},
	{"ip neigh flush nud permanent", 1, (*world).flushPermanent, nil},
	{"arp -s", 8, func(w *world) { w.ioctl(permanent, "") }, nil},
	{"arp -s temp", 4, func(w *world) { w.ioctl(dynamic, " temp") }, nil},
	{"arp -d", 6, func(w *world) { w.deletes("arp -d %s -i %s") }, nil},
	{"a packet to the peer", 8, func(w *world) { w.send(peers) }, nil},
	{"a packet to nobody", 4, func(w *world) { w.send(append([]int{114, 115}, nobodys...)) }, nil},
	{"a packet from the peer", 4, (*world).sendBack, nil},
	{"the peer moves", 2, (*world).peerMoves, nil},
	{"a claim of an address", 4, (*world).claim, (*world).allActive},
	{"link down", 2, func(w *world) { w.setLink(&w.net().up, w.isat, false) }, (*world).allUp},
	{"carrier loss", 2, func(w *world) { w.setLink(&w.net().carrier, w.peer, false) }, (*world).allUp},
	{"links up", 16, (*world).linksUp, func(w *world) bool { return !w.allUp() }},
	{"another MAC", 1, (*world).anotherMAC, nil},
	{"an address comes or goes", 3, (*world).address, nil},
	{"the first address comes or goes", 1, (*world).firstAddress, nil},
	{"isat release", 1, (*world).release, (*world).allActive},
	{"isat take", 4, (*world).take, func(w *world) bool { return w.runs() && !w.allActive() }},
	{"isat reload", 1, (*world).reload, (*world).runs},
	{"max_age", 1, (*world).age, (*world).allActive},
	{"SIGTERM", 2, func(w *world) { w.stop() }, (*world).runs},
	{"SIGKILL", 2, (*world).kill, func(w *world) bool { return w.runs() && w.allUp() && w.allActive() }},
	{"a start", 60, (*world).start, func(w *world) bool { return !w.runs() }},
}

func (w *world) runs() bool { return w.d != nil }
func (w *world) allUp() bool {
	return !slices.ContainsFunc(w.nets, func(n *network) bool { return !n.running() })
}
func (w *world) allActive() bool {
	return !slices.ContainsFunc(w.nets, func(n *network) bool { return !w.active(n) })
}

// choose returns a step that can be made now.
func (w *world) choose() step {
	var can []step
	sum := 0
	for _, s := range steps {
		if s.can == nil || s.can(w) {
			can = append(can, s)
			sum += s.weight
		}
	}
	r := w.random.IntN(sum)
	for _, s := range can {
		if r -= s.weight; r < 0 {
			return s
		}
	}
	panic("unreachable")
}

func pick[T any](w *world, from []T) T { return from[w.random.IntN(len(from))] }

// net returns one of the interfaces, e0 more often.
func (w *world) net() *network { return w.nets[min(1, w.random.IntN(3)/2)] }

// target returns a place: mostly one that only administrators have entries of.
func (w *world) target() place {
	from := nobodys
	if w.random.IntN(4) == 0 {
		from = peers
	}
	return w.net().at(pick(w, from))
}

// mac returns one of few link-layer addresses that nobody has.
func (w *world) mac() string { return fmt.Sprintf("02:00:00:00:aa:%02x", w.random.IntN(4)) }

// newMAC returns one that nobody has had.
func (w *world) newMAC() string {
	w.macs++
	return fmt.Sprintf("02:00:00:00:%02x:%02x", 0x10+w.macs>>8, w.macs&0xff)
}

// command runs a program on isat's host and reports whether it succeeded.
func (w *world) command(line string) bool {
	w.t.Helper()
	r := w.isat.Run(strings.Fields(line)...)
	w.say("%s: %d", line, r.Code)
	return r.Code == 0
}

// spokenFor reports whether the peer has an address.
func (w *world) spokenFor(p place) bool {
	return slices.ContainsFunc(peers, func(host int) bool { return w.network(p.dev).at(host) == p })
}

// loosely is a fact of something that is not permanent: of an address of the peer
// nobody knows what the peer says meanwhile.
func (w *world) loosely(p place, f fact) fact {
	if f.kind != permanent && !f.ordered() && w.spokenFor(p) {
		return fact{kind: either}
	}
	return f
}
