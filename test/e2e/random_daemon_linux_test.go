package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

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
