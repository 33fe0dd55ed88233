package takeover

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/isat-project/isat/host"
)

// With down = "interface" the interface goes down, and is set up by whoever comes.
func TestInterfaceDown(t *testing.T) {
	isUp := func() bool {
		out, err := exec.Command("ip", "link", "show", "e0").Output()
		return err == nil && strings.Contains(string(out), ",UP")
	}
	prepare := func(t *testing.T) (r *ownRig, before string) {
		r = newOwnRig(t, DownInterface, everything...)
		before = r.state()
		r.told(host.Withdrawn, "192.0.2.2/24")
		if isUp() {
			t.Fatal("e0 is up")
		}
		return r, before
	}
	t.Run("by the administrator", func(t *testing.T) {
		r, before := prepare(t)
		r.ip("link", "set", "e0", "up")
		r.eventually("detection begins anew", func() bool {
			r.m.mu.Lock()
			defer r.m.mu.Unlock()
			return len(r.m.down) == 0
		})
		r.requireState(before, "when it is up again")
		r.requireRecords(0)
		r.ip("link", "set", "e0", "down") // this is no business of isat's
		r.stop()
		if isUp() {
			t.Error("isat has set an interface up that the administrator has set down")
		}
	})
	t.Run("at the end", func(t *testing.T) {
		r, before := prepare(t)
		r.stop()
		r.requireState(before, "after the end")
	})
	t.Run("by restore", func(t *testing.T) {
		r, before := prepare(t)
		r.crash()
		// The crash was an orderly end, as far as the interface is concerned.
		r.ip("link", "set", "e0", "down")
		if err := Restore(t.Context(), r.dir, nil, func(string) {}); err != nil {
			t.Fatal(err)
		}
		r.requireState(before, "after isat restore")
	})
	t.Run("by nobody yet", func(t *testing.T) {
		r, before := prepare(t)
		r.crash()
		r.ip("link", "set", "e0", "down")
		r.start(Spec{Name: "e0", DAD: true, Down: DownInterface})
		if isUp() {
			t.Error("the next daemon has set it up")
		}
		r.stop()
		r.requireState(before, "after its end")
	})
}

// What was taken down of an interface that goes is forgotten, by a manager and by
// isat restore.
func TestInterfaceGoes(t *testing.T) {
	for _, down := range []Down{DownAddress, DownInterface} {
		t.Run(down.String(), func(t *testing.T) {
			r := newOwnRig(t, down, everything...)
			r.told(host.Withdrawn, "192.0.2.1/24", "10.0.0.1/8")
			r.requireRecords(2)
			r.ip("link", "delete", "e0")
			r.eventually("it is forgotten", func() bool {
				r.m.mu.Lock()
				defer r.m.mu.Unlock()
				return len(r.m.down) == 0 && len(r.m.addressed) == 0
			})
			r.requireRecords(0)
			if got := unverifiedSet(t); got != "none" {
				t.Errorf("there is still a rule for %s", got)
			}
		})
	}
	t.Run("restore", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, everything...)
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.crash()
		r.ip("link", "delete", "e0")
		var said string
		for range 2 {
			if err := Restore(t.Context(), r.dir, nil, func(line string) { said += line + "\n" }); err != nil {
				t.Fatal(err)
			}
		}
		if want := "address 192.0.2.1/24 of e0: not put back: its interface is gone\n"; strings.Count(said, want) != 1 {
			t.Errorf("it says %q, want %q once", said, want)
		}
	})
}
