package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/isat-project/isat/api"
)

// certain reports whether it is known whether isat has an ordinary entry of a place.
// One that is only asked for is one, too.
func (w *world) certain(p place) bool {
	k := w.fact(p).kind
	return k == permanent || k == temporary || k == dynamic
}

// words picks what else than the link-layer address an entry of arp's file or -S says.
func (w *world) words(f *fact) []string {
	switch w.random.IntN(6) {
	case 0:
		f.publish = true
		return []string{"pub"}
	case 1:
		f.action = api.ActionReject
		return []string{"reject"}
	case 2:
		f.action = api.ActionBlackhole
		return []string{"blackhole"}
	}
	return nil
}

// isatOrders is arp -s with pub, auto, reject, blackhole and temp, in their mixtures.
func (w *world) isatOrders() {
	p, ok := w.isatTarget()
	if !ok {
		return
	}
	n := w.network(p.dev)
	f := fact{kind: permanent, mac: w.mac()}
	if old := w.fact(p); old.mac != "" && !old.auto && w.random.IntN(3) == 0 {
		f.mac = old.mac // nothing else changes
	}
	f.publish = w.random.IntN(2) == 0
	if !f.publish || w.random.IntN(4) == 0 {
		f.action = pick(w, []api.Action{api.ActionReject, api.ActionBlackhole})
	}
	if f.publish && w.random.IntN(3) == 0 {
		f.auto, f.mac = true, n.mac
	}
	if w.random.IntN(4) == 0 {
		f.kind = temporary
	}
	w.say("isat arp -i %s -s %s %s: %v", p.dev, p.ip, f.mac, f)
	w.isatSet(p, f)
}

// isatPublishes is arp -s ... pub only. The entry is beside the ordinary one.
func (w *world) isatPublishes() {
	n := w.net()
	if !w.active(n) {
		return
	}
	p := n.at(pick(w, slices.Concat(elsewhere, nobodys)))
	f := fact{kind: permanent, mac: w.mac()}
	e := api.SetEntry{IP: netip.MustParseAddr(p.ip), MAC: api.MAC(f.mac), Interface: p.dev, Pub: api.PublishOnly}
	if w.random.IntN(2) == 0 {
		f.auto, f.mac, e.MAC = true, n.mac, api.EtherAuto
	}
	if w.random.IntN(4) == 0 {
		f.kind, e.Temp = temporary, true
	}
	w.say("isat arp -i %s -s %s %s pub only: %v", p.dev, p.ip, e.MAC, f)
	if _, _, err := w.d.API.SetEntry(w.t.Context(), e); err != nil {
		w.t.Fatalf("publishing %v: %v\n%s", p, err, strings.Join(w.transcript, "\n"))
	}
	if old := w.only[p]; old.foreign && f.auto && f.kind == permanent {
		return // it is what is there, and stays the kernel's
	}
	w.only[p] = f
}

// isatUnpublishes is arp -d ... pub, mostly of one that is there.
func (w *world) isatUnpublishes() {
	n := w.net()
	if !w.active(n) {
		return
	}
	p := n.at(pick(w, slices.Concat(elsewhere, nobodys)))
	for range 10 {
		if _, ok := w.only[p]; ok {
			break
		}
		p = n.at(pick(w, slices.Concat(elsewhere, nobodys)))
	}
	_, err := w.d.API.DeleteEntry(w.t.Context(), netip.MustParseAddr(p.ip), p.dev, true)
	w.say("isat arp -i %s -d %s pub: %v", p.dev, p.ip, err)
	if _, ok := w.only[p]; ok != (err == nil) {
		w.t.Fatalf("deleting the published-only entry of %v: %v; there was one: %v\n%s", p, err, ok, strings.Join(w.transcript, "\n"))
	}
	delete(w.only, p)
}

// proxy adds a proxy neighbour of the kernel or deletes it, with either program. One
// on the link is none that the kernel would answer for.
func (w *world) proxy() {
	n := w.net()
	p := n.at(pick(w, append([]int{nobodys[0]}, elsewhere...)))
	_, present := n.proxies[p.ip]
	byIP := w.random.IntN(2) == 0
	switch {
	case present:
		w.command(fmt.Sprintf("ip neigh del proxy %s dev %s", p.ip, p.dev))
		delete(n.proxies, p.ip)
		return
	case byIP:
		w.command(fmt.Sprintf("ip neigh add proxy %s dev %s", p.ip, p.dev))
	default:
		w.command(fmt.Sprintf("arp -i %[2]s -Ds %[1]s %[2]s pub", p.ip, p.dev))
	}
	n.proxies[p.ip] = byIP
}

// forward changes whether an interface forwards, without which the kernel answers for
// no proxy neighbour.
func (w *world) forward() {
	n := w.net()
	n.forwards = !n.forwards
	w.say("%s forwards: %v", n.name, n.forwards)
	value := 0
	if n.forwards {
		value = 1
	}
	w.isat.Sysctl("net.ipv4.conf."+n.name+".forwarding", value)
}

// reread is when isat looks what became of the kernel's proxy neighbours. It does so
// every five seconds, and at once when it is told of a setting.
func (w *world) reread() (changed bool) {
	for _, n := range w.nets {
		if !w.active(n) {
			continue
		}
		for _, host := range elsewhere {
			p := n.at(host)
			_, present := n.proxies[p.ip]
			present = present && n.forwards
			old, published := w.only[p]
			switch {
			case present && !n.adopted[p.ip] && !published:
				n.adopted[p.ip], changed = true, true
				w.only[p] = fact{kind: permanent, mac: n.mac, auto: true, foreign: true}
			case !present && n.adopted[p.ip]:
				delete(n.adopted, p.ip)
				changed = true
				if old.foreign {
					delete(w.only, p)
				}
			}
		}
	}
	return changed
}

// nudge tells isat of a setting, if that makes a difference now; one time in ten it
// has to find out by itself.
func (w *world) nudge() {
	if !w.reread() || w.random.IntN(10) == 0 {
		return
	}
	w.told = !w.told
	value := 0
	if w.told {
		value = 1
	}
	w.isat.Sysctl("net.ipv4.conf.e2.forwarding", value)
}

// unadopt is when isat does ARP on an interface no more: what it had published for the
// kernel it has no more.
func (w *world) unadopt(n *network) {
	clear(n.adopted)
	maps.DeleteFunc(w.only, func(p place, f fact) bool { return p.dev == n.name && f.foreign })
}

// taken is when isat does ARP on an interface again: it has what it has written down,
// but for what others have put into the kernel since, and what the kernel publishes.
func (w *world) taken(n *network) {
	w.each(n, func(f fact) fact {
		if b := f.below; b != nil && f.kind == permanent && b.kind == permanent && b.publish && b.action == "" && b.mac == f.mac {
			f.publish = true // which the kernel cannot say
		}
		f.below, f.lost = nil, false
		if f.kind == either {
			f.mac = ""
		}
		return f
	})
	for _, host := range elsewhere {
		p := n.at(host)
		f, published := w.only[p]
		if _, present := n.proxies[p.ip]; !present || !n.forwards {
			continue
		}
		n.adopted[p.ip] = true
		if !published || f.auto && f.kind == permanent {
			w.only[p] = fact{kind: permanent, mac: n.mac, auto: true, foreign: true}
		}
	}
}

// restore puts back what a killed daemon has left, if one was killed.
func (w *world) restore() {
	before := maps.Clone(w.facts)
	w.marked()
	w.say("isat restore")
	r := w.isat.Run(program(w.t), "restore", "--runtime-dir", w.dir+"/run")
	if r.Code != 0 {
		w.t.Fatalf("isat restore: %+v\n%s", r, strings.Join(w.transcript, "\n"))
	}
	w.left = nil
	for p, f := range before {
		if f.foreign && !w.facts[p].foreign {
			w.put(p, w.without(p.dev, f)) // it had isat's mark and was not written down
		}
	}
	for _, n := range w.nets {
		w.each(n, func(f fact) fact {
			switch {
			case f.kind == dynamic:
				return fact{kind: either} // who knows who has put it there
			case !f.foreign:
				f.kernel = false
			}
			return f
		})
	}
}

// containsFunc reports whether a listing has a row for which f is true.
func containsFunc(rows map[place]row, f func(place, row) bool) bool {
	for p, r := range rows {
		if f(p, r) {
			return true
		}
	}
	return false
}
