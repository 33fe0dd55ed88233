package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isat-project/isat/api"
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

// isatTarget returns a place on an interface that isat has.
func (w *world) isatTarget() (place, bool) {
	for range 10 {
		if p := w.target(); w.active(w.network(p.dev)) {
			return p, true
		}
	}
	return place{}, false
}

func (w *world) isatSets(temp bool) {
	p, ok := w.isatTarget()
	if !ok {
		return
	}
	f := fact{kind: permanent, mac: w.mac()}
	if temp {
		f.kind = temporary
	}
	w.say("isat arp -i %s -s %s %s temp=%v", p.dev, p.ip, f.mac, temp)
	w.isatSet(p, f)
}

// isatSet sets an entry as isat's arp does. One that others have set, and that is
// the same, stays theirs.
func (w *world) isatSet(p place, f fact) {
	w.t.Helper()
	e := api.SetEntry{IP: netip.MustParseAddr(p.ip), MAC: api.MAC(f.mac), Interface: p.dev, Temp: f.kind == temporary, Action: f.action}
	if f.publish {
		e.Pub = api.PublishYes
	}
	if f.auto {
		e.MAC = api.EtherAuto
	}
	if _, _, err := w.d.API.SetEntry(w.t.Context(), e); err != nil {
		w.t.Fatalf("setting %v: %v\n%s", p, err, strings.Join(w.transcript, "\n"))
	}
	w.isatHas(p, f)
}

func (w *world) isatHas(p place, f fact) {
	if old := w.fact(p); old.foreign && old.kind == permanent && f.kind == permanent && old.mac == f.mac && f.action == "" {
		f.foreign, f.kernel = true, old.kernel
	}
	w.put(p, w.loosely(p, f))
}

// isatReplaces is arp -S: it deletes what is there first.
func (w *world) isatReplaces() {
	p, ok := w.isatTarget()
	if !ok {
		return
	}
	if _, published := w.only[p]; published && !w.certain(p) {
		return // which of the two it deletes nobody knows
	}
	f := fact{kind: permanent, mac: w.mac()}
	words := w.words(&f)
	w.say("isat arp -i %s -S %s %s %s", p.dev, p.ip, f.mac, words)
	if r := w.d.Tool(append([]string{"arp", "-i", p.dev, "-S", p.ip, f.mac}, words...)...); r.Code != 0 {
		w.t.Fatalf("%+v", r)
	}
	w.put(p, f)
}

func (w *world) isatDeletes() {
	p, ok := w.isatTarget()
	if !ok {
		return
	}
	gone, err := w.d.API.DeleteEntry(w.t.Context(), netip.MustParseAddr(p.ip), p.dev, false)
	w.say("isat arp -i %s -d %s: %v", p.dev, p.ip, err)
	switch {
	case err != nil:
	case slices.ContainsFunc(gone, func(e api.Entry) bool { return e.PublishOnly }) && !w.certain(p):
		delete(w.only, p)
	default:
		w.put(p, fact{})
	}
}

func (w *world) isatDeletesAll() {
	w.say("isat arp -d -a")
	if _, err := w.d.API.DeleteEntries(w.t.Context(), ""); err != nil {
		w.t.Fatal(err)
	}
	for _, n := range w.nets {
		if w.active(n) {
			w.each(n, func(fact) fact { return fact{} })
			maps.DeleteFunc(w.only, func(p place, _ fact) bool { return p.dev == n.name })
		}
	}
}

// isatReads is arp -f, whose lines name no interface: their network does.
func (w *world) isatReads() {
	var lines []string
	var facts = make(map[place]fact)
	for range 3 {
		p, ok := w.isatTarget()
		if n := w.network("e1"); !ok || p.dev == n.name && (!n.primary || !w.active(n)) {
			return
		}
		if _, again := facts[p]; again {
			continue // arp -f refuses the same host twice
		}
		f := fact{kind: permanent, mac: w.mac()}
		lines = append(lines, strings.Join(append([]string{p.ip, f.mac}, w.words(&f)...), " "))
		facts[p] = f
	}
	w.say("isat arp -f: %s", strings.Join(lines, ", "))
	file := filepath.Join(w.dir, "entries")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if r := w.d.Tool("arp", "-f", file); r.Code != 0 {
		w.t.Fatalf("%+v\n%s", r, strings.Join(w.transcript, "\n"))
	}
	for p, f := range facts {
		w.isatHas(p, f)
	}
}

// foreignTarget returns a place for others to set an entry of a kind. Without isat
// it is none that isat has written down: what holds then at its next start, its
// permanent entry or another's dynamic one, is isat's.
func (w *world) foreignTarget(k kind) (place, bool) {
	for range 10 {
		p := w.target()
		f := w.fact(p)
		if w.active(w.network(p.dev)) || f.foreign && f.below == nil || f.kind == absent || f.kind == either && (k == permanent || w.spokenFor(p)) || k == permanent && f.kind == permanent {
			return p, true
		}
	}
	return place{}, false
}

// neigh is ip neigh.
func (w *world) neigh(k kind, verbs ...string) {
	p, ok := w.foreignTarget(k)
	if !ok {
		return
	}
	state := "permanent"
	if k == dynamic {
		state = pick(w, []string{"reachable", "stale"})
	}
	f := fact{kind: k, mac: w.mac(), foreign: true, kernel: true}
	if w.command(fmt.Sprintf("ip neigh %s %s lladdr %s dev %s nud %s", pick(w, verbs), p.ip, f.mac, p.dev, state)) {
		w.othersHave(p, f)
	}
}

// ioctl is arp of net-tools.
func (w *world) ioctl(k kind, word string) {
	p, ok := w.foreignTarget(k)
	if !ok {
		return
	}
	f := fact{kind: k, mac: w.mac(), foreign: true, kernel: true}
	if w.command(fmt.Sprintf("arp -i %s -s %s %s%s", p.dev, p.ip, f.mac, word)) {
		w.othersHave(p, f)
	}
}

// othersHave notes what others have set.
func (w *world) othersHave(p place, f fact) {
	old := w.fact(p)
	if w.active(w.network(p.dev)) && old.kind == permanent && f.kind == permanent && (!old.foreign || old.publish) && old.mac == f.mac && old.action == "" {
		return // the kernel sees no change
	}
	if !w.active(w.network(p.dev)) {
		f.below = old.below
		if old.written() || old.kind == either {
			f.below = &old
		}
	}
	w.put(p, w.loosely(p, f))
}

// noarp makes an entry that neither program lists: there is no entry any more.
func (w *world) noarp() {
	if p, ok := w.foreignTarget(dynamic); ok && w.command(fmt.Sprintf("ip neigh replace %s lladdr %s dev %s nud noarp", p.ip, w.mac(), p.dev)) {
		w.put(p, fact{})
	}
}

// deletes is a deletion by others. Without isat, what isat has written down comes
// back with it.
func (w *world) deletes(format string) {
	p := w.target()
	_, proxy := w.network(p.dev).proxies[p.ip]
	if f := w.fact(p); proxy && !(f.kernel && f.kind == permanent) {
		return // arp -d of net-tools deletes a proxy neighbour if there is no other
	}
	if w.command(fmt.Sprintf(format, p.ip, p.dev)) {
		w.put(p, w.without(p.dev, w.fact(p)))
	}
}

// without is what becomes of a fact when the kernel's entry is deleted.
func (w *world) without(dev string, f fact) fact {
	switch {
	case w.active(w.network(dev)):
		return fact{}
	case f.below != nil:
		f = *f.below
		f.foreign = false
	case f.kind == either:
		return f // it may be written down
	case f.written():
		f.foreign = false
	case f.foreign:
		return fact{}
	}
	f.kernel = false
	return f
}

// flush takes what is not permanent.
func (w *world) flush() {
	n := w.net()
	if w.command("ip neigh flush dev " + n.name) {
		w.each(n, func(f fact) fact {
			if f.kind == permanent || f.action != "" {
				return f
			}
			return w.without(n.name, f)
		})
	}
}

// flushPermanent takes what is permanent in the kernel, and with it what is
// externally learned, whatever its state (iproute2, ip/ipneigh.c). With the link
// down that is not all that there is.
func (w *world) flushPermanent() {
	if n := w.net(); n.running() && w.command("ip neigh flush dev "+n.name+" nud permanent") {
		w.each(n, func(f fact) fact {
			if f.action != "" {
				return f
			}
			if f.kind != permanent && !w.active(n) {
				return fact{kind: either} // who knows who has put it there
			}
			return w.without(n.name, f)
		})
	}
}

// send sends a packet from isat's host, which asks for the address.
func (w *world) send(hosts []int) {
	p := w.net().at(pick(w, hosts))
	_, err := w.udp.WriteTo([]byte("x"), &net.UDPAddr{IP: net.ParseIP(p.ip), Port: 9})
	w.say("a packet to %s: %v", p.ip, err)
}

// sendBack sends one from the peer, which asks for isat.
func (w *world) sendBack() {
	n := w.net()
	if w.random.IntN(2) == 0 {
		w.peer.Run("ip", "neigh", "flush", "dev", n.name)
	}
	_, err := w.back.WriteTo([]byte("x"), &net.UDPAddr{IP: net.ParseIP(n.at(1).ip), Port: 9})
	w.say("a packet from the peer to %s: %v", n.at(1).ip, err)
}

// peerMoves gives the peer another MAC, which it announces.
func (w *world) peerMoves() {
	n := w.net()
	n.peerMAC = w.newMAC()
	w.say("peer: ip link set %s address %s; announces", n.name, n.peerMAC)
	w.peer.Must("ip", "link", "set", n.name, "address", n.peerMAC)
	for _, host := range peers {
		p := n.at(host)
		if n.running() {
			n.announce(p.ip, n.peerMAC)
		}
		if f := w.fact(p); f.kind == either {
			f.mac = ""
			if n.running() && w.active(n) {
				f.mac = n.peerMAC
			}
			w.put(p, f)
		}
	}
}

// announce sends an announcement from the peer's end.
func (n *network) announce(ip, mac string) {
	n.wire.Frames() // takes the error of the link that was down, and keeps the buffer empty
	n.wire.Send(request(ip, mac, ip))
}

// claim is an announcement by a stranger. What is not permanent follows it.
func (w *world) claim() {
	n := w.net()
	if !n.running() {
		return
	}
	p, mac := n.at(pick(w, nobodys)), w.newMAC()
	w.say("%s is announced on %s", p, mac)
	n.announce(p.ip, mac)
	switch f := w.fact(p); f.kind {
	case temporary, dynamic, either:
		if !f.ordered() {
			f.mac = mac
			w.put(p, f)
		}
	case absent: // a request may wait for it, and has an answer now
		w.put(p, fact{kind: either, mac: mac})
	}
}

// setLink sets an end of a network down or up.
func (w *world) setLink(end *bool, h *Host, up bool) {
	i := slices.IndexFunc(w.nets, func(n *network) bool { return end == &n.up || end == &n.carrier })
	n := w.nets[i]
	word := "down"
	if up {
		word = "up"
	}
	w.say("%s: ip link set %s %s", h.Name, n.name, word)
	h.Must("ip", "link", "set", n.name, word)
	*end = up
	await(w.t, fmt.Sprintf("%s is running: %v", n.name, n.running()), func() bool { return w.isat.running(n.name) == n.running() })
	if !up {
		w.flushed(n, end == &n.carrier)
		if end == &n.up {
			clear(n.proxies)
		} else { // the kernel keeps what ip has added
			maps.DeleteFunc(n.proxies, func(_ string, permanent bool) bool { return !permanent })
		}
		return
	}
	if n.running() && w.active(n) {
		w.restored(n)
	}
}

// running reports whether an interface is up with a carrier.
func (h *Host) running(ifname string) bool {
	h.t.Helper()
	var flags net.Flags
	if err := h.NS.Do(func() error {
		ifi, err := net.InterfaceByName(ifname)
		if err == nil {
			flags = ifi.Flags
		}
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return flags&net.FlagUp != 0 && flags&net.FlagRunning != 0
}

// flushed is what follows when the kernel deletes all entries of an interface, or
// all that are not permanent: isat keeps what an administrator has set.
func (w *world) flushed(n *network, permanentStay bool) {
	w.each(n, func(f fact) fact {
		switch {
		case f.kind == permanent && permanentStay:
			return f
		case f.below != nil && !w.active(n):
			f = *f.below
			f.foreign = false
		case f.kind == permanent && w.active(n), f.ordered() && w.active(n):
		case f.written() && (f.kind == permanent || !w.active(n)):
			f.foreign = false
		case f.kind == either && !w.active(n): // perhaps written down
		default:
			return fact{}
		}
		f.kernel = false
		return f
	})
}

// restored is when isat has put into the kernel again what administrators have
// set.
func (w *world) restored(n *network) {
	w.each(n, func(f fact) fact { f.kernel, f.below = f.action == "", nil; return f })
}

func (w *world) linksUp() {
	for _, n := range w.nets {
		if !n.up {
			w.setLink(&n.up, w.isat, true)
		}
		if !n.carrier {
			w.setLink(&n.carrier, w.peer, true)
		}
	}
}

// anotherMAC gives isat's interface another MAC; the kernel deletes all entries.
func (w *world) anotherMAC() {
	n := w.net()
	n.mac = w.newMAC()
	w.command(fmt.Sprintf("ip link set %s address %s", n.name, n.mac))
	w.flushed(n, false)
	for _, facts := range []map[place]fact{w.facts, w.only} {
		for p, f := range facts {
			if f.auto && p.dev == n.name {
				f.mac = n.mac
				facts[p] = f
			}
		}
	}
	if n.running() && w.active(n) {
		w.restored(n)
	}
}

// address adds or removes a further address of e0: one of the network that it has,
// or one whose network is a part of that. Entries stay.
func (w *world) address() {
	n := w.nets[0]
	a := pick(w, []string{n.prefix + "120/24", n.prefix + "97/28"})
	verb := "add"
	if n.extra[a] {
		verb = "del"
	}
	n.extra[a] = !n.extra[a]
	w.command(fmt.Sprintf("ip addr %s %s dev %s", verb, a, n.name))
}

// firstAddress adds or removes the only address of e1. The kernel deletes all
// entries of an interface that loses its last one.
func (w *world) firstAddress() {
	n := w.nets[1]
	verb := "add"
	if n.primary {
		verb = "del"
	}
	n.primary = !n.primary
	w.command(fmt.Sprintf("ip addr %s %s1/24 dev %s", verb, n.prefix, n.name))
	if !n.primary {
		clear(n.proxies)
		temps := make(map[place]fact)
		for p, f := range w.facts {
			if p.dev == n.name && f.kind == temporary && w.active(n) {
				temps[p] = f // an administrator has set it
			}
		}
		w.flushed(n, false)
		maps.Copy(w.facts, temps)
		if n.running() && w.active(n) {
			w.restored(n)
		}
	}
}

// handedBack is what follows when isat has given an interface back: its entries go
// and those of others stay, if the kernel has them.
func (w *world) handedBack(n *network) {
	w.each(n, func(f fact) fact {
		switch {
		case f.kind == permanent && f.foreign && f.kernel, f.kind == either:
			return f
		case f.written():
			f.kernel, f.foreign = false, false
			return f
		}
		return fact{}
	})
	w.unadopt(n)
}

func (w *world) release() {
	n := w.net()
	w.say("isat release %s", n.name)
	if err := w.d.API.Release(w.t.Context(), n.name); err != nil {
		w.t.Fatal(err)
	}
	n.released = true
	w.handedBack(n)
}

// marked notes which permanent entries of others have isat's mark in the kernel, which
// keeps it when others change an entry: a daemon that starts takes them for isat's.
func (w *world) marked() {
	w.t.Helper()
	for _, n := range w.nets {
		for _, k := range w.isat.Neighbours(n.name) {
			p := place{n.name, k.IP}
			if f := w.facts[p]; f.kind == permanent && f.foreign && k.Protocol == "82" && !w.active(n) {
				f.foreign = false
				w.put(p, f)
			}
		}
	}
}

func (w *world) take() {
	w.marked()
	for _, n := range w.nets {
		if !n.released {
			continue
		}
		w.say("isat take %s", n.name)
		if _, err := w.d.API.Take(w.t.Context(), n.name); err != nil {
			w.t.Fatal(err)
		}
		n.released = false
		w.taken(n)
		if n.running() {
			w.restored(n)
		}
	}
}

// reload reads the configuration again: nothing in it has changed.
func (w *world) reload() {
	w.say("isat reload")
	if _, err := w.d.API.Reload(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// age lets everything expire that can.
func (w *world) age() {
	const node = "net.link.ether.inet.max_age"
	set := func(seconds int64) {
		w.say("isat sysctl %s=%d", node, seconds)
		if _, err := w.d.API.SetSysctl(w.t.Context(), node, "", seconds); err != nil {
			w.t.Fatal(err)
		}
	}
	set(1)
	await(w.t, "all has expired", func() bool {
		var l listings
		w.readISAT(&l)
		expires := func(_ place, r row) bool { return r.mac != "" && !r.permanent }
		return !containsFunc(l.isat, expires) && !containsFunc(l.only, expires)
	})
	set(1200)
	for _, n := range w.nets {
		w.each(n, func(f fact) fact {
			switch f.kind {
			case permanent:
				return f
			case either: // nobody knows what the peer says
				return fact{kind: either}
			}
			return fact{}
		})
		maps.DeleteFunc(w.only, func(p place, f fact) bool { return p.dev == n.name && f.kind == temporary })
	}
}

func (w *world) stop() {
	w.say("SIGTERM")
	w.d.Stop()
	for _, n := range w.nets {
		if w.active(n) {
			w.handedBack(n)
		}
	}
	w.d, w.left = nil, nil
}

// kill ends the daemon without a last word, after it has written down what
// administrators have set. The kernel keeps all.
func (w *world) kill() {
	wrong := ""
	if !eventually(func() bool { wrong = w.unwritten(); return wrong == "" }) {
		w.t.Fatalf("ISAT_RANDOM_SEED=%d: after\n%s\nisat has not written down what administrators have set with it: %s", w.seed, strings.Join(w.transcript, "\n"), wrong)
	}
	w.say("SIGKILL")
	w.left = w.routes()
	w.d.Kill()
	w.d.Stop() // looks at what it wrote
	w.d = nil
	for _, n := range w.nets {
		w.restored(n)
		w.unadopt(n)
	}
}

// unwritten returns how the daemon's file differs from what was set with isat, "" if
// it does not.
func (w *world) unwritten() string {
	w.t.Helper()
	type record struct {
		Interface, IP, MAC, Expires, Action string
		Published                           bool
		PublishOnly                         bool `json:"publish_only"`
	}
	var file struct{ List []record }
	text, err := os.ReadFile(filepath.Join(w.dir, "run", "entries.json"))
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	want := make(map[record]bool)
	for only, facts := range map[bool]map[place]fact{false: w.facts, true: w.only} {
		for p, f := range facts {
			if !f.written() {
				continue
			}
			r := record{Interface: p.dev, IP: p.ip, MAC: f.mac, Action: string(f.action), Published: f.publish || only, PublishOnly: only}
			if f.auto {
				r.MAC = ""
			}
			if f.kind == temporary {
				r.Expires = "some time"
			}
			want[r] = true
		}
	}
	for _, r := range file.List {
		if r.Expires != "" {
			r.Expires = "some time"
			if w.fact(place{r.Interface, r.IP}).kind == either && !r.PublishOnly {
				continue
			}
		}
		if !want[r] {
			return fmt.Sprintf("%+v is written down, want %+v", r, want)
		}
		delete(want, r)
	}
	if len(want) > 0 {
		return fmt.Sprintf("%+v are missing", want)
	}
	return ""
}

// start starts a daemon, which takes both interfaces over.
func (w *world) start() {
	w.say("isat run")
	w.marked()
	w.d = launch(w.t, w.isat, w.dir, randomConfig, nil)
	for _, n := range w.nets {
		n.released = false
		w.taken(n)
		if n.running() {
			w.restored(n)
		}
	}
}
