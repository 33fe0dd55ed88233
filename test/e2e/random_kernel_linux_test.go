package e2e

import "fmt"

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
	if w.active(w.network(p.dev)) && old.kind == permanent && f.kind == permanent && (!old.foreign || old.publish) && old.mac == f.mac && old.action == "" && !old.lost {
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

// flush takes what is not permanent and in the kernel.
func (w *world) flush() {
	n := w.net()
	if w.keepsTemporary(n) {
		return
	}
	if w.command("ip neigh flush dev " + n.name) {
		w.each(n, func(f fact) fact {
			if f.kind == permanent || f.action != "" {
				return f
			}
			return w.without(n.name, f)
		})
	}
}

// keepsTemporary reports whether isat may have a temporary entry that the kernel has not,
// and nobody can flush: one that is published outlives the link, with which the kernel
// loses it until the link is there again, or until it is set again.
func (w *world) keepsTemporary(n *network) bool {
	if !w.active(n) || n.running() {
		return false
	}
	for p, f := range w.facts {
		if p.dev == n.name && f.kind == temporary && f.action == "" {
			return true
		}
	}
	return false
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
