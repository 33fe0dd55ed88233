package e2e

import (
	"fmt"
	"maps"
	"net"
	"slices"
)

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
		f.kernel, f.lost = false, true
		return f
	})
}

// restored is when isat has put into the kernel again what administrators have
// set.
func (w *world) restored(n *network) {
	w.each(n, func(f fact) fact { f.kernel, f.lost, f.below = f.action == "", false, nil; return f })
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
