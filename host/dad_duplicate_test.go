package host_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// duplicate is a host whose candidate was found to be the stranger's.
func (l *lan) duplicate(policy acd.Policy, change ...func(*host.InterfaceConfig)) (*node, *stranger) {
	l.t.Helper()
	n, s := l.watching(change...), l.stranger(macPeer)
	n.assign(l.t, candidate, func(a *host.Address) { a.Policy = policy })
	s.claim()
	n.in(l.t, candidate, acd.Duplicate)
	l.forget()
	return n, s
}

// TestDADDuplicate is facts/solaris-arp-ipmp.md 3.4, steps 1 and 2: the diagnostic,
// and that the address is the host's no more.
func TestDADDuplicate(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.duplicate(acd.Policy{})
		n.SetLocal([]host.Address{{Prefix: prefix("192.0.2.1/32")}, {Prefix: prefix(candidate + "/32")}}) // the kernel has not taken it down
		const line = "e0 has duplicate address 192.0.2.5 (in use by 02:00:00:00:00:02); disabled."
		if e := n.seen(event.Duplicate); len(e) != 1 || e[0].Message != line || e[0].Severity != event.Warning || e[0].MAC != s.mac || e[0].Interface != "e0" {
			t.Errorf("%+v, want %q", e, line)
		}
		if n.count(event.Conflict) != 0 {
			t.Error("a conflict, too")
		}
		if o := n.ownAddress(candidate); o.Usage != host.Withdrawn || o.Owner != s.mac {
			t.Errorf("%+v", o)
		}
		if slices.ContainsFunc(n.ifc.Addresses(), func(a host.Address) bool { return a.Prefix.Addr() == ip(candidate) }) {
			t.Error("it is an own address")
		}
		s.ask(candidate, "192.0.2.9")
		l.expect(n, "asked for it")
		n.ifc.Demand([]host.Miss{{IP: ip("192.0.2.99"), Source: ip(candidate)}})
		l.expect(n, "asking with it preferred", "ask 192.0.2.99 tell 192.0.2.1")
		err := n.ifc.Announce(ip(candidate))
		if !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.HasPrefix(err.Error(), "announcing 192.0.2.5: it is withdrawn from e0, because 02:00:00:00:00:02 has it") {
			t.Errorf("announcing it: %v", err)
		}
		// Nor does a rule of proxying answer for it.
		if err := n.Proxies().Add(proxy.Rule{Prefix: prefix("192.0.2.0/28"), Interface: "e0"}); err != nil {
			t.Fatal(err)
		}
		l.stranger(macThird).ask(candidate, "192.0.2.9")
		l.expect(n, "asked for it, with a rule")
		// Its owner is a neighbour.
		s.ask("192.0.2.1", candidate)
		l.expect(n, "asked by its owner", "reply 192.0.2.1")
		if e := n.entry(t, candidate); e.MAC != s.mac || e.Own {
			t.Errorf("%+v", e)
		}
		if n.Stats().DupIPs != 1 {
			t.Errorf("dupips %d", n.Stats().DupIPs)
		}
	})
}

// TestDADDuplicateNetwork: the connected network goes with its only address, and
// comes back with it.
func TestDADDuplicateNetwork(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.watching(), l.stranger(macPeer)
		if err := n.ifc.SetAddresses(append(n.ifc.Addresses(), host.Address{Prefix: prefix("198.51.100.5/24")})); err != nil {
			t.Fatal(err)
		}
		there := func() bool { _, ok := n.Connected(ip("198.51.100.99")); return ok }
		if !there() {
			t.Error("no network of an address that is probed")
		}
		s.ask("198.51.100.5", "198.51.100.5")
		if there() {
			t.Error("the network of a withdrawn address")
		}
		time.Sleep(7 * time.Minute)
		n.in(t, "198.51.100.5", acd.Verified)
		if !there() {
			t.Error("no network of the restored address")
		}
		s.ask("192.0.2.1", "198.51.100.255")
		if n.Stats().Drops[host.DropBroadcastAddress] != 1 {
			t.Error("its broadcast address is not known")
		}
	})
}

// TestDADRecovery is 3.4 steps 3 to 5.
func TestDADRecovery(t *testing.T) {
	// try returns when the first probe after a conflict was sent, and the tries.
	tries := func(l *lan, n *node, d time.Duration) (first time.Duration, probes int) {
		l.t.Helper()
		start := time.Now()
		time.Sleep(d)
		at := l.times(n, start, "probe "+candidate)
		if len(at) > 0 {
			first = at[0]
		}
		return first, len(at)
	}
	t.Run("after dup_recovery", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.duplicate(acd.Policy{})
			s.ask("192.0.2.1", candidate) // it is a neighbour
			first, probes := tries(l, n, 7*time.Minute)
			within(t, "the first try", first, 4*time.Minute, 6*time.Minute+time.Second)
			if probes != 3 {
				t.Errorf("%d probes", probes)
			}
			if o := n.ownAddress(candidate); o.State != acd.Verified || o.Usage != host.Usable || o.Owner.IsValid() {
				t.Errorf("%+v", o)
			}
			if e := n.seen(event.Recovered); len(e) != 1 || e[0].Message != "Recovered address 192.0.2.5 on e0." || e[0].Severity != event.Notice || e[0].MAC != n.mac {
				t.Errorf("%+v", e)
			}
			if n.count(event.Verified) != 0 {
				t.Error("an event verified, too")
			}
			if e := n.entry(t, candidate); !e.Own {
				t.Errorf("the neighbour's entry is there: %+v", e)
			}
			if a := n.ifc.Addresses(); len(a) != 2 || a[1].Prefix != prefix(candidate+"/24") {
				t.Errorf("addresses %v", a)
			}
			l.forget()
			s.ask(candidate, "192.0.2.9")
			if got := l.did(n); count(got, "reply "+candidate)+count(got, "reply "+candidate+" to all") != 1 {
				t.Errorf("asked for it: %q", got)
			}
		})
	})
	t.Run("in its place", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.watching(), l.stranger(macPeer)
			s.ask("192.0.2.1", "192.0.2.1") // reported and defended; then the 4th takes it
			n.assign(t, candidate)
			for range 3 {
				s.ask("192.0.2.1", "192.0.2.1")
			}
			n.in(t, "192.0.2.1", acd.Duplicate)
			time.Sleep(7 * time.Minute)
			if a := n.ifc.Addresses(); len(a) != 2 || a[0].Prefix.Addr() != ip("192.0.2.1") {
				t.Errorf("addresses %v", a)
			}
		})
	})
	t.Run("failure is silent", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.duplicate(acd.Policy{})
			for n.ownAddress(candidate).State != acd.Recovering {
				time.Sleep(time.Second)
			}
			third := l.stranger(macThird)
			third.claim()
			if o := n.ownAddress(candidate); o.State != acd.Duplicate || o.Owner != third.mac {
				t.Errorf("%+v, first owner %v", o, s.mac)
			}
			if n.count(event.Duplicate) != 1 || n.count(event.Conflict) != 0 || n.count(event.Probing) != 1 {
				t.Error("the failure was told")
			}
			l.forget()
			if _, probes := tries(l, n, 7*time.Minute); probes != 3 {
				t.Errorf("%d probes afterwards", probes)
			}
		})
	})
	for _, tt := range []struct {
		name     string
		policy   acd.Policy
		recovery int64
	}{
		{"never, with dup_recovery 0", acd.Policy{}, 0},
		{"never, of DHCP's", acd.Policy{Temporary: true}, 300_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, _ := l.duplicate(tt.policy)
				n.tune(t, "dup_recovery", tt.recovery)
				if _, probes := tries(l, n, 24*time.Hour); probes != 0 {
					t.Errorf("%d probes", probes)
				}
				n.ifc.SetRunning(false)
				n.ifc.SetRunning(true)
				if _, probes := tries(l, n, time.Hour); probes != 0 {
					t.Errorf("%d probes when the link was back", probes)
				}
			})
		})
	}
	t.Run("when the link returns", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, _ := l.duplicate(acd.Policy{})
			n.ifc.SetRunning(false)
			if _, probes := tries(l, n, time.Hour); probes != 0 {
				t.Errorf("%d probes without link", probes)
			}
			n.ifc.SetRunning(true)
			first, probes := tries(l, n, 20*time.Second)
			within(t, "the first try", first, ms, time.Second+ms)
			if probes != 3 {
				t.Errorf("%d probes", probes)
			}
			n.in(t, candidate, acd.Verified)
		})
	})
}

// TestDADReassign is 3.4 step 6: the administrator sets the address up.
func TestDADReassign(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, _ := l.duplicate(acd.Policy{})
		if err := n.ifc.Reassign(ip(candidate)); err != nil {
			t.Fatal(err)
		}
		if o := n.ownAddress(candidate); o.State != acd.Probing || o.Usage != host.Suspended {
			t.Errorf("%+v", o)
		}
		if a := n.ifc.Addresses(); len(a) != 2 {
			t.Errorf("addresses %v", a)
		}
		time.Sleep(20 * time.Second)
		n.in(t, candidate, acd.Verified)
		if got := l.did(n); count(got, "probe "+candidate) != 3 {
			t.Errorf("it sent %q", got)
		}
		if n.count(event.Recovered) != 0 || n.count(event.Verified) != 1 {
			t.Error("it was verified, not recovered")
		}
		if err := n.ifc.Reassign(ip("192.0.2.77")); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("an unknown address: %v", err)
		}
	})
}

// TestDADDown is 3.4 step 6: the administrator takes the address off.
func TestDADDown(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, _ := l.duplicate(acd.Policy{})
		n.ifc.Forsake(ip(candidate))
		time.Sleep(time.Hour)
		if got := l.did(n); count(got, "probe "+candidate) != 0 {
			t.Errorf("it sent %q", got)
		}
		if len(n.ifc.OwnAddresses()) != 1 {
			t.Errorf("%v", n.ifc.OwnAddresses())
		}
	})
	onLAN(t, func(l *lan) {
		n := l.watching()
		n.assign(t, candidate)
		if err := n.ifc.SetAddresses(n.ifc.Addresses()[:1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if got := l.did(n); count(got, "probe "+candidate)+count(got, "announce "+candidate) != 0 {
			t.Errorf("taken off while it was probed: it sent %q", got)
		}
	})
}

// TestDADReprobedConflict: a claim while an address is probed beside its use tears
// it down; a probe of somebody else does not.
func TestDADReprobedConflict(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.using(acd.Policy{}), l.stranger(macPeer)
		n.ifc.SetRunning(false)
		n.ifc.SetRunning(true)
		s.ask(candidate, "0.0.0.0")
		n.in(t, candidate, acd.Reprobing)
		s.send(lladdr.Broadcast(), arp.Packet{Operation: arp.Reply, SenderIP: ip(candidate), TargetHW: lladdr.Broadcast(), TargetIP: ip(candidate)})
		n.in(t, candidate, acd.Duplicate)
		if n.count(event.Conflict) != 1 || n.count(event.Duplicate) != 1 || n.Stats().DupIPs != 1 {
			t.Errorf("%d conflicts, %d duplicates, dupips %d", n.count(event.Conflict), n.count(event.Duplicate), n.Stats().DupIPs)
		}
	})
}

// TestDADRename: a withdrawn address with the interface's name for a label has the
// new name in diagnostics; another label is left alone.
func TestDADRename(t *testing.T) {
	for label, want := range map[string]string{
		"":       "Recovered address 192.0.2.5 on x0.",
		"e0":     "Recovered address 192.0.2.5 on x0.",
		"e0:vip": "Recovered address 192.0.2.5 on e0:vip.",
	} {
		onLAN(t, func(l *lan) {
			n, s := l.detecting()
			own := append(n.ifc.Addresses(), host.Address{Prefix: prefix(candidate + "/24"), Label: label})
			if err := n.ifc.SetAddresses(own); err != nil {
				t.Fatal(err)
			}
			s.ask(candidate, candidate)
			n.ifc.Rename("x0")
			time.Sleep(10 * time.Minute)
			if e := n.seen(event.Recovered); len(e) != 1 || e[0].Message != want {
				t.Errorf("label %q: %+v, want %q", label, e, want)
			}
		})
	}
}

// TestDADTwoNetworks: an address that is in two networks of its interface goes from
// both, and comes back to both at once.
func TestDADTwoNetworks(t *testing.T) {
	const twice = "198.51.100.5"
	for _, other := range []string{"198.51.7.7/20", "198.51.100.6/24"} {
		onLAN(t, func(l *lan) {
			n, s := l.watching(), l.stranger(macPeer)
			list := n.ifc.Addresses()
			for _, a := range []string{twice + "/24", other, twice + "/16"} {
				list = append(list, host.Address{Prefix: prefix(a)})
			}
			if err := n.ifc.SetAddresses(list); err != nil {
				t.Fatal(err)
			}
			requireNetworks := func(when string, want ...string) {
				t.Helper()
				for _, network := range []string{"198.51.100.0/24", "198.51.0.0/16"} {
					there := slices.ContainsFunc(n.Routes(), func(r host.Route) bool { return r.Prefix == prefix(network) })
					if there != slices.Contains(want, network) {
						t.Errorf("%s, with %s: the network %s is there: %t", when, other, network, there)
					}
				}
			}
			requireNetworks("probed", "198.51.100.0/24", "198.51.0.0/16")
			s.ask(twice, twice)
			n.in(t, twice, acd.Duplicate)
			requireNetworks("withdrawn", prefix(other).Masked().String())
			time.Sleep(7 * time.Minute)
			n.in(t, twice, acd.Verified)
			requireNetworks("restored", "198.51.100.0/24", "198.51.0.0/16")
			if got := n.ifc.Addresses(); !slices.Equal(got, list) {
				t.Errorf("restored, with %s: the addresses are %v, want %v", other, got, list)
			}
			if err := n.ifc.SetAddresses(list[:3]); err != nil {
				t.Fatal(err)
			}
			s.ask(twice, twice)
			time.Sleep(time.Hour)
			if got := n.ifc.Addresses(); !slices.Equal(got, list[:3]) {
				t.Errorf("in one network, with %s: the addresses are %v, want %v", other, got, list[:3])
			}
		})
	}
}
