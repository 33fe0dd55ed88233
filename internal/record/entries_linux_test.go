//go:build linux

package record

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/lladdr"
)

// entries opens the entries in a directory.
func entries(t *testing.T, dir string, scope Scope) *Entries {
	t.Helper()
	e, err := OpenEntries(dir, scope)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func save(t *testing.T, e *Entries, list ...Entry) {
	t.Helper()
	if err := e.Save(list); err != nil {
		t.Fatal(err)
	}
}

// requireEntries fails unless exactly these are loaded.
func requireEntries(t *testing.T, e *Entries, want ...Entry) {
	t.Helper()
	got, err := e.Load()
	if err != nil {
		t.Fatal(err)
	}
	comparable := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, lladdr.Addr{})}
	if diff := cmp.Diff(want, got, comparable); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestEntriesComeBackAsSaved(t *testing.T) {
	list := []Entry{
		{Interface: "eth0", IP: netip.MustParseAddr("192.0.2.9"), MAC: lladdr.MustParse("02:00:00:00:00:09")},
		{Interface: "eth0", IP: netip.MustParseAddr("192.0.2.8"), MAC: lladdr.MustParse("00:00:00:00:00:00"), Published: true, Authority: true},
		{Interface: "arc0", IP: netip.MustParseAddr("198.51.100.7"), MAC: lladdr.MustParse("0a"), Published: true, PublishOnly: true, Probed: true},
		{Interface: "eth1", IP: netip.MustParseAddr("192.0.2.7"), Action: "blackhole", Expires: time.Date(2026, 8, 1, 12, 0, 0, 5, time.UTC)},
	}
	dir := t.TempDir()
	requireEntries(t, entries(t, dir, here))
	save(t, entries(t, dir, here), list...)
	requireEntries(t, entries(t, dir, here), list...)
	save(t, entries(t, dir, here), list[1])
	requireEntries(t, entries(t, dir, here), list[1])
	save(t, entries(t, dir, here))
	requireEntries(t, entries(t, dir, here))
}

func TestEntriesOfOtherScopes(t *testing.T) {
	a := Entry{Interface: "a", IP: netip.MustParseAddr("192.0.2.1"), MAC: lladdr.MustParse("02:00:00:00:00:01")}
	b := Entry{Interface: "b", IP: netip.MustParseAddr("192.0.2.2"), MAC: lladdr.MustParse("02:00:00:00:00:02")}
	dir := t.TempDir()
	save(t, entries(t, dir, earlier), a)
	save(t, entries(t, dir, there), b)
	requireEntries(t, entries(t, dir, here)) // they ended with the boot, or are another namespace's
	save(t, entries(t, dir, here), a)
	requireEntries(t, entries(t, dir, there), b)
	requireEntries(t, entries(t, dir, here), a)
	requireEntries(t, entries(t, dir, earlier)) // dropped
}
