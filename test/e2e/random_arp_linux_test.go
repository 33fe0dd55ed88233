package e2e

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isat-project/isat/api"
)

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

// isatSet sets an entry as isat's arp does.
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

// isatHas notes what was set with isat. An entry that others have set, and that is the
// same, stays theirs. The kernel has it again if it has lost it with the link: isat tells
// it at once, whether the link is up or not.
func (w *world) isatHas(p place, f fact) {
	if old := w.fact(p); old.foreign && old.kind == permanent && f.kind == permanent && old.mac == f.mac && f.action == "" {
		f.foreign, f.kernel = true, true
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
