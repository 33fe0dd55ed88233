package mib

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/event"
)

// defaults is INTERFACES section 4 in the types of [Settings].
var defaults = Settings{
	MaxAge: 20 * time.Minute, Wait: 20 * time.Second,
	MaxTries: 5, MaxHold: 1, MaxLogPerSecond: 1, GarpRexmitCount: 0, MaxEntries: 65536,
	UseLoopback: true, LogWrongIface: true, LogMovements: true, LogPermanentModify: true,
	LogLevel: event.Info,
	ACD: ACD{
		ProbeDelay: time.Second, ProbeInterval: 1500 * time.Millisecond, ProbeCount: 3,
		FastProbeDelay: 100 * time.Millisecond, FastProbeInterval: 150 * time.Millisecond, FastProbeCount: 3,
		PublishInterval: 2 * time.Second, PublishCount: 5,
		DefendInterval: 5 * time.Minute, DefendRate: 100, DefendPeriod: time.Hour,
		BroadcastInterval: 15 * time.Second, DupRecovery: 5 * time.Minute,
		MaxDefend: 3, MaxTempDefend: 1, ConflictWindow: 30 * time.Second,
	},
}

func TestSettingsDefault(t *testing.T) {
	for _, ifname := range []string{"", "eth0"} {
		if diff := cmp.Diff(defaults, *New().Settings(ifname)); diff != "" {
			t.Errorf("Settings(%q) (-want +got):\n%s", ifname, diff)
		}
	}
}

// TestSettingsField checks that every tunable has a field of its own: setting it
// changes the snapshot in just one place, and no field is without a tunable.
func TestSettingsField(t *testing.T) {
	changed := map[string]string{} // field to node
	for _, n := range New().Nodes() {
		tree := New()
		v := n.Max
		if v == n.Default {
			v = n.Min
		}
		mustSet(t, tree, n.Name, "", v)
		got := differences(reflect.ValueOf(defaults), reflect.ValueOf(*tree.Settings("")), "")
		if len(got) != 1 {
			t.Errorf("%s changes the fields %v, want one", n.Name, got)
			continue
		}
		if other, ok := changed[got[0]]; ok {
			t.Errorf("%s and %s both change %s", n.Name, other, got[0])
		}
		changed[got[0]] = n.Name
	}
	fields := reflect.TypeFor[Settings]().NumField() - 1 + reflect.TypeFor[ACD]().NumField()
	if len(changed) != fields {
		t.Errorf("%d of %d fields have a tunable", len(changed), fields)
	}
}

// differences returns the paths of the fields in which two structs differ.
func differences(a, b reflect.Value, path string) (paths []string) {
	for i := range a.NumField() {
		name := path + a.Type().Field(i).Name
		switch {
		case a.Field(i).Kind() == reflect.Struct:
			paths = append(paths, differences(a.Field(i), b.Field(i), name+".")...)
		case !a.Field(i).Equal(b.Field(i)):
			paths = append(paths, name)
		}
	}
	return paths
}

func TestSettingsOverride(t *testing.T) {
	tree := New()
	before := tree.Settings("eth0")
	mustSet(t, tree, maxAge, "eth0", 60)
	mustSet(t, tree, maxHold, "", 16) // reaches interfaces with values of their own too
	mustSet(t, tree, proxyAll, "", 1)

	want := defaults
	want.MaxHold, want.ProxyAll = 16, true
	for _, ifname := range []string{"", "eth1"} {
		if diff := cmp.Diff(want, *tree.Settings(ifname)); diff != "" {
			t.Errorf("Settings(%q) (-want +got):\n%s", ifname, diff)
		}
	}
	want.MaxAge = time.Minute
	if diff := cmp.Diff(want, *tree.Settings("eth0")); diff != "" {
		t.Errorf("Settings(eth0) (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(defaults, *before); diff != "" {
		t.Errorf("a snapshot taken earlier changed (-want +got):\n%s", diff)
	}

	if err := tree.Reset(maxAge, "eth0"); err != nil {
		t.Fatal(err)
	}
	if tree.Settings("eth0") != tree.Settings("") {
		t.Error("an interface without values of its own has a snapshot of its own")
	}
}

func TestSettingsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	tree := New()
	mustSet(t, tree, maxAge, "eth0", 60)
	var sum time.Duration
	if n := testing.AllocsPerRun(100, func() {
		sum += tree.Settings("eth0").MaxAge + tree.Settings("eth1").MaxAge + tree.Settings("").MaxAge
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSettings(b *testing.B) {
	tree := New()
	if err := tree.Set(maxAge, "eth0", 60); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if tree.Settings("eth0").MaxAge != time.Minute {
			b.Fatal("wrong snapshot")
		}
	}
}
