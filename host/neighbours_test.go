package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// kernel is an IP side that remembers what it is told.
type kernel struct {
	mu    sync.Mutex
	told  []string
	delay time.Duration // that an update takes
	t     *testing.T
}

func (k *kernel) Update(updates []host.Neighbour) {
	seen := make(map[host.Neighbour]bool)
	for _, u := range updates {
		key := host.Neighbour{Interface: u.Interface, IP: u.IP}
		if seen[key] {
			k.t.Errorf("%v twice in one update", u.IP)
		}
		seen[key] = true
	}
	time.Sleep(k.delay)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, u := range updates {
		line := fmt.Sprint(u.IP, " ", u.State)
		if u.MAC.IsValid() {
			line += " " + u.MAC.String()
		}
		k.told = append(k.told, line)
	}
}

// take returns what was told since the last take.
func (k *kernel) take() []string {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	told := k.told
	k.told = nil
	return told
}

// taken is a host with an IP side, as on a taken-over interface.
func (l *lan) taken(change ...func(*host.InterfaceConfig)) (*node, *kernel) {
	k := &kernel{t: l.t}
	n := l.still(host.Config{Neighbours: k}, macHost, "192.0.2.1/24", append([]func(*host.InterfaceConfig){func(c *host.InterfaceConfig) {
		c.AnyTarget, c.UseDelay = true, 8*time.Second
	}}, change...)...)
	n.run(l.t)
	synctest.Wait()
	return n, k
}

func (n *node) miss(address string) { n.ifc.Demand([]host.Miss{{IP: ip(address)}}) }

// expect compares what the IP side was told.
func (k *kernel) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := k.take(); !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", when, got, want)
	}
}

// TestTold waits until the IP side knows what was set, which takes it a while, and what
// was set after the update had begun.
func TestTold(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		k.delay = time.Second
		set := func(address string) {
			if _, err := n.Set(host.Change{IP: ip(address), MAC: lladdr.MustParse(macPeer), Origin: host.Administrator}); err != nil {
				l.t.Fatal(err)
			}
		}
		for range 2 {
			set("192.0.2.9")
			synctest.Wait() // the update has begun
			set("192.0.2.8")
			began := time.Now()
			if err := n.Told(l.t.Context()); err != nil {
				l.t.Error(err)
			}
			if took := time.Since(began); took != 2*k.delay {
				l.t.Errorf("it took %v to be told, want %v", took, 2*k.delay)
			}
		}
		began := time.Now()
		if err := n.Told(l.t.Context()); err != nil || time.Now() != began {
			l.t.Errorf("%v; nothing was to be told, and it took %v", err, time.Since(began))
		}
		set("192.0.2.7")
		ctx, cancel := context.WithTimeout(l.t.Context(), k.delay/2)
		defer cancel()
		if err := n.Told(ctx); !errors.Is(err, context.DeadlineExceeded) {
			l.t.Errorf("told in half the time that it takes: %v", err)
		}
	})
}

// TestUntold has which bindings the IP side does not have yet: those that it is being
// told of, and those that it will be told of next.
func TestUntold(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		k.delay = time.Second
		for _, address := range []string{"192.0.2.7", "192.0.2.8", "192.0.2.9"} {
			if _, err := n.Set(admin(address, macPeer)); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(when string, want ...string) {
			t.Helper()
			var got []string
			for _, b := range n.ifc.Bindings() {
				if b.Untold {
					got = append(got, b.IP.String())
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q are untold, want %q", when, got, want)
			}
		}
		expect("set", "192.0.2.7", "192.0.2.8", "192.0.2.9")
		if err := n.Told(l.t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("told")
		n.ifc.Tell(ip("192.0.2.7"))
		synctest.Wait() // the update has begun
		n.ifc.Tell(ip("192.0.2.8"))
		expect("while one is told and one waits", "192.0.2.7", "192.0.2.8")
		time.Sleep(k.delay)
		synctest.Wait()
		expect("while the second is told", "192.0.2.8")
		time.Sleep(k.delay)
		synctest.Wait()
		expect("both told")
	})
}

// TestDemand is the life of an address that the IP side asks for.
func TestDemand(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		s := l.stranger(macPeer)
		s.ask("192.0.2.1", "192.0.2.9")
		k.expect(t, "learned from others")
		n.miss("192.0.2.9")
		k.expect(t, "a miss of what is known", "192.0.2.9 valid "+macPeer)

		n.miss("192.0.2.10")
		k.expect(t, "a miss", "192.0.2.10 pending")
		s.answer(n, "192.0.2.10")
		k.expect(t, "the answer", "192.0.2.10 valid "+macPeer)
		s.answer(n, "192.0.2.10")
		k.expect(t, "the same answer again")
		l.stranger(macThird).answer(n, "192.0.2.10")
		k.expect(t, "another answer", "192.0.2.10 valid "+macThird)
		if err := n.Delete("", ip("192.0.2.10")); err != nil {
			t.Error(err)
		}
		k.expect(t, "deleted", "192.0.2.10 gone")
		if _, err := n.Set(admin("192.0.2.11", macThird)); err != nil {
			t.Error(err)
		}
		k.expect(t, "set", "192.0.2.11 fixed "+macThird)
		n.ifc.Lost(ip("192.0.2.11"))
		k.expect(t, "a permanent one is lost", "192.0.2.11 fixed "+macThird)
		n.ifc.Lost(ip("192.0.2.9"))
		k.expect(t, "a learned one is lost", "192.0.2.9 gone")
		n.ifc.Forget(ip("192.0.2.11"))
		k.expect(t, "a permanent one is deleted there")
		n.none(t, "192.0.2.11")
	})
}

// TestDemandDown: the IP side hears of a silent host once, and again for each
// demand.
func TestDemandDown(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		n.miss("192.0.2.9")
		time.Sleep(4900 * time.Millisecond)
		k.expect(t, "while asking", "192.0.2.9 pending")
		time.Sleep(200 * time.Millisecond)
		k.expect(t, "after maxtries", "192.0.2.9 failed")
		time.Sleep(3 * time.Second)
		if got := len(l.requests(ip("192.0.2.9"))); got != 5 {
			t.Errorf("%d requests, want 5: there is no demand any more", got)
		}
		n.miss("192.0.2.9")
		k.expect(t, "asked again", "192.0.2.9 pending")
		time.Sleep(1100 * time.Millisecond)
		k.expect(t, "a second later", "192.0.2.9 failed")
		time.Sleep(20 * time.Second)
		k.expect(t, "after wait", "192.0.2.9 gone")
	})
}

// TestDemandDenied: where ARP may not ask the IP side has its error at once, for
// each demand, and the entry goes after wait.
func TestDemandDenied(t *testing.T) {
	for _, mode := range []host.Mode{host.Static, host.Off} {
		t.Run(mode.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, k := l.taken()
				n.miss("192.0.2.8")
				wait := n.waiting(l.t.Context(), "192.0.2.7")
				n.must(t, admin("192.0.2.10", macThird))
				time.Sleep(1500 * time.Millisecond)
				k.take()
				l.forget()
				n.ifc.SetMode(mode)
				k.expect(t, "asking is forbidden", "192.0.2.8 failed")
				if err := <-wait; !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "may not ask") {
					t.Errorf("whoever waits gets %v, want EINVAL", err)
				}
				n.miss("192.0.2.9")
				k.expect(t, "a miss", "192.0.2.9 failed")
				time.Sleep(15 * time.Second)
				n.miss("192.0.2.9")
				k.expect(t, "again", "192.0.2.9 failed")
				n.miss("192.0.2.10")
				k.expect(t, "of what is known", "192.0.2.10 fixed "+macThird)
				if _, err := n.Resolve(l.t.Context(), ip("192.0.2.9")); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "may not ask") {
					t.Errorf("resolving: %v", err)
				}
				if err := n.Output(packet(ip("192.0.2.9"), 1)); !errors.Is(err, syscall.EINVAL) {
					t.Errorf("sending: %v", err)
				}
				time.Sleep(5 * time.Second)
				k.expect(t, "wait after the last demand of one", "192.0.2.8 gone")
				time.Sleep(15 * time.Second)
				k.expect(t, "and of the other", "192.0.2.9 gone")
				if sent := l.from(n); len(sent) != 0 {
					t.Errorf("%d frames sent", len(sent))
				}
				n.ifc.SetMode(host.On)
				n.miss("192.0.2.9")
				k.expect(t, "asking is allowed", "192.0.2.9 pending")
				if got := len(l.requests(ip("192.0.2.9"))); got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
			})
		})
	}
}

// TestWatched: the IP side reports use, or does not.
func TestWatched(t *testing.T) {
	for _, used := range []bool{true, false} {
		t.Run(fmt.Sprint(used), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, k := l.taken()
				b := l.host(macPeer, "192.0.2.2/24")
				n.miss("192.0.2.2")
				k.take()
				// The window is maxtries seconds and what the report of use takes.
				time.Sleep(1200*time.Second - 13*time.Second + time.Millisecond)
				k.expect(t, "near the end", "192.0.2.2 watched "+macPeer)
				time.Sleep(5 * time.Second)
				if used {
					n.ifc.Used(b.ip)
					k.expect(t, "used", "192.0.2.2 valid "+macPeer)
					return
				}
				time.Sleep(10 * time.Second)
				k.expect(t, "not used", "192.0.2.2 gone")
			})
		})
	}
}

// TestConfirm: the kernel probes what it has: an entry still valid is told again.
func TestConfirm(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		b := l.host(macPeer, "192.0.2.2/24")
		n.miss("192.0.2.2")
		k.take()
		l.forget()
		n.ifc.Demand([]host.Miss{{IP: b.ip, Confirm: true}})
		k.expect(t, "a probe of what is valid", "192.0.2.2 valid "+macPeer)
		if got := len(l.requests(b.ip)); got != 0 {
			t.Errorf("%d requests for what is valid", got)
		}
		time.Sleep(1190 * time.Second)
		k.take()
		n.ifc.Demand([]host.Miss{{IP: b.ip, Confirm: true}})
		k.expect(t, "a probe near the end", "192.0.2.2 valid "+macPeer)
		if got := len(l.requests(b.ip)); got != 1 {
			t.Errorf("%d requests near the end, want 1", got)
		}
	})
}

// TestSlowNeighbours: a backlog shrinks to the present bindings.
func TestSlowNeighbours(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		k.delay = 2 * time.Second
		n.miss("192.0.2.9")
		synctest.Wait() // Update sleeps
		for i := range 100 {
			l.stranger(fmt.Sprintf("02:00:00:00:01:%02x", i)).answer(n, "192.0.2.9")
		}
		n.miss("192.0.2.10")
		time.Sleep(4500 * time.Millisecond)
		k.expect(t, "after two updates", "192.0.2.9 pending", "192.0.2.9 valid 02:00:00:00:01:63", "192.0.2.10 pending")
	})
}

// TestMoveBeforeReply: the IP side knows of a neighbour's new address before the
// neighbour has its answer. The others wait for nobody.
func TestMoveBeforeReply(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		k.delay = time.Second
		replies := func() (all []sentARP) {
			for _, s := range l.from(n) {
				if s.arp.Operation == arp.Reply {
					all = append(all, s)
				}
			}
			l.forget()
			return all
		}
		n.miss("192.0.2.9")
		synctest.Wait() // Update sleeps
		l.stranger(macThird).ask("192.0.2.1", "192.0.2.11")
		if got := replies(); len(got) != 1 {
			t.Errorf("sent %+v to a new neighbour, want the answer at once", got)
		}
		l.stranger(macPeer).answer(n, "192.0.2.9")
		time.Sleep(2500 * time.Millisecond)
		k.expect(t, "the answer", "192.0.2.9 pending", "192.0.2.9 valid "+macPeer)

		l.stranger(macThird).ask("192.0.2.1", "192.0.2.9")
		if got := replies(); len(got) != 0 {
			t.Errorf("sent %+v before the IP side knew of the move", got)
		}
		k.expect(t, "while the update lasts")
		time.Sleep(1500 * time.Millisecond)
		k.expect(t, "the move", "192.0.2.9 valid "+macThird)
		if got := replies(); len(got) != 1 || got[0].arp.TargetHW.String() != macThird {
			t.Errorf("sent %+v, want the answer", got)
		}
	})
}

// TestDemandOfNobody: what no neighbour can have makes no entry.
func TestDemandOfNobody(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		for _, address := range []string{"0.0.0.0", "255.255.255.255", "192.0.2.255", "224.0.0.1", "192.0.2.1", "2001:db8::1"} {
			n.miss(address)
		}
		k.expect(t, "nothing")
		if all := n.Entries(); len(all) != 1 || n.Stats().TxRequests != 0 {
			t.Errorf("entries %+v, %d requests", all, n.Stats().TxRequests)
		}
	})
}

// TestDemandAnywhere: the IP side has chosen the interface, whatever the address;
// the sender is its preference if that is an own address.
func TestDemandAnywhere(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, _ := l.taken(func(c *host.InterfaceConfig) {
			c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("198.51.100.1/24")})
		})
		for _, tt := range []struct{ target, source, want string }{
			{"192.0.2.9", "", "192.0.2.1"},
			{"198.51.100.9", "", "198.51.100.1"},
			{"203.0.113.9", "", "192.0.2.1"},
			{"203.0.113.10", "198.51.100.1", "198.51.100.1"},
			{"203.0.113.11", "10.9.9.9", "192.0.2.1"}, // not ours
		} {
			l.forget()
			m := host.Miss{IP: ip(tt.target)}
			if tt.source != "" {
				m.Source = ip(tt.source)
			}
			n.ifc.Demand([]host.Miss{m})
			sent := l.from(n)
			if len(sent) != 1 || sent[0].arp.SenderIP != ip(tt.want) || !sent[0].arp.TargetHW.IsZero() || !sent[0].to.IsBroadcast() {
				t.Errorf("%s by %q: sent %+v, want a request from %s", tt.target, tt.source, sent, tt.want)
			}
		}
	})
}

// TestLinkRestoresBindings: what the kernel flushes with the carrier is told
// again, the administrator's entries and nothing else.
func TestLinkRestoresBindings(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		l.host(macPeer, "192.0.2.2/24")
		n.miss("192.0.2.2")
		if _, err := n.Set(admin("192.0.2.9", macThird)); err != nil {
			t.Fatal(err)
		}
		k.take()
		n.ifc.SetRunning(false)
		k.expect(t, "down", "192.0.2.2 gone")
		n.ifc.SetRunning(true)
		k.expect(t, "up", "192.0.2.9 fixed "+macThird)
		if err := n.ifc.SetMAC(lladdr.MustParse("02:00:00:00:00:aa")); err != nil {
			t.Fatal(err)
		}
		k.expect(t, "another address", "192.0.2.9 fixed "+macThird)
		if got := n.ifc.Bindings(); len(got) != 1 || got[0].State != host.Fixed {
			t.Errorf("bindings %+v", got)
		}
		if err := n.ifc.Detach(); err != nil {
			t.Error(err)
		}
		k.expect(t, "detached", "192.0.2.9 gone")
	})
}

// TestMissEvents has one event for each miss.
func TestMissEvents(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, _ := l.taken()
		n.miss("192.0.2.9")
		n.miss("192.0.2.9")
		if got := n.count(event.Missed); got != 2 {
			t.Errorf("%d events missed, want 2", got)
		}
	})
}

// TestKnown: the IP side is not told what it has already, but it is told again
// when it has lost it.
func TestKnown(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, k := l.taken()
		known := admin("192.0.2.11", macThird)
		known.Known = true
		if _, err := n.Set(known); err != nil {
			t.Error(err)
		}
		k.expect(t, "set there")
		n.ifc.Lost(ip("192.0.2.11"))
		k.expect(t, "lost there", "192.0.2.11 fixed "+macThird)
		n.ifc.Forget(ip("192.0.2.11"))
		k.expect(t, "deleted there")
		if _, err := n.Set(known); err != nil {
			t.Error(err)
		}
		n.ifc.Forget(ip("192.0.2.11"))
		k.expect(t, "set and deleted there")
		n.none(t, "192.0.2.11")
	})
}

// TestSetSinceTold: what the IP side tells of a binding is about what it was told before,
// and does not touch what an administrator has set since.
func TestSetSinceTold(t *testing.T) {
	theirs := func(known bool, origin host.Origin) host.Change {
		return host.Change{Interface: "e0", IP: ip("192.0.2.11"), MAC: lladdr.MustParse(macPeer), Known: known, Origin: origin}
	}
	for name, tell := range map[string]func(*testing.T, *node){
		"it is deleted": func(t *testing.T, n *node) {
			if n.ifc.Forget(ip("192.0.2.11")) {
				t.Error("it is forgotten")
			}
		},
		"it is permanent": func(t *testing.T, n *node) {
			if _, err := n.Set(theirs(true, host.Administrator)); !errors.Is(err, syscall.EEXIST) {
				t.Errorf("setting it: %v, want EEXIST", err)
			}
		},
		"it is learned": func(t *testing.T, n *node) {
			if _, err := n.Set(theirs(false, host.Learned)); !errors.Is(err, syscall.EEXIST) {
				t.Errorf("setting it: %v, want EEXIST", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, k := l.taken()
				k.delay = time.Second
				if _, err := n.Set(admin("192.0.2.11", macThird)); err != nil {
					t.Error(err)
				}
				synctest.Wait() // it is being told
				tell(t, n)
				time.Sleep(5 * k.delay)
				k.expect(t, "set, and told again", "192.0.2.11 fixed "+macThird, "192.0.2.11 fixed "+macThird)
				n.ifc.Forget(ip("192.0.2.11"))
				k.expect(t, "deleted afterwards")
				n.none(t, "192.0.2.11")
			})
		})
	}
}
