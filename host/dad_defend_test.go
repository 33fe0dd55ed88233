package host_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// TestDADAnnouncing is facts/solaris-arp-ipmp.md 3.5: publish_count announcements,
// then one each defend_interval. garp_rexmit_count is of no matter.
func TestDADAnnouncing(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching()
		n.set(t, "garp_rexmit_count", 16)
		n.assign(t, candidate)
		for n.ownAddress(candidate).State == acd.Probing {
			time.Sleep(ms)
		}
		start := time.Now()
		time.Sleep(20 * time.Minute)
		at := l.times(n, start, "announce "+candidate)
		var want []time.Duration
		for i := range 5 {
			want = append(want, time.Duration(i)*2*time.Second)
		}
		for i := range 3 {
			want = append(want, 8*time.Second+time.Duration(i+1)*5*time.Minute)
		}
		if !slices.EqualFunc(at, want, func(a, b time.Duration) bool { return (a - b).Abs() <= 5*ms }) {
			t.Errorf("announced at %v, want %v", at, want)
		}
	})
}

// TestDADPeriodic is 3.5: what defend_interval and defend_rate switch off.
func TestDADPeriodic(t *testing.T) {
	for _, name := range []string{"defend_interval", "defend_rate"} {
		t.Run(name+" 0", func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.using(acd.Policy{})
				n.tune(t, name, 0)
				time.Sleep(24 * time.Hour)
				l.expect(n, "in a day")
			})
		})
	}
}

// TestDADBudget is 3.5: over budget nothing is sent, addresses are marked delayed,
// and none starves.
func TestDADBudget(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching()
		n.tune(t, "defend_rate", 4)
		list := n.ifc.Addresses()
		for i := range 9 {
			list = append(list, host.Address{Prefix: prefix(fmt.Sprintf("192.0.2.%d/24", 10+i)), Policy: acd.Policy{Detect: acd.DetectAnnounce}})
		}
		if err := n.ifc.SetAddresses(list); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		l.forget()
		time.Sleep(5 * time.Minute)
		if got := l.did(n); len(got) != 4 {
			t.Errorf("in the first period: %q", got)
		}
		delayed := 0
		for _, o := range n.ifc.OwnAddresses() {
			if o.Delayed {
				delayed++
			}
		}
		if delayed == 0 {
			t.Error("none is delayed")
		}
		time.Sleep(3 * time.Hour)
		if got := l.did(n); len(got) > 4*4 {
			t.Errorf("%d announcements in four periods", len(got))
		}
		for _, a := range list {
			if len(l.times(n, time.Time{}, "announce "+a.Prefix.Addr().String())) == 0 {
				t.Errorf("%v was not announced", a.Prefix)
			}
		}
	})
}

// TestDADReplies is 3.5: a reply goes to all once in broadcast_interval, which an
// announcement is too; a probe of an address in use is answered; who asks is
// learned.
func TestDADReplies(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.using(acd.Policy{}), l.stranger(macPeer)
		s.ask(candidate, "192.0.2.9") // 20 s after it appeared: 5 s after the last announcement
		l.expect(n, "shortly after an announcement", "reply "+candidate)
		n.entry(t, "192.0.2.9")
		time.Sleep(15 * time.Second)
		s.ask(candidate, "192.0.2.9")
		l.expect(n, "later", "reply "+candidate+" to all")
		s.ask(candidate, "0.0.0.0")
		l.expect(n, "a probe at once after that", "reply "+candidate)
		time.Sleep(15*time.Second + ms)
		s.ask(candidate, "0.0.0.0")
		l.expect(n, "a probe later", "reply "+candidate+" to all")
		// A reply to all counts as an announcement.
		time.Sleep(5*time.Minute - time.Second)
		if got := l.times(n, time.Time{}, "announce "+candidate); len(got) != 0 {
			t.Errorf("announced within defend_interval")
		}
		time.Sleep(2 * time.Second)
		if got := l.times(n, time.Time{}, "announce "+candidate); len(got) != 1 {
			t.Errorf("announced %d times after defend_interval", len(got))
		}
	})
}

// TestDADRepliesElsewhere: for an address of another interface the machine there
// does not decide where the reply goes.
func TestDADRepliesElsewhere(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.using(acd.Policy{})
		n.second(l)
		time.Sleep(time.Minute)
		l.forget()
		l.stranger(macPeer).ask("198.51.100.1", "192.0.2.9")
		l.expect(n, "asked for it", "reply 198.51.100.1")
	})
}

// TestDADDefence is 3.6.
func TestDADDefence(t *testing.T) {
	const (
		conflict = "arp: 02:00:00:00:00:02 is using my IP address 192.0.2.5 on e0!"
		defended = "Node 02:00:00:00:00:02 is using our IP address 192.0.2.5 on e0."
		lost     = "e0 has duplicate address 192.0.2.5 (claimed by 02:00:00:00:00:02); disabled."
	)
	t.Run("1: announcements stop", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.watching(), l.stranger(macPeer)
			n.assign(t, candidate, func(a *host.Address) { a.Policy.Detect = acd.DetectAnnounce })
			time.Sleep(ms)
			l.forget()
			s.claim()
			l.expect(n, "at once", "announce "+candidate)
			time.Sleep(time.Minute)
			if got := l.did(n); count(got, "announce "+candidate) != 0 {
				t.Errorf("afterwards: %q", got)
			}
		})
	})
	t.Run("2 to 5: three within the window, then it is lost", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.using(acd.Policy{}), l.stranger(macPeer)
			for i := range 3 {
				s.claim()
				l.expect(n, fmt.Sprintf("claim %d", i+1), "announce "+candidate)
				n.in(t, candidate, acd.Defending)
				time.Sleep(30 * time.Second)
			}
			if e := n.seen(event.Conflict); len(e) != 3 || e[0].Message != conflict || e[0].Severity != event.Error {
				t.Errorf("%+v", e)
			}
			if e := n.seen(event.Defended); len(e) != 3 || e[0].Message != defended || e[0].Severity != event.Warning {
				t.Errorf("%+v", e)
			}
			s.claim()
			l.expect(n, "claim 4")
			n.in(t, candidate, acd.Duplicate)
			if e := n.seen(event.Duplicate); len(e) != 1 || e[0].Message != lost {
				t.Errorf("%+v", e)
			}
			if got := n.Stats().DupIPs; got != 4 {
				t.Errorf("dupips %d", got)
			}
			n.none(t, candidate) // the claimant was not learned
		})
	})
	t.Run("2: longer apart it is never lost", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.using(acd.Policy{}), l.stranger(macPeer)
			for range 10 {
				s.claim()
				time.Sleep(30*time.Second + ms)
			}
			n.in(t, candidate, acd.Verified)
			if n.count(event.Defended) != 10 {
				t.Errorf("defended %d times", n.count(event.Defended))
			}
		})
	})
	t.Run("3: a temporary address is defended once", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.using(acd.Policy{Temporary: true}), l.stranger(macPeer)
			s.claim()
			n.in(t, candidate, acd.Defending)
			s.claim()
			n.in(t, candidate, acd.Duplicate)
		})
	})
	t.Run("6: detection resets the count", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.using(acd.Policy{}, func(c *host.InterfaceConfig) { c.ReportsLink = true }), l.stranger(macPeer)
			for range 3 {
				s.claim()
			}
			if err := n.ifc.Reassign(ip(candidate)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			for range 3 {
				s.claim()
			}
			n.in(t, candidate, acd.Defending)
		})
	})
	t.Run("the claimant is neither learned nor answered", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.using(acd.Policy{}), l.stranger(macPeer)
			s.ask("192.0.2.1", candidate)
			l.expect(n, "a claim that asks for another address", "announce "+candidate)
			if e := n.entry(t, candidate); !e.Own {
				t.Errorf("%+v", e)
			}
			if n.Stats().Drops[host.DropClaim] != 1 {
				t.Error("the claim is not counted")
			}
			e, err := n.Explain(l.t.Context(), explained("192.0.2.1", candidate))
			if err != nil || !e.Dropped || e.Drop != host.DropClaim {
				t.Errorf("explained as %+v, %v", e, err)
			}
		})
	})
	t.Run("by its interface", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n := l.watching()
			n.assign(t, candidate, func(a *host.Address) { a.Label = "e0:vip" })
			time.Sleep(time.Minute) // it is verified
			l.stranger(macPeer).claim()
			if got, want := n.message(event.Conflict), "arp: 02:00:00:00:00:02 is using my IP address 192.0.2.5 on e0!"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if got, want := n.message(event.Defended), "Node 02:00:00:00:00:02 is using our IP address 192.0.2.5 on e0."; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	})
	t.Run("by its label", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n := l.watching()
			n.assign(t, candidate, func(a *host.Address) { a.Label = "e0:vip" })
			l.stranger(macPeer).claim()
			if got, want := n.message(event.Duplicate), "e0:vip has duplicate address 192.0.2.5 (in use by 02:00:00:00:00:02); disabled."; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	})
}

// TestDADDefencePolicies are those of [[dad]].
func TestDADDefencePolicies(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policy   acd.Policy
		after    []acd.State // of claims 5 s after each other
		defended int
	}{
		{"never", acd.Policy{Defend: acd.DefendNever}, []acd.State{acd.Duplicate}, 0},
		{"once", acd.Policy{Defend: acd.DefendOnce}, []acd.State{acd.Defending, acd.Duplicate}, 1},
		{"always", acd.Policy{Defend: acd.DefendAlways}, []acd.State{acd.Defending, acd.Defending, acd.Defending, acd.Defending, acd.Defending, acd.Defending}, 2},
		{"announce", acd.Policy{Detect: acd.DetectAnnounce}, []acd.State{acd.Defending, acd.Defending, acd.Defending, acd.Defending, acd.Defending, acd.Defending}, 3},
		{"off", acd.Policy{Detect: acd.DetectOff}, []acd.State{acd.Exempt, acd.Exempt}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, s := l.watching(), l.stranger(macPeer)
				n.assign(t, candidate, func(a *host.Address) { a.Policy = tt.policy })
				time.Sleep(time.Minute)
				for i, want := range tt.after {
					s.claim()
					if got := n.ownAddress(candidate).State; got != want {
						t.Errorf("after claim %d: %v, want %v", i+1, got, want)
					}
					time.Sleep(5 * time.Second)
				}
				if got := n.count(event.Defended); got != tt.defended {
					t.Errorf("defended %d times, want %d", got, tt.defended)
				}
			})
		})
	}
}

// TestDADExempt: nobody looks after an address with policy off. Those who have it
// too are answered as others are, but not learned.
func TestDADExempt(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.watching(), l.stranger(macPeer)
		n.assign(t, candidate, func(a *host.Address) { a.Policy.Detect = acd.DetectOff })
		s.ask("192.0.2.1", candidate)
		l.expect(n, "asked by another owner", "reply 192.0.2.1")
		s.ask(candidate, "192.0.2.9")
		l.expect(n, "asked for it", "reply "+candidate)
		if e := n.entry(t, candidate); !e.Own || n.Stats().DupIPs != 0 || n.count(event.Conflict) != 0 {
			t.Errorf("%+v", e)
		}
	})
}

// TestDADLimitsDiagnostics: conflicts are held back by max_log_per_second, and what
// changes an address is not.
func TestDADLimitsDiagnostics(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.using(acd.Policy{}), l.stranger(macPeer)
		n.set(t, "max_log_per_second", 1)
		for range 4 {
			s.claim()
			time.Sleep(10 * ms)
		}
		if n.count(event.Conflict) != 1 || n.count(event.Defended) != 3 || n.count(event.Duplicate) != 1 {
			t.Errorf("%d conflicts, defended %d times, %d duplicates", n.count(event.Conflict), n.count(event.Defended), n.count(event.Duplicate))
		}
	})
}

// TestDADTunables hold for what is under way.
func TestDADTunables(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching()
		n.assign(t, candidate)
		n.tune(t, "probe_delay", 0)
		n.tune(t, "probe_interval", 10)
		time.Sleep(100 * ms)
		if got := l.did(n); count(got, "probe "+candidate) != 3 {
			t.Errorf("in 0.1 s: %q", got)
		}
		n.in(t, candidate, acd.Announcing)
	})
}

// TestNoDAD: without detection FreeBSD's rules hold: an address is announced at
// once, a claim is reported and answered, and nothing is given up.
func TestNoDAD(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.host(macHost, "192.0.2.1/24"), l.stranger(macPeer)
		n.set(t, "garp_rexmit_count", 2)
		n.assign(t, candidate)
		l.expect(n, "a new address", "announce "+candidate)
		if o := n.ownAddress(candidate); o.State != acd.Exempt || o.Usage != host.Usable {
			t.Errorf("%+v", o)
		}
		for range 10 {
			s.claim()
			l.expect(n, "a claim", "reply "+candidate)
		}
		time.Sleep(24 * time.Hour)
		l.expect(n, "in a day", "announce "+candidate, "announce "+candidate)
		n.ifc.SetRunning(false)
		n.ifc.SetRunning(true)
		l.expect(n, "when the link is back", "announce 192.0.2.1", "announce "+candidate)
		if err := n.ifc.SetMAC(lladdr.MustParse(macThird)); err != nil {
			t.Fatal(err)
		}
		if n.Stats().DupIPs != 10 || n.count(event.Duplicate)+n.count(event.Probing)+n.count(event.Defended) != 0 {
			t.Errorf("dupips %d", n.Stats().DupIPs)
		}
		if err := n.ifc.Reassign(ip(candidate)); err != nil {
			t.Error(err)
		}
		n.ifc.Forsake(ip(candidate))
		n.in(t, candidate, acd.Exempt)
	})
}
