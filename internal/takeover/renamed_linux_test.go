package takeover

import (
	"slices"
	"testing"

	"github.com/isat-project/isat/host"
)

// What is taken down follows its interface to a new name, as the kernel's labels do.
func TestRenameWhileDown(t *testing.T) {
	r := newOwnRig(t, DownAddress)
	r.ip("address", "add", "192.0.2.1/24", "dev", "e0", "label", "e0:vip")
	r.told(host.Withdrawn, "192.0.2.1/24")
	r.requireAddresses()
	r.ip("link", "set", "e0", "down")
	r.ip("link", "set", "e0", "name", "x0")
	r.ip("link", "set", "x0", "up")
	r.eventually("the name is followed", func() bool {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		return len(r.m.down) == 1 && r.m.down[0].Name == "x0"
	})
	r.told(host.Usable, "192.0.2.1/24")
	all, err := r.m.conn.Addrs(r.index)
	if err != nil || len(all) != 1 || all[0].Label != "x0:vip" {
		t.Errorf("the interface has %+v, %v, want the label x0:vip", all, err)
	}
}

// What was set by hand is written down once, with the present name.
func TestRenameWithEntries(t *testing.T) {
	r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0")
	r.set("192.0.2.9")
	kept := func() (names []string) {
		all, err := r.m.entries.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			names = append(names, e.Interface)
		}
		return names
	}
	r.eventually("it is written down", func() bool { return slices.Equal(kept(), []string{"e0"}) })
	r.ip("link", "set", "e0", "down")
	r.ip("link", "set", "e0", "name", "x0")
	r.ip("link", "set", "x0", "up")
	r.eventually("the name is followed", func() bool { _, ok := r.host.Interface("x0"); return ok })
	r.set("192.0.2.10")
	r.eventually("the new one is written down", func() bool { return slices.Contains(kept(), "x0") && len(kept()) >= 2 })
	if got := kept(); !slices.Equal(got, []string{"x0", "x0"}) {
		t.Errorf("written down are entries of %v", got)
	}
}

func TestRelabeled(t *testing.T) {
	for _, tt := range []struct{ label, old, name, want string }{
		{"e0", "e0", "x0", "x0"},
		{"e0:vip", "e0", "x0", "x0:vip"},
		{"e0:vip", "e0", "quite-a-long-nm", "quite-a-lon:vip"},
		{"e01", "e0", "x0", "e01"},
		{"other", "e0", "x0", "other"},
		{"", "e0", "x0", ""},
	} {
		if got := relabeled(tt.label, tt.old, tt.name); got != tt.want {
			t.Errorf("%q of %s, now %s: %q, want %q", tt.label, tt.old, tt.name, got, tt.want)
		}
	}
}
