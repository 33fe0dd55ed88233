package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/lladdr"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	mac    = lladdr.MustParse
)

// byValue compares what go-cmp cannot look into.
var byValue = cmp.Options{
	cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, lladdr.Addr{}),
}

// on returns a rule that answers with the interface's own address.
func on(ifname, p string) Rule { return Rule{Prefix: prefix(p), Interface: ifname} }

func mustAdd(tb testing.TB, r *Rules, rules ...Rule) {
	tb.Helper()
	if err := r.Add(rules...); err != nil {
		tb.Fatal(err)
	}
}

func TestAddRefuses(t *testing.T) {
	with := func(r Rule, change func(*Rule)) Rule {
		change(&r)
		return r
	}
	good := on("e0", "198.51.100.0/24")
	for _, tt := range []struct {
		name string
		rule Rule
		want error
		text string
	}{
		{"no prefix", with(good, func(r *Rule) { r.Prefix = netip.Prefix{} }), syscall.EINVAL, "not an IPv4 prefix"},
		{"IPv6", with(good, func(r *Rule) { r.Prefix = prefix("2001:db8::/32") }), syscall.EINVAL, "not an IPv4 prefix"},
		{"IPv4 in IPv6", with(good, func(r *Rule) { r.Prefix = prefix("::ffff:192.0.2.0/120") }), syscall.EINVAL, "not an IPv4 prefix"},
		{"host bits", with(good, func(r *Rule) { r.Prefix = prefix("198.51.100.7/24") }), syscall.EINVAL, "the network is 198.51.100.0/24"},
		{"no interface", with(good, func(r *Rule) { r.Interface = "" }), syscall.EINVAL, "no interface"},
		{"loopback", with(good, func(r *Rule) { r.Prefix = prefix("127.0.0.0/8") }), syscall.EINVAL, "no host has an address of it"},
		{"multicast", with(good, func(r *Rule) { r.Prefix = prefix("224.0.0.0/4") }), syscall.EINVAL, "no host has an address of it"},
		{"limited broadcast", with(good, func(r *Rule) { r.Prefix = prefix("255.255.255.255/32") }), syscall.EINVAL, "no host has an address of it"},
		{"limited broadcast", with(good, func(r *Rule) { r.Prefix = prefix("255.255.255.255/32") }), syscall.EINVAL, "no host has an address of it"},
		{"unspecified", with(good, func(r *Rule) { r.Prefix = prefix("0.0.0.0/32") }), syscall.EINVAL, "no host has an address of it"},
		{"zero address", with(good, func(r *Rule) { r.MAC = mac("00:00:00:00:00:00") }), syscall.EINVAL, "00:00:00:00:00:00 is no host's"},
		{"broadcast address", with(good, func(r *Rule) { r.MAC = lladdr.Broadcast() }), syscall.EINVAL, "is no host's"},
		{"deny-from IPv6", with(good, func(r *Rule) { r.DenyFrom = []netip.Prefix{prefix("::/0")} }), syscall.EINVAL, "deny-from ::/0: not an IPv4 prefix"},
		{"deny-from host bits", with(good, func(r *Rule) { r.DenyFrom = []netip.Prefix{prefix("192.0.2.66/24")} }), syscall.EINVAL, "deny-from 192.0.2.66/24: host bits are set, the network is 192.0.2.0/24"},
		{"there already", on("e0", "192.0.2.0/24"), syscall.EEXIST, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var rules Rules
			mustAdd(t, &rules, on("e0", "192.0.2.0/24"))
			// A good one before the bad one must not stay.
			err := rules.Add(on("e1", "192.0.2.0/24"), tt.rule)
			if !errors.Is(err, tt.want) || !contains(err, tt.text) {
				t.Errorf("error %v, want one of %v with %q", err, tt.want, tt.text)
			}
			if n := rules.Len(); n != 1 {
				t.Errorf("%d rules after an error, want 1", n)
			}
			if tt.want == syscall.EINVAL {
				if _, err := rules.Set(tt.rule); !errors.Is(err, syscall.EINVAL) {
					t.Errorf("Set: error %v, want EINVAL", err)
				}
			}
		})
	}
}

func TestRulesLookup(t *testing.T) {
	var rules Rules
	if _, ok := rules.Lookup("e0", addr("192.0.2.1")); ok || rules.Len() != 0 || len(rules.List()) != 0 {
		t.Error("a zero Rules is not empty")
	}
	mustAdd(t, &rules, on("e0", "0.0.0.0/0"), on("e0", "198.51.100.0/24"), on("e0", "198.51.100.128/25"), on("e0", "198.51.100.129/32"), on("e1", "198.51.100.0/24"))
	for _, tt := range []struct{ ifname, ip, want string }{
		{"e0", "203.0.113.1", "0.0.0.0/0"},
		{"e0", "198.51.100.1", "198.51.100.0/24"},
		{"e0", "198.51.100.128", "198.51.100.128/25"},
		{"e0", "198.51.100.129", "198.51.100.129/32"},
		{"e1", "198.51.100.129", "198.51.100.0/24"},
		{"e1", "203.0.113.1", ""},
		{"e2", "198.51.100.1", ""},
		{"", "198.51.100.1", ""},
		{"e0", "2001:db8::1", ""},
	} {
		got, ok := rules.Lookup(tt.ifname, addr(tt.ip))
		if ok != (tt.want != "") || ok && got.Prefix != prefix(tt.want) {
			t.Errorf("Lookup(%q, %s) = %v, %t, want %q", tt.ifname, tt.ip, got.Prefix, ok, tt.want)
		}
	}
	if _, ok := rules.Lookup("e0", netip.Addr{}); ok {
		t.Error("the zero Addr has a rule")
	}
}

func TestSetAndRemove(t *testing.T) {
	var rules Rules
	r := on("e0", "198.51.100.0/24")
	if created, err := rules.Set(r); !created || err != nil {
		t.Fatalf("Set = %t, %v, want true", created, err)
	}
	r.MAC, r.DenyFrom = mac("02:00:00:00:00:09"), []netip.Prefix{prefix("192.0.2.66/32")}
	if created, err := rules.Set(r); created || err != nil {
		t.Fatalf("Set again = %t, %v, want false", created, err)
	}
	other := on("e1", "198.51.100.0/24")
	mustAdd(t, &rules, other, on("e0", "0.0.0.0/0"))
	want := []Rule{on("e0", "0.0.0.0/0"), r, other}
	if diff := cmp.Diff(want, rules.List(), byValue); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for _, wrong := range []Rule{on("e1", "0.0.0.0/0"), on("e2", "198.51.100.0/24"), on("e0", "198.51.100.0/25"), {}} {
		if err := rules.Remove(wrong.Interface, wrong.Prefix); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("Remove(%q, %v): error %v, want ENXIO", wrong.Interface, wrong.Prefix, err)
		}
	}
	if err := rules.Remove("e0", r.Prefix); err != nil {
		t.Fatal(err)
	}
	if got, ok := rules.Lookup("e0", addr("198.51.100.1")); !ok || got.Prefix.Bits() != 0 {
		t.Errorf("after Remove the shorter prefix does not hold: %v, %t", got.Prefix, ok)
	}
	if err := rules.Remove("e1", other.Prefix); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Rule{on("e0", "0.0.0.0/0")}, rules.List(), byValue); diff != "" {
		t.Errorf("List after Remove (-want +got):\n%s", diff)
	}
	if _, ok := rules.load().links["e1"]; ok {
		t.Error("the empty table of an interface stays")
	}
}

// What the caller does with its slices after Add, or with those it was given,
// changes no rule.
func TestRulesAreCopies(t *testing.T) {
	var rules Rules
	deny := []netip.Prefix{prefix("192.0.2.66/32")}
	r := on("e0", "198.51.100.0/24")
	r.DenyFrom = deny
	mustAdd(t, &rules, r)
	deny[0] = prefix("0.0.0.0/0")
	rules.List()[0].DenyFrom[0] = prefix("0.0.0.0/0")
	got, _ := rules.Lookup("e0", addr("198.51.100.1"))
	got.DenyFrom[0] = prefix("0.0.0.0/0")
	r.DenyFrom = []netip.Prefix{prefix("192.0.2.66/32")}
	if diff := cmp.Diff([]Rule{r}, rules.List(), byValue); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// Readers see each set whole: a batch is there altogether or not at all.
func TestConcurrentChanges(t *testing.T) {
	var rules Rules
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if n := rules.Len(); n%2 != 0 {
					t.Errorf("half a batch is there: %d rules", n)
					return
				}
				rules.Lookup("e0", addr("10.0.0.1"))
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 200 {
				p := fmt.Sprintf("10.%d.%d.0/24", w, i)
				if err := rules.Add(on("e0", p), on("e1", p)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if n := rules.Len(); n != 800 {
		t.Errorf("%d rules, want 800: a change was lost", n)
	}
}

// A set that a reader has does not change, however the next one is made.
func TestSetsNeverChange(t *testing.T) {
	var rules Rules
	mustAdd(t, &rules, on("e0", "10.0.0.0/8"), on("e1", "10.0.0.0/8"))
	old := rules.load()
	mustAdd(t, &rules, on("e0", "10.1.0.0/16"), on("e0", "10.2.0.0/16"), on("e2", "10.0.0.0/8"))
	mustAdd(t, &rules, on("e1", "10.1.0.0/16"))
	if _, err := rules.Set(on("e1", "10.2.0.0/16")); err != nil {
		t.Fatal(err)
	}
	if err := rules.Remove("e1", prefix("10.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ ifname, ip, want string }{
		{"e0", "10.1.0.1", "10.0.0.0/8"}, {"e0", "10.2.0.1", "10.0.0.0/8"},
		{"e1", "10.1.0.1", "10.0.0.0/8"}, {"e1", "10.2.0.1", "10.0.0.0/8"},
	} {
		if in := old.lookup(tt.ifname, addr(tt.ip)); in == nil || in.Prefix != prefix(tt.want) {
			t.Errorf("%s on %s: %+v, want the rule for %s", tt.ip, tt.ifname, in, tt.want)
		}
	}
	if old.lookup("e2", addr("10.0.0.1")) != nil {
		t.Error("an interface came into an old set")
	}
}
