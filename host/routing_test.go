package host_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/proxy"
	"github.com/isat-project/isat/route"
)

// fakeRouter is a Router that routes as the test says and notes what it is asked.
type fakeRouter struct {
	mu    sync.Mutex
	asked []proxy.Question
	route func(context.Context, proxy.Question) (proxy.Routes, error)
}

func (f *fakeRouter) Route(ctx context.Context, q proxy.Question) (proxy.Routes, error) {
	f.mu.Lock()
	f.asked = append(f.asked, q)
	route := f.route
	f.mu.Unlock()
	return route(ctx, q)
}

// set puts another decision in the place of the present one.
func (f *fakeRouter) set(route func(context.Context, proxy.Question) (proxy.Routes, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.route = route
}

// count returns how often it was asked.
func (f *fakeRouter) count() int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// through routes every request from e0 to e1.
func through(context.Context, proxy.Question) (proxy.Routes, error) {
	return proxy.Routes{To: "e1", Back: "e0"}, nil
}

// routedHost is a proxyHost with proxyall and a Router.
func (l *lan) routedHost(route func(context.Context, proxy.Question) (proxy.Routes, error)) (*proxyHost, *fakeRouter) {
	f := &fakeRouter{route: route}
	n := l.proxyHost(f)
	proxyall(l.t, n)
	return n, f
}

// replies returns how many replies the host has sent.
func (l *lan) replies(n *proxyHost) int { l.from(n.node); return int(n.Stats().TxReplies) }

// TestRouterPolicy: the Router may look at the sender, and what it has said is kept
// for a second for each target and sender.
func TestRouterPolicy(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, f := l.routedHost(func(_ context.Context, q proxy.Question) (proxy.Routes, error) {
			if q.Sender == ip("192.0.2.66") {
				return proxy.Routes{Back: "e0"}, nil // an ip rule: from 192.0.2.66 prohibit
			}
			return proxy.Routes{To: "e1", Back: "e0"}, nil
		})
		s := l.stranger(macPeer)
		s.ask("8.8.8.8", "192.0.2.9")
		s.ask("8.8.8.8", "192.0.2.66")
		s.ask("8.8.8.8", "192.0.2.9")
		if got := l.replies(n); got != 2 {
			t.Errorf("%d answers, want 2: both to 192.0.2.9", got)
		}
		want := []proxy.Question{{Interface: "e0", Target: ip("8.8.8.8"), Sender: ip("192.0.2.9")}, {Interface: "e0", Target: ip("8.8.8.8"), Sender: ip("192.0.2.66")}}
		same := func(a, b proxy.Question) bool {
			return a.Interface == b.Interface && a.Target == b.Target && a.Sender == b.Sender
		}
		if !slices.EqualFunc(f.asked, want, same) {
			t.Errorf("the Router was asked %+v, want %+v", f.asked, want)
		}
		time.Sleep(1001 * time.Millisecond)
		s.ask("8.8.8.8", "192.0.2.9")
		if f.count() != 3 || l.replies(n) != 3 {
			t.Errorf("%d questions and %d answers after a second, want 3 and 3", f.count(), l.replies(n))
		}
		if got, want := n.Stats().Routes, (proxy.RouteStats{Hits: 1, Questions: 3}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		for name, want := range map[string]int64{"route_hits": 1, "route_questions": 3, "route_limited": 0, "route_late": 0, "proxied": 3} {
			if got, err := n.MIB().Get("net.link.ether.arp.stats."+name, ""); err != nil || got != want {
				t.Errorf("%s is %d, error %v, want %d", name, got, err, want)
			}
		}
	})
}

// TestRouterAskedOnce: proxy_arp and proxyall go by one routing decision.
func TestRouterAskedOnce(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, _ := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) {
			return proxy.Routes{To: "e0", Back: "e0"}, nil
		})
		n.ifc.SetProxyARP(true)
		s := l.stranger(macPeer)
		s.ask("8.8.8.8", "192.0.2.9")
		s.ask("8.8.8.8", "192.0.2.9")
		if got, want := n.Stats().Routes, (proxy.RouteStats{Hits: 1, Questions: 1}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

// TestRouterProbe: the question about a probe has the sender 0.0.0.0, of which the
// Router tells the default route.
func TestRouterProbe(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, f := l.routedHost(through)
		s := l.stranger(macPeer)
		s.ask("8.8.8.8", "0.0.0.0")
		if f.count() != 0 || l.replies(n) != 0 {
			t.Errorf("%d questions and %d answers to a probe, want none", f.count(), l.replies(n))
		}
		proxyProbes(t, n)
		s.ask("8.8.8.8", "0.0.0.0")
		if f.count() != 1 || l.replies(n) != 1 || f.asked[0].Sender != netip.IPv4Unspecified() {
			t.Errorf("questions %+v and %d answers with proxy_probes", f.asked, l.replies(n))
		}
	})
}

// TestRouterOnlyWhenNeeded: what is decided without a route does not ask for one.
func TestRouterOnlyWhenNeeded(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, f := l.routedHost(through)
		rules(t, n)
		s := l.stranger(macPeer)
		for _, target := range []string{"192.0.2.1", "198.51.100.9", "192.0.2.255", "192.0.2.9"} {
			s.ask(target, "192.0.2.9")
		}
		if f.count() != 0 {
			t.Errorf("asked %+v", f.asked)
		}
	})
}

// TestInvalidateRoutes: a change ends what was said, and what is being asked is
// asked again.
func TestInvalidateRoutes(t *testing.T) {
	onLAN(t, func(l *lan) {
		said := make(chan proxy.Routes)
		n, f := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) { return <-said, nil })
		s := l.stranger(macPeer)
		s.ask("8.8.8.8", "192.0.2.9")
		n.InvalidateRoutes() // the question is in flight: the answer will be of yesterday
		said <- proxy.Routes{To: "e1", Back: "e0"}
		if got := l.replies(n); got != 0 || f.count() != 2 {
			t.Fatalf("%d answers by an old route, %d questions", got, f.count())
		}
		said <- proxy.Routes{To: "e0", Back: "e0"}
		if got := l.replies(n); got != 0 {
			t.Errorf("%d answers by the new route, want none", got)
		}
		s.ask("8.8.8.8", "192.0.2.9") // still known
		n.InvalidateRoutes()
		s.ask("8.8.8.8", "192.0.2.9")
		said <- proxy.Routes{To: "e1", Back: "e0"}
		if got := l.replies(n); got != 1 || f.count() != 3 {
			t.Errorf("%d answers and %d questions after the change, want 1 and 3", got, f.count())
		}
	})
}

// TestRouterFails: a request whose question cannot be asked stays without an
// answer, which is told, and the next one is asked anew.
func TestRouterFails(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, f := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) {
			return proxy.Routes{}, errors.New("no buffers")
		})
		s := l.stranger(macPeer)
		s.ask("8.8.8.8", "192.0.2.9")
		if got := l.replies(n); got != 0 || n.Stats().Routes.Late != 1 {
			t.Errorf("%d answers, counted %+v", got, n.Stats().Routes)
		}
		seen := n.seen(event.Ignored)
		if len(seen) != 1 || seen[0].Message != "isat: asking for the route to 8.8.8.8: no buffers" || seen[0].Severity != event.Warning || seen[0].Interface != "e0" {
			t.Errorf("events %+v", seen)
		}
		_, err := n.Explain(l.t.Context(), proxy.Request{Interface: "e0", SenderIP: ip("192.0.2.9"), TargetIP: ip("8.8.8.8")})
		if err == nil || err.Error() != `explaining the request for 8.8.8.8 on "e0": no buffers` {
			t.Errorf("Explain: error %v", err)
		}
		f.set(through)
		s.ask("8.8.8.8", "192.0.2.9")
		if got := l.replies(n); got != 1 {
			t.Errorf("%d answers by the Router that works again, want 1", got)
		}
	})
}

// TestRouterHangs: a Router that never answers holds up nothing but what waits for
// it, each question is given up in time, and Run ends.
func TestRouterHangs(t *testing.T) {
	onLAN(t, func(l *lan) {
		hang := func(ctx context.Context, _ proxy.Question) (proxy.Routes, error) {
			<-ctx.Done()
			return proxy.Routes{}, ctx.Err()
		}
		f := &fakeRouter{route: hang}
		n := &proxyHost{node: l.still(host.Config{Router: f}, macHost, "192.0.2.1/24")}
		stop := n.run(l.t)
		proxyall(t, n)
		s := l.stranger(macPeer)
		s.ask("8.8.8.8", "192.0.2.9")
		s.ask("192.0.2.1", "192.0.2.9")
		if got := l.replies(n); got != 1 {
			t.Errorf("%d answers, want that for the own address", got)
		}
		if err := n.Ping(l.t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		f.set(through)
		s.ask("8.8.8.8", "192.0.2.9")
		if got := l.replies(n); got != 2 {
			t.Errorf("%d answers, want that for 8.8.8.8 too", got)
		}
		f.set(hang)
		s.ask("9.9.9.9", "192.0.2.9")
		before := time.Now()
		stop()
		if took := time.Since(before); took != 0 {
			t.Errorf("Run ended after %v", took)
		}
	})
}

// TestInterfaceChangesWhileWaiting: the answer that comes late is not sent by an
// interface that may not.
func TestInterfaceChangesWhileWaiting(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*testing.T, *proxyHost)
		want   int
	}{
		{"none", func(*testing.T, *proxyHost) {}, 1},
		{"down", func(_ *testing.T, n *proxyHost) { n.ifc.SetRunning(false) }, 0},
		{"off", func(_ *testing.T, n *proxyHost) { n.ifc.SetMode(host.Off) }, 0},
		{"observes", func(_ *testing.T, n *proxyHost) { n.ifc.SetMode(host.Watch) }, 0},
		{"gone", func(t *testing.T, n *proxyHost) {
			if err := n.ifc.Detach(); err != nil {
				t.Error(err)
			}
		}, 0},
		{"proxyall is 0 now", func(t *testing.T, n *proxyHost) { n.set(t, "proxyall", 0) }, 0},
		{"a rule answers now", func(t *testing.T, n *proxyHost) {
			n.rule(t, proxy.Rule{Prefix: prefix("0.0.0.0/0"), Interface: "e0", DenyFrom: []netip.Prefix{prefix("192.0.2.9/32")}})
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				said := make(chan proxy.Routes)
				n, _ := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) { return <-said, nil })
				l.stranger(macPeer).ask("8.8.8.8", "192.0.2.9")
				tt.change(t, n)
				said <- proxy.Routes{To: "e1", Back: "e0"}
				if got := l.replies(n); got != tt.want {
					t.Errorf("%d answers, want %d", got, tt.want)
				}
			})
		})
	}
}

// TestNameChangesWhileWaiting: a request is not answered by another interface that
// has got the name of the one it came in on.
func TestNameChangesWhileWaiting(t *testing.T) {
	onLAN(t, func(l *lan) {
		said := make(chan proxy.Routes)
		n, _ := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) { return <-said, nil })
		l.stranger(macPeer).ask("8.8.8.8", "192.0.2.9")
		n.ifc.Rename("lan0")
		n.e1.Rename("e0")
		before := n.beyond.count()
		said <- proxy.Routes{To: "e1", Back: "e0"}
		synctest.Wait()
		if got := n.beyond.count() - before; got != 0 || n.Stats().TxReplies != 0 {
			t.Errorf("%d frames on the other interface, %d replies, want none", got, n.Stats().TxReplies)
		}
		if got := n.Stats().Routes.Late; got != 1 {
			t.Errorf("counted %d requests without an answer, want 1", got)
		}
	})
}

// TestOwnRoutesChange: what the host's own table has said for an interface that is
// not the Router's holds no longer than the table does.
func TestOwnRoutesChange(t *testing.T) {
	reject := host.Route{Prefix: prefix("198.51.100.9/32"), Flags: route.Reject}
	for _, tt := range []struct {
		name   string
		change func(*proxyHost) error
	}{
		{"a route", func(n *proxyHost) error { return n.AddRoute(reject) }},
		{"a reject entry", func(n *proxyHost) error {
			c := admin("198.51.100.9", macOwner)
			c.Action = host.Reject
			_, err := n.Set(c)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, f := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) {
					return proxy.Routes{}, syscall.ENXIO
				})
				s := l.stranger(macPeer)
				s.ask("198.51.100.9", "192.0.2.9")
				if got := l.replies(n); got != 1 {
					t.Fatalf("%d answers by the own table, want 1", got)
				}
				if err := tt.change(n); err != nil {
					t.Fatal(err)
				}
				s.ask("198.51.100.9", "192.0.2.9")
				if got := l.replies(n); got != 1 {
					t.Errorf("%d answers, %d questions, want no answer by what the table was", got, f.count())
				}
			})
		})
	}
}

// TestExplainAsksTheRouter: Explain does not use what is kept, nor adds to it.
func TestExplainAsksTheRouter(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, f := l.routedHost(through)
		l.stranger(macPeer).ask("8.8.8.8", "192.0.2.9")
		f.set(func(context.Context, proxy.Question) (proxy.Routes, error) {
			return proxy.Routes{To: "e1", Back: "e2"}, nil
		})
		before := n.Stats()
		for range 2000 { // more than the questions that requests may cause
			e, err := n.Explain(l.t.Context(), proxy.Request{Interface: "e0", SenderIP: ip("192.0.2.9"), TargetIP: ip("8.8.8.8")})
			if err != nil || e.Decision.Reason != proxy.AllWrongLink || e.Decision.Routes.Back != "e2" {
				t.Fatalf("%+v, error %v", e, err)
			}
		}
		if after := n.Stats(); after != before || f.count() != 2001 {
			t.Errorf("explaining left traces: %+v, was %+v; %d questions", after, before, f.count())
		}
		l.stranger("02:00:00:00:00:03").ask("8.8.4.4", "192.0.2.9")
		if got := n.Stats().Routes.Limited; got != 0 {
			t.Errorf("explaining used the limit up: %d", got)
		}
	})
}

// TestRouterRefuses has what the Router says of the way back of a request, and what
// only concerns its own link: counter, event and Explain tell the same
// (facts/freebsd-arp.md 3.3 step 13).
func TestRouterRefuses(t *testing.T) {
	for _, tt := range []struct {
		routes  proxy.Routes
		reason  proxy.Reason
		drop    host.Drop
		message string // of the event; FreeBSD has words only for a way back elsewhere
	}{
		{proxy.Routes{To: "e1", Back: ""}, proxy.AllNoReturn, host.DropProxyRefused, ""},
		{proxy.Routes{To: "e1", Back: "e1"}, proxy.AllWrongLink, host.DropProxyRefused, "arp_proxy: ignoring request from 192.0.2.9 via e0, expecting e1"},
		{proxy.Routes{To: "e1", Back: "e2"}, proxy.AllWrongLink, host.DropProxyRefused, "arp_proxy: ignoring request from 192.0.2.9 via e0, expecting e2"},
		{proxy.Routes{To: "e0", Back: ""}, proxy.AllSameLink, host.DropNotForUs, ""},
		{proxy.Routes{To: "", Back: "e0"}, proxy.AllNoRoute, host.DropNotForUs, ""},
		{proxy.Routes{To: "", Back: ""}, proxy.AllNoRoute, host.DropNotForUs, ""},
	} {
		t.Run(fmt.Sprintf("%q, back %q", tt.routes.To, tt.routes.Back), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, _ := l.routedHost(func(context.Context, proxy.Question) (proxy.Routes, error) { return tt.routes, nil })
				s := l.stranger(macPeer)
				e, err := n.Explain(l.t.Context(), proxy.Request{Interface: "e0", SenderMAC: s.mac, SenderIP: ip("192.0.2.9"), TargetIP: ip("8.8.8.8")})
				if err != nil || e.Dropped || e.Decision.Reason != tt.reason || e.Decision.Routes != tt.routes {
					t.Errorf("explained: %+v, error %v, want the reason %v", e, err, tt.reason)
				}
				// The first request waits for the Router, the second finds what it has said.
				for i := range uint64(2) {
					s.ask("8.8.8.8", "192.0.2.9")
					if got := l.replies(n); got != 0 {
						t.Errorf("%d answers, want none", got)
					}
					want := map[host.Drop]uint64{host.DropProxyRefused: 0, host.DropNotForUs: 0}
					want[tt.drop] = i + 1
					for drop, want := range want {
						if got := n.Stats().Drops[drop]; got != want {
							t.Errorf("request %d: %d dropped as %v, want %d", i+1, got, drop, want)
						}
					}
				}
				seen := n.seen(event.ProxyRefused)
				if refused := tt.drop == host.DropProxyRefused; refused != (len(seen) > 0) {
					t.Fatalf("events %+v", seen)
				}
				for _, e := range seen {
					if e.Interface != "e0" || e.IP != ip("8.8.8.8") || e.Message != tt.message {
						t.Errorf("event %+v, want the message %q", e, tt.message)
					}
				}
			})
		})
	}
}
