package mib

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnChange(t *testing.T) {
	tree := New()
	var got []Change
	stop := tree.OnChange(func(c Change) { got = append(got, c) })

	reset := func(name, ifname string) {
		t.Helper()
		if err := tree.Reset(name, ifname); err != nil {
			t.Fatal(err)
		}
	}
	mustSet(t, tree, maxAge, "", 600)
	mustSet(t, tree, maxAge, "", 600) // set already: no change
	mustSet(t, tree, maxAge, "eth0", 600)
	mustSet(t, tree, maxAge, "eth0", 60)
	reset(maxAge, "eth0")
	reset(maxAge, "eth0") // not set: no change
	if err := tree.Set(maxAge, "", 0); err == nil {
		t.Fatal("0 was accepted")
	}
	reset(maxAge, "")
	mustSet(t, tree, maxHold, "eth1", 1)

	want := []Change{
		{Name: maxAge, Old: 1200, New: 600, IsSet: true},
		{Name: maxAge, Interface: "eth0", Old: 600, New: 600, IsSet: true}, // the same, but of its own now
		{Name: maxAge, Interface: "eth0", Old: 600, New: 60, IsSet: true},
		{Name: maxAge, Interface: "eth0", Old: 60, New: 600},
		{Name: maxAge, Old: 600, New: 1200},
		{Name: maxHold, Interface: "eth1", Old: 1, New: 1, IsSet: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}

	stop()
	stop() // harmless
	mustSet(t, tree, maxAge, "", 700)
	if len(got) != len(want) {
		t.Errorf("called after stop: %+v", got[len(want):])
	}
}

// TestOnChangeSees checks that a subscriber finds the tree changed already.
func TestOnChangeSees(t *testing.T) {
	tree := New()
	called := false
	tree.OnChange(func(c Change) {
		called = true
		if got := get(t, tree, c.Name, c.Interface); got != c.New {
			t.Errorf("Get gives %d in the call about %d", got, c.New)
		}
		if got := tree.Settings(c.Interface).MaxHold; int64(got) != c.New {
			t.Errorf("Settings gives %d in the call about %d", got, c.New)
		}
	})
	mustSet(t, tree, maxHold, "eth0", 8)
	if !called {
		t.Error("not called when Set returned")
	}
}

// TestOnChangeSets has a subscriber that makes a change itself: everybody sees
// first the one, then the other.
func TestOnChangeSets(t *testing.T) {
	tree := New()
	var first, second []string
	tree.OnChange(func(c Change) {
		first = append(first, c.Name)
		if c.Name == maxAge {
			mustSet(t, tree, maxHold, "", 2)
		}
	})
	tree.OnChange(func(c Change) { second = append(second, c.Name) })
	mustSet(t, tree, maxAge, "", 60)
	want := []string{maxAge, maxHold}
	if diff := cmp.Diff([][]string{want, want}, [][]string{first, second}); diff != "" {
		t.Errorf("order of calls (-want +got):\n%s", diff)
	}
}
