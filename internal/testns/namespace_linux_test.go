package testns_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/isat-project/isat/internal/testns"
)

// current names the network namespace of the calling thread.
func current(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// wantOnlyLoopback checks that the thread sees one interface: lo, up.
func wantOnlyLoopback(t *testing.T) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Name != "lo" || all[0].Flags&net.FlagUp == 0 {
		t.Errorf("interfaces are %v, want lo alone, up", all)
	}
}

func TestRunRestores(t *testing.T) {
	before := current(t)
	ran := false
	testns.Run(t, func() {
		ran = true
		wantOnlyLoopback(t)
		if current(t) == before {
			t.Error("Run did not change the namespace")
		}
	})
	if !ran {
		t.Error("Run did not call the function")
	}
	if now := current(t); now != before {
		t.Errorf("after Run in %s, want %s", now, before)
	}
}

func TestEnterLastsForTheTest(t *testing.T) {
	testns.Require(t)
	before := current(t)
	var inside string
	t.Run("inside", func(t *testing.T) {
		testns.Enter(t)
		inside = current(t)
		wantOnlyLoopback(t)
	})
	if inside == before || inside == "" {
		t.Errorf("Enter left the test in %q, where it was", inside)
	}
	if now := current(t); now != before {
		t.Errorf("after the test in %s, want %s", now, before)
	}
}

func TestDo(t *testing.T) {
	before := current(t)
	a, b := testns.New(t), testns.New(t)
	where := func(ns *testns.NS) (name string) {
		if err := ns.Do(func() error { name = current(t); return nil }); err != nil {
			t.Fatal(err)
		}
		return name
	}
	nameA, nameB := where(a), where(b)
	if nameA == nameB || nameA == before || nameB == before {
		t.Errorf("namespaces %s, %s and %s, want three", before, nameA, nameB)
	}
	if again := where(a); again != nameA {
		t.Errorf("the second Do ran in %s, the first in %s", again, nameA)
	}

	reason := errors.New("reason")
	err := a.Do(func() error {
		// Nested, and a child process is born where its parent's thread is.
		return b.Do(func() error {
			out, err := exec.Command("readlink", "/proc/self/ns/net").Output()
			if err != nil {
				return err
			}
			if got, want := string(out), current(t)+"\n"; got != want {
				t.Errorf("child process in %q, want %q", got, want)
			}
			return reason
		})
	})
	if err != reason {
		t.Errorf("Do returned %v, want the error of the function", err)
	}
	if now := current(t); now != before {
		t.Errorf("after Do in %s, want %s", now, before)
	}

	name, err := os.Readlink(a.Path())
	if err != nil || name != nameA {
		t.Errorf("Path leads to %q, %v, want %s", name, err, nameA)
	}
}
