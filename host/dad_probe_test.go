package host_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

const ms = time.Millisecond

// within fails the test if d is not between least and most.
func within(t *testing.T, what string, d, least, most time.Duration) {
	t.Helper()
	if d < least || d > most {
		t.Errorf("%s: %v, want %v to %v", what, d, least, most)
	}
}

// TestDADProbing is facts/solaris-arp-ipmp.md 3.2: an address that appears.
func TestDADProbing(t *testing.T) {
	for _, tt := range []struct {
		name                   string
		address                string
		reports                bool // the driver reports the link
		delay, interval, fifth time.Duration
	}{
		{"slow", candidate, false, 1000 * ms, 1500 * ms, 300 * ms},
		{"fast", candidate, true, 100 * ms, 150 * ms, 30 * ms},
		{"link-local is slow", "169.254.7.7", true, 1000 * ms, 1500 * ms, 300 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.watching(func(c *host.InterfaceConfig) { c.ReportsLink = tt.reports })
				start := time.Now()
				n.assign(t, tt.address)
				n.in(t, tt.address, acd.Probing)
				time.Sleep(10 * time.Second)
				at := l.times(n, start, "probe "+tt.address)
				if len(at) != 3 {
					t.Fatalf("probes at %v, want three", at)
				}
				within(t, "the first probe", at[0], ms, tt.delay)
				within(t, "the second", at[1]-at[0], tt.interval-tt.fifth, tt.interval+tt.fifth)
				within(t, "the third", at[2]-at[1], tt.interval-tt.fifth, tt.interval+tt.fifth)
				announced := l.times(n, start, "announce "+tt.address)
				if len(announced) == 0 || announced[0] != at[2]+tt.interval {
					t.Errorf("announced at %v, want an interval after %v", announced, at[2])
				}
				if n.count(event.Probing) != 1 || n.count(event.Verified) != 1 {
					t.Errorf("%d events probing, %d verified", n.count(event.Probing), n.count(event.Verified))
				}
			})
		})
	}
}

// TestDADProbeDelayZero: the first probe goes out at once.
func TestDADProbeDelayZero(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching()
		n.tune(t, "probe_delay", 0)
		n.assign(t, candidate)
		time.Sleep(ms) // the time of one frame
		l.expect(n, "at once", "probe "+candidate)
	})
}

// TestDADNotProbed: what is ready at once, and what is announced then.
func TestDADNotProbed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*host.InterfaceConfig)
		count  int64 // probe_count
		policy acd.Policy
		state  acd.State
		sent   []string
	}{
		{"probe_count 0", nil, 0, acd.Policy{}, acd.Announcing, []string{"announce " + candidate}},
		{"policy announce", nil, 3, acd.Policy{Detect: acd.DetectAnnounce}, acd.Announcing, []string{"announce " + candidate}},
		{"policy off", nil, 3, acd.Policy{Detect: acd.DetectOff}, acd.Exempt, nil},
		{"no ARP", func(c *host.InterfaceConfig) { c.Mode = host.Off }, 3, acd.Policy{}, acd.Exempt, nil},
		{"only observing", func(c *host.InterfaceConfig) { c.Mode = host.Watch }, 3, acd.Policy{}, acd.Exempt, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				if tt.change == nil {
					tt.change = func(*host.InterfaceConfig) {}
				}
				n := l.watching(tt.change)
				n.tune(t, "probe_count", tt.count)
				n.assign(t, candidate, func(a *host.Address) { a.Policy = tt.policy })
				if o := n.ownAddress(candidate); o.State != tt.state || o.Usage != host.Usable {
					t.Errorf("%+v, want %v", o, tt.state)
				}
				time.Sleep(ms)
				l.expect(n, "at once", tt.sent...)
				if n.count(event.Probing) != 0 {
					t.Error("an event of probing")
				}
			})
		})
	}
}

// TestDADSuspended: until it is verified an address is not answered for, is no
// sender, is not announced, and who asks for it is not learned.
func TestDADSuspended(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.watching(), l.stranger(macPeer)
		n.assign(t, candidate)
		if o := n.ownAddress(candidate); o.Usage != host.Suspended {
			t.Errorf("it is %v", o.Usage)
		}
		l.forget()
		s.ask(candidate, "192.0.2.9")
		l.expect(n, "asked for it")
		n.none(t, "192.0.2.9")
		err := n.ifc.Announce(ip(candidate))
		if !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.HasPrefix(err.Error(), "announcing 192.0.2.5: it is being probed on e0, and not verified yet") {
			t.Errorf("announcing it: %v", err)
		}
		if err := n.ifc.Announce(); err != nil {
			t.Error(err)
		}
		l.expect(n, "announcing all", "announce 192.0.2.1")
		n.ifc.Demand([]host.Miss{{IP: ip("192.0.2.99"), Source: ip(candidate)}})
		l.expect(n, "asking with it preferred", "ask 192.0.2.99 tell 192.0.2.1")
		e, err := n.Explain(l.t.Context(), explained(candidate, "192.0.2.9"))
		if err != nil || e.Decision.Reason.String() != "own_withheld" {
			t.Errorf("explained as %v, %v", e.Decision.Reason, err)
		}

		time.Sleep(20 * time.Second)
		l.forget()
		s.ask(candidate, "192.0.2.9")
		l.expect(n, "verified, asked for it", "reply "+candidate)
		n.entry(t, "192.0.2.9")
		n.ifc.Demand([]host.Miss{{IP: ip("192.0.2.99"), Source: ip(candidate)}})
		l.expect(n, "verified, asking", "ask 192.0.2.99 tell "+candidate)
	})
}

// TestDADQueryWaits: where no address is verified, requests wait for one.
func TestDADQueryWaits(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.still(host.Config{}, macHost, "", withDAD)
		n.run(l.t)
		n.second(l) // whose address is not for this interface
		n.assign(t, candidate)
		ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
		defer cancel()
		done := n.waiting(ctx, "192.0.2.9")
		time.Sleep(2 * time.Second)
		if asked := l.requests(ip("192.0.2.9")); len(asked) != 0 {
			t.Errorf("asked at %v", asked)
		}
		for n.ownAddress(candidate).State == acd.Probing {
			time.Sleep(10 * ms)
		}
		n.ip = ip(candidate)
		l.stranger(macPeer).answer(n, "192.0.2.9")
		if got := l.did(n); !slices.Contains(got, "ask 192.0.2.9 tell "+candidate) {
			t.Errorf("after it was verified: %q", got)
		}
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("it is not resolved")
		}
		if n.count(event.Missed) != 0 {
			t.Errorf("it says %q", n.message(event.Missed))
		}
	})
}

// TestDADLinkDrops in the middle of the probes: they begin anew with the link.
func TestDADLinkDrops(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching()
		n.assign(t, candidate)
		time.Sleep(3 * time.Second) // two probes at least
		n.ifc.SetRunning(false)
		l.forget()
		time.Sleep(time.Hour)
		l.expect(n, "while it is down")
		n.in(t, candidate, acd.Probing)
		n.ifc.SetRunning(true)
		time.Sleep(20 * time.Second)
		if got := l.did(n); count(got, "probe "+candidate) != 3 {
			t.Errorf("after it: %q", got)
		}
		n.in(t, candidate, acd.Verified)
	})
}

// TestDADAssignedWithoutLink is probed when the link comes.
func TestDADAssignedWithoutLink(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching(func(c *host.InterfaceConfig) { c.Down = true })
		n.assign(t, candidate)
		time.Sleep(time.Hour)
		n.in(t, candidate, acd.Probing)
		l.expect(n, "without link")
		n.ifc.SetRunning(true)
		time.Sleep(20 * time.Second)
		n.in(t, candidate, acd.Verified)
		n.in(t, "192.0.2.1", acd.Verified)
	})
}

// TestDADLinkReturns: the addresses in use, when the link returns or is another.
func TestDADLinkReturns(t *testing.T) {
	back := map[string]func(*testing.T, *node){
		"link": func(_ *testing.T, n *node) { n.ifc.SetRunning(false); n.ifc.SetRunning(true) },
		"address": func(t *testing.T, n *node) {
			n.mac = lladdr.MustParse(macThird)
			n.port.SetMAC(n.mac)
			if err := n.ifc.SetMAC(n.mac); err != nil {
				t.Error(err)
			}
		},
	}
	for how, back := range back {
		t.Run(how+": announce", func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.using(acd.Policy{})
				back(t, n)
				synctest.Wait()
				if got, want := l.did(n), []string{"announce 192.0.2.1", "announce " + candidate}; len(got) == 0 || got[0] != want[0] {
					t.Errorf("at once: %q, want %q", got, want)
				}
				n.in(t, candidate, acd.Reprobing)
				if u := n.ownAddress(candidate).Usage; u != host.Usable {
					t.Errorf("it is %v", u)
				}
				l.stranger(macPeer).ask(candidate, "192.0.2.9")
				time.Sleep(20 * time.Second)
				got := l.did(n)
				if count(got, "probe "+candidate) != 3 || count(got, "announce "+candidate) != 5 || count(got, "reply "+candidate+" to all")+count(got, "reply "+candidate) != 1 {
					t.Errorf("within 20 s: %q", got)
				}
				n.in(t, candidate, acd.Verified)
			})
		})
		t.Run(how+": strict", func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.using(acd.Policy{}, func(c *host.InterfaceConfig) { c.Reprobe = acd.ReprobeStrict })
				back(t, n)
				l.expect(n, "at once")
				if o := n.ownAddress(candidate); o.Usage != host.Suspended || o.State != acd.Probing {
					t.Errorf("%+v", o)
				}
				l.stranger(macPeer).ask(candidate, "192.0.2.9")
				l.expect(n, "asked for it")
				time.Sleep(20 * time.Second)
				if got := l.did(n); count(got, "probe "+candidate) != 3 || count(got, "announce "+candidate) != 5 {
					t.Errorf("within 20 s: %q", got)
				}
			})
		})
	}
	t.Run("not probed", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n := l.using(acd.Policy{Detect: acd.DetectAnnounce})
			back["link"](t, n)
			time.Sleep(20 * time.Second)
			if got := l.did(n); count(got, "probe "+candidate) != 0 || count(got, "announce "+candidate) != 5 {
				t.Errorf("within 20 s: %q", got)
			}
		})
	})
}

// TestDADAdopted: the addresses that were there are announced once and watched.
func TestDADAdopted(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24", withDAD)
		time.Sleep(4 * time.Minute)
		l.expect(n, "in four minutes", "announce 192.0.2.1")
		if o := n.ownAddress("192.0.2.1"); o.State != acd.Verified || o.Usage != host.Usable {
			t.Errorf("%+v", o)
		}
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.1")
		n.in(t, "192.0.2.1", acd.Defending)
	})
}

func count(all []string, what string) (n int) {
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}
