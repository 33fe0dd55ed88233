package host_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// ipSide is the IP side of own addresses. It remembers what it is told.
type ipSide struct {
	t      *testing.T
	mu     sync.Mutex
	told   []string
	delay  time.Duration         // that an update takes
	update func(host.OwnAddress) // what is done with each, if anything
}

func (s *ipSide) UpdateAddresses(updates []host.OwnAddress) {
	seen := make(map[string]bool)
	s.mu.Lock()
	delay, update := s.delay, s.update
	s.mu.Unlock()
	time.Sleep(delay)
	for _, u := range updates {
		line := fmt.Sprint(u.Address.Prefix.Addr(), " ", u.Usage)
		if u.Owner.IsValid() {
			line += " " + u.Owner.String()
		}
		if key := fmt.Sprint(u.Interface, u.Address.Prefix.Addr()); seen[key] {
			s.t.Errorf("%s twice in one update", key)
		} else {
			seen[key] = true
		}
		s.mu.Lock()
		s.told = append(s.told, line)
		s.mu.Unlock()
		if update != nil {
			update(u)
		}
	}
}

// expect compares what was told since the last call.
func (s *ipSide) expect(when string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		s.t.Errorf("%s: told %q, want %q", when, s.told, want)
	}
	s.told = nil
}

// set says what updates take, and what is done with each.
func (s *ipSide) set(delay time.Duration, update func(host.OwnAddress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay, s.update = delay, update
}

func (s *ipSide) forget() {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = nil
}

// addressed is a host with detection and an IP side, and the address 192.0.2.1.
func (l *lan) addressed(change ...func(*host.InterfaceConfig)) (*node, *ipSide) {
	l.t.Helper()
	s := &ipSide{t: l.t}
	n := l.still(host.Config{Addressing: s, Rand: rand.NewPCG(1, 2)}, macHost, "192.0.2.1/24", append([]func(*host.InterfaceConfig){withDAD}, change...)...)
	n.run(l.t)
	s.expect("attached", "192.0.2.1 usable")
	l.forget()
	return n, s
}

// name tells the host its addresses.
func (n *node) name(t *testing.T, addresses ...string) {
	t.Helper()
	var list []host.Address
	for _, a := range addresses {
		list = append(list, host.Address{Prefix: prefix(a + "/24")})
	}
	if err := n.ifc.SetAddresses(list); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// TestAddressing is the life of an own address as the IP side is told it.
func TestAddressing(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		n.name(t, "192.0.2.1", candidate)
		side.expect("a new address", candidate+" suspended")
		time.Sleep(20 * time.Second)
		side.expect("verified", candidate+" usable")
		s := l.stranger(macPeer)
		for range 4 {
			s.claim()
			time.Sleep(time.Second)
		}
		side.expect("lost", candidate+" withdrawn "+macPeer)
		time.Sleep(7 * time.Minute)
		side.expect("recovered", candidate+" usable")
		n.name(t, "192.0.2.1", candidate)
		side.expect("put back")
		n.name(t, "192.0.2.1")
		side.expect("taken off", candidate+" released")
		n.name(t)
		side.expect("all taken off", "192.0.2.1 released")
	})
}

// TestAddressingWithdrawn has the rules by which the lists of addresses and a
// withdrawn address keep step.
func TestAddressingWithdrawn(t *testing.T) {
	// withdrawn is a host whose candidate is withdrawn, and still on the interface.
	withdrawn := func(l *lan) (*node, *ipSide) {
		n, side := l.addressed()
		n.name(l.t, "192.0.2.1", candidate)
		l.stranger(macPeer).claim()
		side.expect("withdrawn", candidate+" suspended", candidate+" withdrawn "+macPeer)
		return n, side
	}
	t.Run("naming it before it is taken off changes nothing", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1", candidate)
			n.name(t, candidate, "192.0.2.1", "192.0.2.7")
			n.in(t, candidate, acd.Duplicate)
			side.expect("named", "192.0.2.7 suspended")
		})
	})
	t.Run("absence does not release it", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.in(t, candidate, acd.Duplicate)
			time.Sleep(7 * time.Minute)
			n.in(t, candidate, acd.Verified)
			side.expect("recovered", candidate+" usable")
		})
	})
	t.Run("naming it after it was absent is somebody else's", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.name(t, "192.0.2.1", candidate)
			n.in(t, candidate, acd.Probing)
			side.expect("named again", candidate+" suspended")
			time.Sleep(20 * time.Second)
			side.expect("verified", candidate+" usable")
			if n.count(event.Recovered) != 0 {
				t.Error("it is recovered")
			}
		})
	})
	t.Run("absence does not release it before it is put back", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.tune(t, "dup_recovery", 1000)
			for n.ownAddress(candidate).State != acd.Announcing {
				time.Sleep(100 * ms)
			}
			n.name(t, "192.0.2.1") // the IP side has not come to it
			n.in(t, candidate, acd.Announcing)
			if len(n.ifc.Addresses()) != 2 {
				t.Errorf("addresses %v", n.ifc.Addresses())
			}
			side.expect("recovered", candidate+" usable")
			n.name(t, "192.0.2.1", candidate)
			n.name(t, "192.0.2.1")
			side.expect("absent after it was put back", candidate+" released")
			n.in(t, candidate, acd.None)
		})
	})
	t.Run("withdrawn again before it is named", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.tune(t, "dup_recovery", 1000)
			for n.ownAddress(candidate).State != acd.Announcing {
				time.Sleep(100 * ms)
			}
			s := l.stranger(macThird)
			for range 4 {
				s.claim()
				time.Sleep(ms)
			}
			n.name(t, "192.0.2.1", candidate) // the IP side had put it back
			side.expect("withdrawn again", candidate+" usable", candidate+" withdrawn "+macThird)
			n.name(t, "192.0.2.1")
			n.name(t, "192.0.2.1", candidate)
			side.expect("named after it was taken down", candidate+" suspended")
		})
	})
	t.Run("forsaken", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			n.ifc.Forsake(ip(candidate))
			side.expect("forsaken", candidate+" released")
			n.in(t, candidate, acd.None)
			n.name(t, "192.0.2.1", candidate)
			side.expect("there again", candidate+" suspended")
		})
	})
	t.Run("forsaken after it was restored", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			n.name(t, "192.0.2.1")
			side.set(0, func(u host.OwnAddress) {
				if u.Usage == host.Usable {
					n.ifc.Forsake(u.Address.Prefix.Addr())
				}
			})
			time.Sleep(7 * time.Minute)
			side.expect("recovered", candidate+" usable", candidate+" released")
			l.forget()
			l.stranger(macPeer).ask(candidate, "192.0.2.9")
			l.expect(n, "asked for it")
			if len(n.ifc.Addresses()) != 1 {
				t.Errorf("addresses %v", n.ifc.Addresses())
			}
		})
	})
	t.Run("in use it is not forsaken", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			n.ifc.Forsake(ip("192.0.2.1"))
			n.ifc.Forsake(ip("192.0.2.77"))
			side.expect("forsaken")
			n.in(t, "192.0.2.1", acd.Verified)
		})
	})
	t.Run("put back by the IP side when it is told", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := withdrawn(l)
			// As the takeover does: the kernel's list follows, and comes back to the host.
			side.set(0, func(u host.OwnAddress) {
				list := []host.Address{{Prefix: prefix("192.0.2.1/24")}}
				if u.Usage == host.Usable {
					list = append(list, u.Address)
				}
				if err := n.ifc.SetAddresses(list); err != nil {
					t.Error(err)
				}
			})
			n.name(t, "192.0.2.1")
			time.Sleep(7 * time.Minute)
			n.in(t, candidate, acd.Verified)
			s := l.stranger(macThird)
			for range 4 {
				s.claim()
				time.Sleep(time.Second)
			}
			n.in(t, candidate, acd.Duplicate)
			time.Sleep(7 * time.Minute)
			n.in(t, candidate, acd.Verified)
			side.expect("twice", candidate+" usable", candidate+" withdrawn "+macThird, candidate+" usable")
		})
	})
}

// TestAddressingPresent: while an update lasts, what changes is told once, as it is
// then.
func TestAddressingPresent(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed(func(c *host.InterfaceConfig) { c.ReportsLink = true })
		side.set(time.Minute, nil)
		n.name(t, "192.0.2.1", candidate)
		time.Sleep(30 * time.Second)
		n.name(t, "192.0.2.1")
		n.name(t, "192.0.2.1", candidate, "192.0.2.7")
		time.Sleep(10 * time.Minute)
		side.expect("at last", candidate+" suspended", candidate+" usable", "192.0.2.7 usable")
	})
}

// TestAddressingPolicy: what a list says of an address that is known is taken over
// and holds at once.
func TestAddressingPolicy(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		n.name(t, "192.0.2.1", candidate)
		n.name(t, "192.0.2.1")
		side.expect("prelude", candidate+" suspended", candidate+" released")
		n.name(t, "192.0.2.1", candidate)
		l.stranger(macPeer).claim()
		list := append(n.ifc.Addresses(), host.Address{Prefix: prefix(candidate + "/24"), Policy: acd.Policy{Temporary: true}, Label: "e0:dhcp"})
		if err := n.ifc.SetAddresses(list); err != nil {
			t.Fatal(err)
		}
		if o := n.ownAddress(candidate); o.Address != list[1] || o.State != acd.Duplicate {
			t.Errorf("%+v", o)
		}
		l.forget()
		time.Sleep(time.Hour)
		if got := l.did(n); count(got, "probe "+candidate) != 0 {
			t.Errorf("DHCP's address was tried: %q", got)
		}
	})
}

// TestResume: what an earlier run has withdrawn is tried at once.
func TestResume(t *testing.T) {
	resumed := host.Address{Prefix: prefix(candidate + "/24"), Label: "e0:vip"}
	owner := lladdr.MustParse(macPeer)
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		if err := n.ifc.Resume(resumed, owner); err != nil {
			t.Fatal(err)
		}
		if o := n.ownAddress(candidate); o.Usage != host.Withdrawn || o.Owner != owner || o.Address != resumed {
			t.Errorf("%+v", o)
		}
		if len(n.ifc.Addresses()) != 1 {
			t.Errorf("addresses %v", n.ifc.Addresses())
		}
		side.expect("resumed")
		time.Sleep(20 * time.Second)
		side.expect("tried at once", candidate+" usable")
		if got, want := n.message(event.Recovered), "Recovered address 192.0.2.5 on e0:vip."; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for _, tt := range []struct {
			address string
			want    error
		}{{"192.0.2.1/24", syscall.EEXIST}, {candidate + "/24", syscall.EEXIST}, {"224.0.0.1/24", syscall.EINVAL}, {"0.0.0.0/0", syscall.EINVAL}} {
			if err := n.ifc.Resume(host.Address{Prefix: prefix(tt.address)}, owner); !errors.Is(err, tt.want) {
				t.Errorf("resuming %s: %v, want %v", tt.address, err, tt.want)
			}
		}
		n.ifc.SetDAD(false, acd.ReprobeAnnounce)
		if err := n.ifc.Resume(host.Address{Prefix: prefix("192.0.2.9/24")}, owner); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("without DAD: %v", err)
		}
	})
	t.Run("without link", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed(func(c *host.InterfaceConfig) { c.Down = true })
			if err := n.ifc.Resume(resumed, owner); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			n.in(t, candidate, acd.Duplicate)
			n.ifc.SetRunning(true)
			time.Sleep(20 * time.Second)
			side.expect("tried with the link", candidate+" usable")
		})
	})
	t.Run("somebody else puts it there", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed(func(c *host.InterfaceConfig) { c.Down = true })
			if err := n.ifc.Resume(resumed, owner); err != nil {
				t.Fatal(err)
			}
			n.name(t, "192.0.2.1", candidate)
			n.in(t, candidate, acd.Probing)
			side.expect("named", candidate+" suspended")
		})
	})
}

// TestSetDAD switches detection on and off.
func TestSetDAD(t *testing.T) {
	t.Run("on", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			side := &ipSide{t: l.t}
			n := l.still(host.Config{Addressing: side}, macHost, "")
			n.run(l.t)
			n.set(t, "garp_rexmit_count", 16)
			n.name(t, "192.0.2.1", candidate)
			l.expect(n, "FreeBSD's", "announce 192.0.2.1", "announce "+candidate)
			side.expect("without DAD")
			n.ifc.SetDAD(true, acd.ReprobeStrict)
			time.Sleep(4 * time.Minute)
			l.expect(n, "on", "announce 192.0.2.1", "announce "+candidate)
			side.expect("on", "192.0.2.1 usable", candidate+" usable")
			n.in(t, candidate, acd.Verified)
			n.ifc.SetDAD(true, acd.ReprobeStrict)
			l.expect(n, "on again")
			n.ifc.SetRunning(false)
			n.ifc.SetRunning(true)
			n.in(t, candidate, acd.Probing)
		})
	})
	// away ends detection in one of the ways.
	for how, away := range map[string]func(*node){
		"off":       func(n *node) { n.ifc.SetDAD(false, acd.ReprobeAnnounce) },
		"observing": func(n *node) { n.ifc.SetMode(host.Watch) },
	} {
		t.Run(how, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, side := l.addressed()
				n.name(t, "192.0.2.1", candidate, "192.0.2.6")
				s := l.stranger(macPeer)
				s.claim() // it is withdrawn, and there
				n.name(t, "192.0.2.1", candidate, "192.0.2.6", "192.0.2.7")
				s.ask("192.0.2.7", "192.0.2.7")
				n.name(t, "192.0.2.1", candidate, "192.0.2.6") // withdrawn, and gone
				side.forget()
				l.forget()
				away(n)
				side.expect(how, "192.0.2.1 released", candidate+" released", "192.0.2.6 released", "192.0.2.7 released")
				var left []string
				for _, o := range n.ifc.OwnAddresses() {
					left = append(left, fmt.Sprint(o.Address.Prefix, " ", o.Usage, " ", o.State))
				}
				if want := []string{"192.0.2.1/24 usable exempt", "192.0.2.5/24 usable exempt", "192.0.2.6/24 usable exempt"}; !slices.Equal(left, want) {
					t.Errorf("left %q, want %q", left, want)
				}
				if a := n.ifc.Addresses(); len(a) != 3 || a[1].Prefix != prefix("192.0.2.5/24") {
					t.Errorf("addresses %v", a)
				}
				time.Sleep(time.Hour)
				l.expect(n, "in an hour")
				if how == "observing" {
					n.ifc.SetMode(host.On)
					time.Sleep(20 * time.Second)
					n.in(t, candidate, acd.Verified)
					if got := l.did(n); count(got, "announce "+candidate) != 5 || count(got, "probe "+candidate) != 3 {
						t.Errorf("on again: %q", got)
					}
					return
				}
				s.claim()
				l.expect(n, "a claim is answered", "reply "+candidate)
			})
		})
	}
	t.Run("no ARP", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, side := l.addressed()
			n.name(t, "192.0.2.1", candidate, "192.0.2.6")
			l.stranger(macPeer).claim()
			side.expect("prelude", candidate+" suspended", "192.0.2.6 suspended", candidate+" withdrawn "+macPeer)
			l.forget()
			n.ifc.SetMode(host.Off)
			side.expect("no ARP", "192.0.2.1 usable", "192.0.2.6 usable")
			n.in(t, "192.0.2.6", acd.Exempt)
			n.name(t, "192.0.2.1", candidate, "192.0.2.6", "192.0.2.7")
			side.expect("a new one", "192.0.2.7 usable")
			time.Sleep(time.Hour)
			l.expect(n, "in an hour")
			n.in(t, candidate, acd.Duplicate)
			n.ifc.SetMode(host.Static)
			time.Sleep(20 * time.Second)
			side.expect("ARP again", "192.0.2.1 usable", "192.0.2.6 usable", "192.0.2.7 usable", candidate+" usable")
			n.in(t, "192.0.2.7", acd.Verified)
			n.in(t, candidate, acd.Verified)
			l.forget()
			n.ifc.SetMode(host.On)
			time.Sleep(time.Minute)
			l.expect(n, "static or on is the same to it")
		})
	})
}

// TestAddressingDetach: with the interface all are released.
func TestAddressingDetach(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		n.name(t, "192.0.2.1", candidate)
		side.expect("prelude", candidate+" suspended")
		if err := n.ifc.Detach(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		slices.Sort(side.told)
		side.expect("detached", "192.0.2.1 released", candidate+" released")
		l.forget()
		time.Sleep(time.Hour)
		l.expect(n, "in an hour")
	})
}

// TestAddressingPing: the host is not well while the IP side does not come back.
func TestAddressingPing(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, side := l.addressed()
		if err := n.Ping(l.t.Context()); err != nil {
			t.Error(err)
		}
		side.set(time.Hour, nil)
		n.name(t, "192.0.2.1", candidate)
		ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
		defer cancel()
		if err := n.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while an update lasts: %v", err)
		}
	})
}
