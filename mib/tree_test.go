package mib

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The names that several tests use: a timer, a limit and a switch.
const (
	maxAge   = "net.link.ether.inet.max_age"
	maxHold  = "net.link.ether.inet.maxhold"
	proxyAll = "net.link.ether.inet.proxyall"
)

func mustSet(t *testing.T, tree *Tree, name, ifname string, v int64) {
	t.Helper()
	if err := tree.Set(name, ifname, v); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, tree *Tree, name, ifname string) int64 {
	t.Helper()
	v, err := tree.Get(name, ifname)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTable has INTERFACES section 4 once more, so that a slip in the table of
// the package shows.
func TestTable(t *testing.T) {
	const unlimited = maxSeconds
	want := []struct {
		name          string
		def, min, max int64
		unit          Unit
		perInterface  bool
	}{
		{"net.link.ether.arp.broadcast_interval", 15000, 0, 3600000, Milliseconds, true},
		{"net.link.ether.arp.conflict_window", 30, 0, 999999, Seconds, true},
		{"net.link.ether.arp.defend_interval", 300000, 0, 3600000, Milliseconds, true},
		{"net.link.ether.arp.defend_period", 3600, 5, 86400, Seconds, true},
		{"net.link.ether.arp.defend_rate", 100, 0, 20000, Number, true},
		{"net.link.ether.arp.dup_recovery", 300000, 0, 3600000, Milliseconds, true},
		{"net.link.ether.arp.fastprobe_count", 3, 0, 20, Number, true},
		{"net.link.ether.arp.fastprobe_delay", 100, 0, 20000, Milliseconds, true},
		{"net.link.ether.arp.fastprobe_interval", 150, 10, 20000, Milliseconds, true},
		{"net.link.ether.arp.log_level", 6, 0, 7, Number, false},
		{"net.link.ether.arp.max_defend", 3, 0, 1000, Number, true},
		{"net.link.ether.arp.max_temp_defend", 1, 0, 1000, Number, true},
		{"net.link.ether.arp.probe_count", 3, 0, 20, Number, true},
		{"net.link.ether.arp.probe_delay", 1000, 0, 20000, Milliseconds, true},
		{"net.link.ether.arp.probe_interval", 1500, 10, 20000, Milliseconds, true},
		{"net.link.ether.arp.publish_count", 5, 1, 20, Number, true},
		{"net.link.ether.arp.publish_interval", 2000, 1000, 20000, Milliseconds, true},
		{"net.link.ether.inet.allow_multicast", 0, 0, 1, Number, false},
		{"net.link.ether.inet.garp_rexmit_count", 0, 0, 16, Number, true},
		{"net.link.ether.inet.log_arp_movements", 1, 0, 1, Number, false},
		{"net.link.ether.inet.log_arp_permanent_modify", 1, 0, 1, Number, false},
		{"net.link.ether.inet.log_arp_wrong_iface", 1, 0, 1, Number, false},
		{"net.link.ether.inet.max_age", 1200, 1, unlimited, Seconds, true},
		{"net.link.ether.inet.max_entries", 65536, 1, 16777216, Number, true},
		{"net.link.ether.inet.max_log_per_second", 1, 0, 1000, Number, true},
		{"net.link.ether.inet.maxhold", 1, 1, 4096, Number, true},
		{"net.link.ether.inet.maxtries", 5, 1, 255, Number, true},
		{"net.link.ether.inet.proxy_probes", 0, 0, 1, Number, false},
		{"net.link.ether.inet.proxyall", 0, 0, 1, Number, false},
		{"net.link.ether.inet.unarp", 0, 0, 1, Number, false},
		{"net.link.ether.inet.useloopback", 1, 0, 1, Number, false},
		{"net.link.ether.inet.wait", 20, 1, unlimited, Seconds, true},
	}
	nodes := New().Nodes()
	if len(nodes) != len(want) {
		t.Fatalf("%d nodes, want %d", len(nodes), len(want))
	}
	for i, w := range want { // in the order of their names, as Nodes promises
		n := nodes[i]
		if n.Description == "" || strings.HasSuffix(n.Description, ".") {
			t.Errorf("%s: description %q", n.Name, n.Description)
		}
		n.Description = ""
		if diff := cmp.Diff(Node{Name: w.name, Default: w.def, Min: w.min, Max: w.max, Unit: w.unit, PerInterface: w.perInterface}, n); diff != "" {
			t.Errorf("node %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestRanges tries both ends of every range, and one beyond each.
func TestRanges(t *testing.T) {
	for _, n := range New().Nodes() {
		t.Run(n.Name, func(t *testing.T) {
			scopes := []string{""}
			if n.PerInterface {
				scopes = append(scopes, "eth0")
			}
			for _, ifname := range scopes {
				tree := New()
				if got := get(t, tree, n.Name, ifname); got != n.Default {
					t.Errorf("default on %q is %d, want %d", ifname, got, n.Default)
				}
				for _, v := range []int64{n.Min, n.Max} {
					mustSet(t, tree, n.Name, ifname, v)
					if got := get(t, tree, n.Name, ifname); got != v {
						t.Errorf("on %q is %d after %d was set", ifname, got, v)
					}
				}
				for _, v := range []int64{n.Min - 1, n.Max + 1} {
					err := tree.Set(n.Name, ifname, v)
					if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), n.Range()) {
						t.Errorf("Set(%d) on %q: %v, want EINVAL with %q", v, ifname, err, n.Range())
					}
					if got := get(t, tree, n.Name, ifname); got != n.Max {
						t.Errorf("refused value changed %d to %d", n.Max, got)
					}
				}
			}
		})
	}
}

func TestErrors(t *testing.T) {
	tree := New()
	tree.AddCounter(StatsPrefix+"txrequests", "requests sent", func() uint64 { return 7 })
	read := func(name, ifname string) error { _, err := tree.Get(name, ifname); return err }
	describe := func(name string) error { _, err := tree.Node(name); return err }
	for _, tt := range []struct {
		name  string
		err   error
		errno syscall.Errno
		want  string
	}{
		{"out of range", tree.Set(maxAge, "", 0), syscall.EINVAL,
			"setting net.link.ether.inet.max_age: 0 is out of range 1 to 2147483 seconds: "},
		{"out of range on an interface", tree.Set(maxHold, "eth0", 5000), syscall.EINVAL,
			"setting net.link.ether.inet.maxhold of eth0: 5000 is out of range 1 to 4096: "},
		{"switch", tree.Set(proxyAll, "", 2), syscall.EINVAL,
			"setting net.link.ether.inet.proxyall: 2 is out of range 0 or 1: "},
		{"switch of an interface", tree.Set(proxyAll, "eth0", 1), syscall.EINVAL,
			"setting net.link.ether.inet.proxyall of eth0: an interface has no value of its own: "},
		{"reset of a switch of an interface", tree.Reset(proxyAll, "eth0"), syscall.EINVAL, "no value of its own"},
		{"set counter", tree.Set(StatsPrefix+"txrequests", "", 0), syscall.EPERM, "read-only: "},
		{"reset counter", tree.Reset(StatsPrefix+"txrequests", ""), syscall.EPERM, "read-only: "},
		{"counter of an interface", read(StatsPrefix+"txrequests", "eth0"), syscall.EINVAL, "whole host"},
		{"unknown set", tree.Set("net.link.ether.inet.maxage", "", 1), syscall.ENOENT,
			"setting net.link.ether.inet.maxage: no such node, did you mean net.link.ether.inet.max_age? "},
		{"unknown reset", tree.Reset("kern.ostype", ""), syscall.ENOENT, "setting kern.ostype: no such node: "},
		{"unknown get", read("max_age", ""), syscall.ENOENT,
			"reading max_age: no such node, did you mean net.link.ether.inet.max_age? "},
		{"unknown node", describe("net.link.ether.arp.stats.txrequest"), syscall.ENOENT, "did you mean net.link.ether.arp.stats.txrequests? "},
		{"empty name", read("", ""), syscall.ENOENT, "no such node: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !errors.Is(tt.err, tt.errno) || !strings.Contains(tt.err.Error(), tt.want) {
				t.Errorf("error %q, want %q wrapping %v", tt.err, tt.want, tt.errno)
			}
		})
	}
	if tree.IsSet(maxHold, "eth0") || tree.IsSet(maxAge, "") {
		t.Error("a refused value counts as set")
	}
}

func TestOverride(t *testing.T) {
	tree := New()
	mustSet(t, tree, maxAge, "eth0", 60)
	mustSet(t, tree, maxAge, "", 600)
	for ifname, want := range map[string]int64{"": 600, "eth0": 60, "eth1": 600} {
		if got := get(t, tree, maxAge, ifname); got != want {
			t.Errorf("on %q %d, want %d", ifname, got, want)
		}
	}
	if err := tree.Reset(maxAge, "eth0"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, tree, maxAge, "eth0"); got != 600 {
		t.Errorf("after the reset of the interface %d, want that of the host, 600", got)
	}
	if err := tree.Reset(maxAge, ""); err != nil {
		t.Fatal(err)
	}
	if got := get(t, tree, maxAge, "eth0"); got != 1200 {
		t.Errorf("after the reset of the host %d, want the default, 1200", got)
	}
	if err := tree.Reset(maxAge, "eth0"); err != nil {
		t.Errorf("reset of what is not set: %v", err)
	}
}

// TestIsSet matters for maxhold: the kernel's queue is left alone unless the
// node is set for that very interface.
func TestIsSet(t *testing.T) {
	tree := New()
	mustSet(t, tree, maxHold, "", 1) // the default value, but chosen
	mustSet(t, tree, maxHold, "eth0", 1)
	for _, tt := range []struct {
		name, ifname string
		want         bool
	}{
		{maxHold, "", true},
		{maxHold, "eth0", true},
		{maxHold, "eth1", false},
		{maxAge, "eth0", false},
		{"no.such.node", "eth0", false},
	} {
		if got := tree.IsSet(tt.name, tt.ifname); got != tt.want {
			t.Errorf("IsSet(%q, %q) = %v", tt.name, tt.ifname, got)
		}
	}
	if err := tree.Reset(maxHold, "eth0"); err != nil {
		t.Fatal(err)
	}
	if tree.IsSet(maxHold, "eth0") {
		t.Error("still set after Reset")
	}
}

func TestCounter(t *testing.T) {
	tree := New()
	var sent uint64
	name := StatsPrefix + "txrequests"
	tree.AddCounter(name, "requests sent", func() uint64 {
		get(t, tree, maxAge, "") // would hang if the lock were held
		return sent
	})
	sent = 41
	if got := get(t, tree, name, ""); got != 41 {
		t.Errorf("counter reads %d, want 41", got)
	}
	n, err := tree.Node(name)
	if want := (Node{Name: name, ReadOnly: true, Description: "requests sent"}); err != nil || n != want {
		t.Errorf("node %+v, %v, want %+v", n, err, want)
	}
	for _, bad := range []string{name, "net.link.ether.inet.txrequests", StatsPrefix, ""} {
		t.Run("refused "+bad, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("AddCounter(%q) did not panic", bad)
				}
			}()
			tree.AddCounter(bad, "", func() uint64 { return 0 })
		})
	}
}

func TestWalk(t *testing.T) {
	tree := New()
	for _, name := range []string{"rxreplies", "dropped.short", "dropped.loop"} {
		tree.AddCounter(StatsPrefix+name, "", func() uint64 { return 0 })
	}
	for _, tt := range []struct {
		under string
		want  []string
	}{
		{"net.link.ether.arp.stats", []string{StatsPrefix + "dropped.loop", StatsPrefix + "dropped.short", StatsPrefix + "rxreplies"}},
		{"net.link.ether.arp.stats.dropped", []string{StatsPrefix + "dropped.loop", StatsPrefix + "dropped.short"}},
		{"net.link.ether.inet.max_age", []string{maxAge}},
		{"net.link.ether.inet.max", nil}, // no part of a word
		{"kern", nil},
	} {
		var got []string
		for n := range tree.Walk(tt.under) {
			got = append(got, n.Name)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Walk(%q) (-want +got):\n%s", tt.under, diff)
		}
	}
	if all := slices.Collect(tree.Walk("")); !slices.Equal(all, tree.Nodes()) {
		t.Error(`Walk("") is not all nodes`)
	}
	for range tree.Walk("") {
		break // must not yield again
	}
}

// TestConcurrency is for the race detector: everything at once, and in the end
// no change was lost.
func TestConcurrency(t *testing.T) {
	tree := New()
	var mu sync.Mutex
	last := map[string]int64{}
	tree.OnChange(func(c Change) {
		mu.Lock()
		defer mu.Unlock()
		if c.Old != last[c.Interface] && last[c.Interface] != 0 {
			t.Errorf("change from %d after one to %d on %q", c.Old, last[c.Interface], c.Interface)
		}
		last[c.Interface] = c.New
	})
	ifnames := []string{"eth0", "eth1", "eth2"}
	for _, ifname := range ifnames {
		mustSet(t, tree, maxAge, ifname, 1) // from here on independent of the host's
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for v := range int64(500) {
				ifname := ifnames[(int64(i)+v)%3]
				if err := tree.Set(maxAge, ifname, v+1); err != nil {
					t.Error(err)
				}
				if _, err := tree.Get(maxAge, ifname); err != nil {
					t.Error(err)
				}
				if s := tree.Settings(ifname); s.MaxAge <= 0 {
					t.Errorf("MaxAge %v", s.MaxAge)
				}
				tree.Settings("eth9")
				tree.Nodes()
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	for _, ifname := range ifnames {
		if got := get(t, tree, maxAge, ifname); got != last[ifname] {
			t.Errorf("%s has %d, the last notification said %d", ifname, got, last[ifname])
		}
	}
}
