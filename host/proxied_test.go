package host_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// offeredIP is an address of another host that is published in these tests.
const offeredIP = "192.0.2.50"

// offered is a change that publishes it after probing.
func offered(kind host.Publish, change ...func(*host.Change)) host.Change {
	c := host.Change{IP: ip(offeredIP), Publish: kind, Origin: host.Administrator, Probe: true}
	for _, f := range change {
		f(&c)
	}
	return c
}

func withMAC(mac string) func(*host.Change) {
	return func(c *host.Change) { c.MAC = lladdr.MustParse(mac) }
}
func ours(c *host.Change)    { c.Authority = true }
func forced(c *host.Change)  { c.Probe = false }
func passing(c *host.Change) { c.Temporary = true }

// detecting is a host that probes, with what a stranger does on its link. What it
// did for its own address is forgotten.
func (l *lan) detecting(change ...func(*host.InterfaceConfig)) (*node, *stranger) {
	n := l.host(macHost, "192.0.2.1/24", append([]func(*host.InterfaceConfig){func(c *host.InterfaceConfig) { c.DAD = true }}, change...)...)
	time.Sleep(time.Minute)
	l.forget()
	return n, l.stranger(macPeer)
}

// probed is how long probing takes at the most: probe_delay, and 3 times
// probe_interval and a fifth.
const probed = 6400 * time.Millisecond

// frames returns what was sent about the published address: probes,
// announcements, and replies.
func (l *lan) frames(n *node) (probes, announcements, replies []sentARP) {
	for _, s := range l.from(n) {
		switch {
		case s.arp.IsProbe() && s.arp.TargetIP == ip(offeredIP):
			probes = append(probes, s)
		case s.arp.IsAnnouncement() && s.arp.SenderIP == ip(offeredIP):
			announcements = append(announcements, s)
		case s.arp.Operation == arp.Reply && s.arp.SenderIP == ip(offeredIP):
			replies = append(replies, s)
		}
	}
	return probes, announcements, replies
}

// answers reports whether the published address is answered for.
func (l *lan) answers(n *node, s *stranger) bool {
	l.t.Helper()
	_, _, before := l.frames(n)
	s.ask(offeredIP, "192.0.2.9")
	_, _, after := l.frames(n)
	return len(after) == len(before)+1
}

// explains returns by which rule a request is decided.
func (n *node) explains(t *testing.T) proxy.Reason {
	t.Helper()
	e, err := n.Explain(t.Context(), proxy.Request{Interface: "e0", SenderIP: ip("192.0.2.9"), TargetIP: ip(offeredIP)})
	if err != nil {
		t.Fatal(err)
	}
	return e.Decision.Reason
}

// lines returns the messages of the events of a type about the published address.
func (n *node) lines(kind event.Type) (all []string) {
	for _, e := range n.seen(kind) {
		if e.IP == ip(offeredIP) {
			all = append(all, e.Message)
		}
	}
	return all
}

// TestPublishedIsProbedFirst: a published entry is answered for when nobody has
// answered three probes, and then announced; not again and again (facts 2.2, 3.5).
func TestPublishedIsProbedFirst(t *testing.T) {
	for _, kind := range []host.Publish{host.Published, host.PublishedOnly} {
		for _, mac := range []string{macHost, macThird} {
			t.Run(kind.String()+" at "+mac, func(t *testing.T) {
				onLAN(t, func(l *lan) {
					n, s := l.detecting()
					change := offered(kind, withMAC(mac))
					if mac == macHost {
						change.MAC = lladdr.Addr{} // auto
					}
					n.must(t, change)
					if e := n.entry(t, offeredIP); e.Publish != kind || !e.Probed {
						t.Errorf("listed as %+v", e)
					}
					if l.answers(n, s) || n.explains(t) != proxy.PublishedWithheld {
						t.Errorf("it is answered for at once, by %v", n.explains(t))
					}
					if err := n.ifc.Announce(ip(offeredIP)); !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "not verified") {
						t.Errorf("announcing it: %v, want EADDRNOTAVAIL", err)
					}
					time.Sleep(probed)
					probes, announcements, _ := l.frames(n)
					if len(probes) != 3 || len(announcements) == 0 || announcements[0].at.Before(probes[2].at) {
						t.Fatalf("%d probes, %d announcements", len(probes), len(announcements))
					}
					for _, p := range probes {
						if p.arp.SenderHW != n.mac {
							t.Errorf("probe from %v", p.arp.SenderHW)
						}
					}
					if !l.answers(n, s) || n.explains(t) != proxy.PublishedAnswer {
						t.Errorf("it is not answered for, by %v", n.explains(t))
					}
					time.Sleep(time.Hour)
					_, announcements, replies := l.frames(n)
					if len(announcements) != 5 {
						t.Errorf("%d announcements in an hour, want 5: nothing is defended periodically", len(announcements))
					}
					for _, a := range append(announcements, replies...) {
						if a.arp.SenderHW.String() != mac {
							t.Errorf("announced or answered with %v, want %s", a.arp.SenderHW, mac)
						}
					}
					if n.count(event.Probing) != 1 || n.count(event.Verified) != 1 {
						t.Errorf("%d events probing, %d verified", n.count(event.Probing), n.count(event.Verified))
					}
				})
			})
		}
	}
}

// TestPublishedWithoutDAD: where nothing is detected, and by arp -s, a published
// entry is answered for at once.
func TestPublishedWithoutDAD(t *testing.T) {
	for name, tt := range map[string]struct {
		dad    bool
		change func(*host.Change)
	}{"dad off": {false, func(*host.Change) {}}, "not asked for": {true, forced}} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, s := l.detecting(func(c *host.InterfaceConfig) { c.DAD = tt.dad })
				n.must(t, offered(host.Published, tt.change))
				if !l.answers(n, s) || n.entry(t, offeredIP).Probed {
					t.Error("it is probed first")
				}
				time.Sleep(time.Minute)
				if probes, announcements, _ := l.frames(n); len(probes) != 0 || len(announcements) != 1 {
					t.Errorf("%d probes, %d announcements, want 0 and 1", len(probes), len(announcements))
				}
			})
		})
	}
}

// TestPublishedTaken: a published address that somebody has is not answered for,
// and tried again, as an own one would be.
func TestPublishedTaken(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.detecting()
		n.must(t, offered(host.Published))
		time.Sleep(2 * time.Second)
		s.send(n.mac, arp.Packet{Operation: arp.Reply, SenderIP: ip(offeredIP), TargetHW: n.mac, TargetIP: ip("0.0.0.0")})
		want := fmt.Sprintf("e0 has duplicate address %s (in use by %s); disabled.", offeredIP, macPeer)
		if got := n.lines(event.Duplicate); len(got) != 1 || got[0] != want {
			t.Errorf("events %q, want %q", got, want)
		}
		time.Sleep(time.Minute)
		if got := n.ifc.Publications(); len(got) != 1 || got[0] != (host.Publication{IP: ip(offeredIP), State: acd.Duplicate, Owner: lladdr.MustParse(macPeer)}) {
			t.Errorf("it is listed as %+v", got)
		}
		if l.answers(n, l.stranger(macThird)) || n.explains(t) != proxy.PublishedWithheld {
			t.Error("it is answered for")
		}
		if len(n.Entry(ip(offeredIP))) != 1 {
			t.Error("the entry is gone")
		}
		l.forget()
		time.Sleep(7 * time.Minute) // dup_recovery and a fifth
		if probes, _, _ := l.frames(n); len(probes) != 3 || !l.answers(n, l.stranger(macThird)) || !l.answers(n, s) {
			t.Errorf("%d probes, and it is not answered for to everybody, who had it included", len(probes))
		}
		if got := n.lines(event.Recovered); len(got) != 1 || got[0] != fmt.Sprintf("Recovered address %s on e0.", offeredIP) {
			t.Errorf("events %q", got)
		}
	})
}

// TestPublishedClaimed: a claim of a published address in use is reported in the
// words of arp(7P) and nothing else, however often it comes.
func TestPublishedClaimed(t *testing.T) {
	for _, kind := range []host.Publish{host.Published, host.PublishedOnly} {
		t.Run(kind.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, s := l.detecting()
				n.must(t, offered(kind))
				time.Sleep(time.Minute)
				l.forget()
				for range 10 {
					s.ask(offeredIP, offeredIP)
					time.Sleep(2 * time.Second)
				}
				if _, announcements, replies := l.frames(n); len(announcements)+len(replies) != 0 {
					t.Errorf("it is defended by %d announcements and %d replies", len(announcements), len(replies))
				}
				want := fmt.Sprintf("Proxy ARP problem?  Node '%s' is using %s on e0", macPeer, offeredIP)
				got := n.lines(event.Conflict)
				if len(got) != 10 || got[0] != want {
					t.Errorf("events %q, want 10 times %q", got, want)
				}
				if !l.answers(n, l.stranger(macThird)) {
					t.Error("it is given up")
				}
			})
		})
	}
}

// TestPublishedAtItsOwner: the host with the link-layer address that is answered
// with is no other owner.
func TestPublishedAtItsOwner(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.detecting()
		n.must(t, offered(host.Published, withMAC(macPeer)))
		s.ask(offeredIP, offeredIP)
		time.Sleep(time.Minute)
		s.ask(offeredIP, offeredIP)
		if n.count(event.Duplicate)+n.count(event.Conflict) != 0 || !l.answers(n, l.stranger(macThird)) {
			t.Errorf("events %q, %q", n.lines(event.Duplicate), n.lines(event.Conflict))
		}
	})
}

// TestPublishAgain: what is verified is announced and not probed again; what is
// not verified is probed anew (facts 2.2).
func TestPublishAgain(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		first, again          host.Change
		after                 time.Duration
		probes, announcements int
	}{
		{"verified", offered(host.Published), offered(host.Published), time.Minute, 0, 1},
		{"verified, ours", offered(host.Published, ours), offered(host.Published, ours), time.Minute, 0, 5},
		{"verified, with another address", offered(host.Published), offered(host.Published, withMAC(macThird)), time.Minute, 0, 1},
		{"verified, offeredIP only", offered(host.PublishedOnly), offered(host.PublishedOnly), time.Minute, 0, 1},
		{"verified, ours, offeredIP only", offered(host.PublishedOnly, ours), offered(host.PublishedOnly, ours), time.Minute, 0, 5},
		{"probing", offered(host.Published), offered(host.Published), 4 * time.Second, 3, 5},
		{"probing, by arp -s", offered(host.Published), offered(host.Published, forced), 4 * time.Second, 0, 1},
		{"verified, by arp -s", offered(host.Published), offered(host.Published, forced), time.Minute, 0, 0},
		{"not probed before", offered(host.Published, forced), offered(host.Published), time.Minute, 3, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, s := l.detecting()
				n.must(t, tt.first)
				time.Sleep(tt.after)
				l.forget()
				n.must(t, tt.again)
				if got := l.answers(n, s); got != (tt.probes == 0) {
					t.Errorf("answered for at once: %v", got)
				}
				time.Sleep(time.Minute)
				probes, announcements, _ := l.frames(n)
				if len(probes) != tt.probes || len(announcements) != tt.announcements {
					t.Errorf("%d probes and %d announcements, want %d and %d", len(probes), len(announcements), tt.probes, tt.announcements)
				}
				if !l.answers(n, s) {
					t.Error("not answered for in the end")
				}
			})
		})
	}
}

// TestUnpublishedWhileProbed: an entry that goes takes its machine with it, however
// it goes.
func TestUnpublishedWhileProbed(t *testing.T) {
	for _, kind := range []host.Publish{host.Published, host.PublishedOnly} {
		for name, end := range map[string]func(*testing.T, *node){
			"deleted": func(t *testing.T, n *node) {
				if err := n.Delete("", ip(offeredIP)); err != nil {
					t.Error(err)
				}
			},
			"flushed":        func(_ *testing.T, n *node) { n.Flush("") },
			"an own address": func(_ *testing.T, n *node) { n.SetLocal(nil); n.own(offeredIP + "/24") },
			"detached": func(t *testing.T, n *node) {
				if err := n.ifc.Detach(); err != nil {
					t.Error(err)
				}
			},
		} {
			t.Run(kind.String()+" "+name, func(t *testing.T) {
				onLAN(t, func(l *lan) {
					n, s := l.detecting()
					n.must(t, offered(kind))
					time.Sleep(3 * time.Second)
					end(t, n)
					synctest.Wait()
					events := len(n.seen(event.Verified))
					l.forget()
					s.ask(offeredIP, "192.0.2.9")
					time.Sleep(time.Hour)
					probes, announcements, replies := l.frames(n)
					if name == "an own address" { // it is probed as such
						return
					}
					if len(probes)+len(announcements)+len(replies) != 0 || len(n.seen(event.Verified)) != events {
						t.Errorf("%d probes, %d announcements, %d replies afterwards", len(probes), len(announcements), len(replies))
					}
				})
			})
		}
	}
	t.Run("expired", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.detecting()
			n.set(t, "max_age", 3)
			n.must(t, offered(host.PublishedOnly, passing))
			time.Sleep(time.Minute)
			n.none(t, offeredIP)
			probes, announcements, _ := l.frames(n)
			if len(announcements) != 0 || l.answers(n, s) {
				t.Errorf("after %d probes, %d announcements of an entry of three seconds", len(probes), len(announcements))
			}
		})
	})
	t.Run("no longer published", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.detecting()
			n.must(t, offered(host.Published, withMAC(macThird)))
			n.must(t, admin(offeredIP, macThird))
			time.Sleep(time.Minute)
			if probes, announcements, _ := l.frames(n); len(probes)+len(announcements) != 0 || l.answers(n, s) {
				t.Errorf("%d probes, %d announcements", len(probes), len(announcements))
			}
		})
	})
	t.Run("one of two", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n, s := l.detecting()
			n.must(t, offered(host.Published, withMAC(macThird)), offered(host.PublishedOnly))
			if err := n.DeletePublished("", ip(offeredIP)); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
			if probes, _, _ := l.frames(n); len(probes) < 3 || !l.answers(n, s) {
				t.Errorf("%d probes: the other entry is there still", len(probes))
			}
		})
	})
}

// own makes an address the first of the interface's.
func (n *node) own(address string) {
	_ = n.ifc.SetAddresses([]host.Address{{Prefix: prefix(address)}})
}

// TestPublishedAndTheLink: without a link, and without ARP, what is not verified
// waits; what is verified is announced and probed beside its use when the link is
// back.
func TestPublishedAndTheLink(t *testing.T) {
	for name, tt := range map[string]struct {
		after       time.Duration
		gone, there func(*node)
	}{
		"link, probing":  {3 * time.Second, func(n *node) { n.ifc.SetRunning(false) }, func(n *node) { n.ifc.SetRunning(true) }},
		"link, verified": {time.Minute, func(n *node) { n.ifc.SetRunning(false) }, func(n *node) { n.ifc.SetRunning(true) }},
		"ARP, probing":   {3 * time.Second, func(n *node) { n.ifc.SetMode(host.Off) }, func(n *node) { n.ifc.SetMode(host.On) }},
	} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, s := l.detecting()
				n.must(t, offered(host.Published))
				time.Sleep(tt.after)
				tt.gone(n)
				l.forget()
				time.Sleep(time.Hour)
				if sent := l.from(n); len(sent) != 0 {
					t.Fatalf("sent %v meanwhile", sent[0].arp)
				}
				tt.there(n)
				verified := tt.after == time.Minute
				if got := l.answers(n, s); got != verified {
					t.Errorf("answered for at once: %v, want %v", got, verified)
				}
				time.Sleep(100 * time.Millisecond) // the own address comes first
				_, announcements, _ := l.frames(n)
				if verified != (len(announcements) == 1) {
					t.Errorf("%d announcements at once", len(announcements))
				}
				time.Sleep(time.Minute)
				if probes, announcements, _ := l.frames(n); len(probes) != 3 || len(announcements) != 5 || !l.answers(n, s) {
					t.Errorf("%d probes, %d announcements, want 3 and 5", len(probes), len(announcements))
				}
			})
		})
	}
}

// TestPublishedAndDAD: when detection is switched off, what was being probed is
// answered for and announced.
func TestPublishedAndDAD(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.detecting()
		n.must(t, offered(host.Published))
		time.Sleep(3 * time.Second)
		l.forget()
		n.ifc.SetDAD(false, acd.ReprobeAnnounce)
		if _, announcements, _ := l.frames(n); len(announcements) != 1 || !l.answers(n, s) {
			t.Errorf("%d announcements", len(announcements))
		}
		n.ifc.SetDAD(true, acd.ReprobeAnnounce)
		time.Sleep(time.Hour)
		if probes, announcements, _ := l.frames(n); len(probes) != 0 || len(announcements) != 1 {
			t.Errorf("%d probes, %d announcements after it is on again", len(probes), len(announcements))
		}
	})
}

// TestAuthorityClaimed: a claim of an address that the administrator has called
// ours changes nothing and is reported, with and without detection, offeredIP and
// not (facts 1.5, 2.2, 3.6).
func TestAuthorityClaimed(t *testing.T) {
	for _, dad := range []bool{false, true} {
		for _, kind := range []host.Publish{host.Unpublished, host.Published, host.PublishedOnly} {
			t.Run(fmt.Sprintf("dad %v, pub %v", dad, kind), func(t *testing.T) {
				onLAN(t, func(l *lan) {
					n, s := l.detecting(func(c *host.InterfaceConfig) { c.DAD = dad })
					n.must(t, offered(kind, ours, withMAC(macThird)))
					time.Sleep(time.Minute)
					s.answer(n, offeredIP)
					want := fmt.Sprintf("Proxy ARP problem?  Node '%s' is using %s on e0", macPeer, offeredIP)
					if got := n.lines(event.Conflict); len(got) != 1 || got[0] != want {
						t.Errorf("events %q, want %q", got, want)
					}
					e := n.Entry(ip(offeredIP))
					if last := e[len(e)-1]; last.MAC.String() != macThird || !last.Authority || !last.Expires.IsZero() {
						t.Errorf("the entries are %+v", e)
					}
					l.stranger(macThird).answer(n, offeredIP) // its own
					if got := n.lines(event.Conflict); len(got) != 1 {
						t.Errorf("events %q of the address itself", got)
					}
				})
			})
		}
	}
}
