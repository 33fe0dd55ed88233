package host_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// probeCall is a call of Probe that is under way.
type probeCall struct {
	mu   sync.Mutex
	all  []host.Probed
	done chan error // of capacity 1
}

// probe begins a call of Probe.
func (n *node) probe(ctx context.Context, fast bool, addresses ...string) *probeCall {
	p := &probeCall{done: make(chan error, 1)}
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, ip(a))
	}
	go func() {
		p.done <- n.ifc.Probe(ctx, list, fast, func(r host.Probed) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.all = append(p.all, r)
		})
	}()
	synctest.Wait()
	return p
}

// results returns what was found up to now.
func (p *probeCall) results() []host.Probed {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

// over fails the test if a call of Probe has not ended with this error.
func (p *probeCall) over(t *testing.T, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-p.done:
		if !errors.Is(err, want) {
			t.Errorf("it ended with %v, want %v", err, want)
		}
	default:
		t.Error("it has not ended")
	}
}

// TestProbe has the times of RFC 5227 section 1.1.
func TestProbe(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.host(macHost, "192.0.2.1/24"), l.stranger(macPeer)
		start := time.Now()
		p := n.probe(l.t.Context(), false, "192.0.2.5", "192.0.2.6")
		time.Sleep(2 * time.Second)
		s.answer(n, "192.0.2.6") // a claim
		if want := []host.Probed{{IP: ip("192.0.2.6"), MAC: s.mac}}; !slices.Equal(p.results(), want) {
			t.Errorf("%v, want %v at once", p.results(), want)
		}
		for len(p.results()) < 2 {
			time.Sleep(ms)
		}
		took := time.Since(start)
		p.over(t, nil)
		if want := (host.Probed{IP: ip("192.0.2.5"), Free: true}); p.results()[1] != want {
			t.Errorf("%v, want %v", p.results()[1], want)
		}
		at := l.times(n, start, "probe 192.0.2.5")
		if len(at) != 3 {
			t.Fatalf("probes at %v", at)
		}
		within(t, "the first probe", at[0], 0, time.Second+ms)
		within(t, "the second", at[1]-at[0], time.Second, 2*time.Second+ms)
		within(t, "the third", at[2]-at[1], time.Second, 2*time.Second+ms)
		within(t, "the answer", took-at[2], 2*time.Second, 2*time.Second+2*ms)
		l.forget()
		time.Sleep(time.Hour)
		l.expect(n, "afterwards")
		if len(n.ifc.OwnAddresses()) != 1 || n.Stats().DupIPs != 0 {
			t.Error("an address that was asked for is an own one")
		}
	})
}

// TestProbeFast goes by the fastprobe nodes.
func TestProbeFast(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.watching() // own addresses are slow there
		n.tune(t, "fastprobe_interval", 100)
		start := time.Now()
		p := n.probe(l.t.Context(), true, candidate)
		time.Sleep(450 * ms) // 100 ms, twice 120 ms, and 100 ms at the most
		p.over(t, nil)
		if at := l.times(n, start, "probe "+candidate); len(at) != 3 || !p.results()[0].Free {
			t.Errorf("probes at %v, %v", at, p.results())
		}
	})
}

// TestProbeKnown: an address of this host is taken at once, and so is what it
// publishes.
func TestProbeKnown(t *testing.T) {
	for _, dad := range []bool{false, true} {
		onLAN(t, func(l *lan) {
			n := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) { c.DAD = dad })
			n.second(l)
			n.assign(t, candidate) // with DAD it is being probed
			n.SetLocal([]host.Address{{Prefix: prefix("203.0.113.1/32")}})
			other := lladdr.MustParse("02:00:00:00:00:99")
			for _, c := range []host.Change{{IP: ip("192.0.2.20"), Publish: host.PublishedOnly}, {IP: ip("192.0.2.21"), MAC: other, Publish: host.Published}} {
				c.Origin = host.Administrator
				if _, err := n.Set(c); err != nil {
					t.Fatal(err)
				}
			}
			l.forget()
			p := n.probe(l.t.Context(), false, "192.0.2.1", candidate, "198.51.100.1", "203.0.113.1", "192.0.2.20", "192.0.2.21")
			p.over(t, nil)
			want := []host.Probed{
				{IP: ip("192.0.2.1"), MAC: n.mac}, {IP: ip(candidate), MAC: n.mac}, {IP: ip("198.51.100.1"), MAC: lladdr.MustParse("02:00:00:00:00:78")},
				{IP: ip("203.0.113.1"), MAC: n.mac}, {IP: ip("192.0.2.20"), MAC: n.mac}, {IP: ip("192.0.2.21"), MAC: other},
			}
			if !slices.Equal(p.results(), want) {
				t.Errorf("%v, want %v", p.results(), want)
			}
			l.expect(n, "asking for them")
		})
	}
}

// TestProbeBecomesOwn: an address that becomes the host's while it is asked for is
// taken.
func TestProbeBecomesOwn(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		a, b := n.probe(l.t.Context(), false, candidate), n.probe(l.t.Context(), true, candidate)
		n.assign(t, candidate)
		for _, p := range []*probeCall{a, b} {
			p.over(t, nil)
			if want := []host.Probed{{IP: ip(candidate), MAC: n.mac}}; !slices.Equal(p.results(), want) {
				t.Errorf("%v, want %v", p.results(), want)
			}
		}
	})
}

// TestProbeWithdrawn: a duplicate of the host is somebody else's.
func TestProbeWithdrawn(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.duplicate(acd.Policy{})
		p := n.probe(l.t.Context(), false, candidate)
		time.Sleep(1200 * ms)
		s.claim()
		p.over(t, nil)
		if want := []host.Probed{{IP: ip(candidate), MAC: s.mac}}; !slices.Equal(p.results(), want) {
			t.Errorf("%v, want %v", p.results(), want)
		}
	})
}

// TestProbeConcurrent: several callers ask for the same address, and the end of one
// does not disturb the others.
func TestProbeConcurrent(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, s := l.host(macHost, "192.0.2.1/24"), l.stranger(macPeer)
		ctx, cancel := context.WithCancel(l.t.Context())
		calls := []*probeCall{
			n.probe(l.t.Context(), false, candidate), n.probe(ctx, false, candidate, "192.0.2.6"),
			n.probe(l.t.Context(), true, candidate), n.probe(ctx, false, candidate), n.probe(l.t.Context(), false, candidate, "192.0.2.6"),
		}
		time.Sleep(620 * ms)
		calls[2].over(t, nil) // the fast one: 100 ms, twice 180 ms, and 150 ms at the most
		cancel()
		calls[1].over(t, context.Canceled)
		calls[3].over(t, context.Canceled)
		if len(calls[1].results()) != 0 {
			t.Errorf("%v", calls[1].results())
		}
		time.Sleep(600 * ms)
		s.claim()
		taken := host.Probed{IP: ip(candidate), MAC: s.mac}
		calls[0].over(t, nil)
		if !slices.Equal(calls[0].results(), []host.Probed{taken}) || !slices.Equal(calls[4].results(), []host.Probed{taken}) {
			t.Errorf("%v and %v, want %v", calls[0].results(), calls[4].results(), taken)
		}
		time.Sleep(10 * time.Second)
		calls[4].over(t, nil)
		if !slices.Equal(calls[4].results(), []host.Probed{taken, {IP: ip("192.0.2.6"), Free: true}}) {
			t.Errorf("%v", calls[4].results())
		}
	})
}

// TestProbeEnds: what is cancelled, or answered by an address that becomes the
// host's, asks no more.
func TestProbeEnds(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		ctx, cancel := context.WithCancel(l.t.Context())
		p := n.probe(ctx, false, candidate, "192.0.2.6")
		n.assign(t, candidate)
		l.forget()
		time.Sleep(1200 * ms)
		if got := l.did(n); count(got, "probe "+candidate) != 0 {
			t.Errorf("after it became the host's: %q", got)
		}
		cancel()
		p.over(t, context.Canceled)
		l.forget()
		time.Sleep(time.Minute)
		l.expect(n, "afterwards")
	})
}

// TestProbeErrors: what cannot be asked, and what ends a call.
func TestProbeErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*host.InterfaceConfig)
		ips    []string
		during func(*testing.T, *node)
		want   error
	}{
		{"nothing", nil, nil, nil, nil},
		{"0.0.0.0", nil, []string{"192.0.2.5", "0.0.0.0"}, nil, syscall.EINVAL},
		{"multicast", nil, []string{"224.0.0.1"}, nil, syscall.EINVAL},
		{"broadcast", nil, []string{"255.255.255.255"}, nil, syscall.EINVAL},
		{"broadcast of the network", nil, []string{"192.0.2.255"}, nil, syscall.EINVAL},
		{"IPv6", nil, []string{"2001:db8::1"}, nil, syscall.EINVAL},
		{"twice", nil, []string{"192.0.2.5", "192.0.2.6", "192.0.2.5"}, nil, syscall.EINVAL},
		{"twice in other words", nil, []string{"192.0.2.5", "::ffff:192.0.2.5"}, nil, syscall.EINVAL},
		{"no link", func(c *host.InterfaceConfig) { c.Down = true }, []string{"192.0.2.5"}, nil, syscall.ENETDOWN},
		{"no ARP", func(c *host.InterfaceConfig) { c.Mode = host.Off }, []string{"192.0.2.5"}, nil, syscall.EOPNOTSUPP},
		{"only observing", func(c *host.InterfaceConfig) { c.Mode = host.Watch }, []string{"192.0.2.5"}, nil, syscall.EOPNOTSUPP},
		{"the link goes", nil, []string{"192.0.2.5", "192.0.2.6"}, func(_ *testing.T, n *node) { n.ifc.SetRunning(false) }, syscall.ENETDOWN},
		{"ARP ends", nil, []string{"192.0.2.5"}, func(_ *testing.T, n *node) { n.ifc.SetMode(host.Off) }, syscall.EOPNOTSUPP},
		{"observing begins", nil, []string{"192.0.2.5"}, func(_ *testing.T, n *node) { n.ifc.SetMode(host.Watch) }, syscall.EOPNOTSUPP},
		{"the interface goes", nil, []string{"192.0.2.5"}, func(t *testing.T, n *node) {
			if err := n.ifc.Detach(); err != nil {
				t.Error(err)
			}
		}, syscall.ENETDOWN},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				if tt.change == nil {
					tt.change = func(*host.InterfaceConfig) {}
				}
				n := l.host(macHost, "192.0.2.1/24", tt.change)
				p := n.probe(l.t.Context(), false, tt.ips...)
				if tt.during != nil {
					time.Sleep(1500 * ms)
					tt.during(t, n)
				}
				p.over(t, tt.want)
				if len(p.results()) != 0 {
					t.Errorf("%v", p.results())
				}
				l.forget()
				time.Sleep(time.Minute)
				l.expect(n, "afterwards")
			})
		})
	}
	t.Run("the host ends", func(t *testing.T) {
		onLAN(t, func(l *lan) {
			n := l.still(host.Config{}, macHost, "192.0.2.1/24")
			stop := n.run(l.t)
			p := n.probe(l.t.Context(), false, candidate)
			time.Sleep(1500 * ms)
			stop()
			p.over(t, syscall.ENETDOWN)
			n.probe(l.t.Context(), false, candidate).over(t, syscall.ENETDOWN)
		})
	})
}

// TestProbeTenThousand: no more than 2,000 frames leave in any second, the probes of
// each address keep their spacing, and all take the time of one and what the frames
// need.
func TestProbeTenThousand(t *testing.T) {
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		l := &lan{t: t, seg: segment.New(segment.Options{})}
		defer l.seg.Close()
		var frames []time.Time
		probes := make(map[netip.Addr][]time.Time)
		l.seg.Tap(func(at time.Time, frame []byte) {
			frames = append(frames, at)
			target := netip.AddrFrom4([4]byte(frame[14+24:]))
			probes[target] = append(probes[target], at)
		})
		n := l.host(macHost, "10.0.0.1/8")
		var list []netip.Addr
		for i := range many {
			list = append(list, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
		}
		start, free := time.Now(), 0
		if err := n.ifc.Probe(t.Context(), list, false, func(p host.Probed) {
			if p.Free {
				free++
			}
		}); err != nil {
			t.Fatal(err)
		}
		if free != many {
			t.Errorf("%d are free", free)
		}
		// One takes 7 s at the most: RFC 5227 section 1.1.
		within(t, "all", time.Since(start), 3*many/2000*time.Second, 7*time.Second+3*many/2000*time.Second)
		for i, at := range frames {
			if i >= 2000 && at.Sub(frames[i-2000]) < time.Second {
				t.Fatalf("2,001 frames in %v", at.Sub(frames[i-2000]))
			}
		}
		if len(probes) != many {
			t.Errorf("%d were probed", len(probes))
		}
		for target, at := range probes {
			if len(at) != 3 {
				t.Fatalf("%d probes of %v", len(at), target)
			}
			within(t, target.String(), at[1].Sub(at[0]), time.Second, 2*time.Second+100*ms)
			within(t, target.String(), at[2].Sub(at[1]), time.Second, 2*time.Second+100*ms)
		}
	})
}
