package host

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// station is a link-layer address of its own for each number.
func station(i int) lladdr.Addr {
	return lladdr.From6([6]byte{2, 1, 0, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestLastHeard(t *testing.T) {
	var l lastHeard
	check := func(i int, want lladdr.Addr) {
		t.Helper()
		if got, ok := l.get(address(i)); ok != want.IsValid() || got != want {
			t.Errorf("%v was last heard from %q, want %q", address(i), got, want)
		}
	}
	check(0, lladdr.Addr{})
	l.note(address(0), station(0))
	check(0, station(0))
	l.note(address(0), station(7)) // it has moved
	check(0, station(7))

	// Who speaks stays, however many others there are; who is silent goes.
	l.note(address(1), station(1))
	for i := 10; i < 10+3*maxHeard; i++ {
		l.note(address(i), station(i))
		if i%100 == 0 {
			l.note(address(0), station(7))
		}
		if n := len(l.young) + len(l.old); n > 2*maxHeard {
			t.Fatalf("%d addresses are remembered, want at most %d", n, 2*maxHeard)
		}
	}
	check(0, station(7))
	check(1, lladdr.Addr{})

	// One that is remembered by the old generation and has moved since.
	l = lastHeard{}
	l.note(address(0), station(0))
	for i := 1; i <= maxHeard; i++ {
		l.note(address(i), station(i))
	}
	check(0, station(0))
	l.note(address(0), station(7))
	check(0, station(7))
}

// TestLastHeardAllocations: the maps grow once and are used again.
func TestLastHeardAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	var l lastHeard
	i := 0
	speak := func() {
		for range 100 {
			l.note(address(i), station(i))
			i++
		}
	}
	for range 5 * maxHeard / 100 {
		speak()
	}
	if got := testing.AllocsPerRun(1000, speak); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestHeardByEntry: a dynamic entry knows what the record has forgotten; a
// permanent one does not know who speaks.
func TestHeardByEntry(t *testing.T) {
	h, _ := newTestHost(t)
	learnEntry(t, h, address(0))
	if _, err := h.Set(Change{IP: address(1), MAC: peerMAC, Origin: Administrator}); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.heardFrom(address(0), peerMAC) || h.heardFrom(address(0), ownMAC) {
		t.Error("the dynamic entry does not tell")
	}
	if h.heardFrom(address(1), peerMAC) {
		t.Error("the permanent entry tells who was heard")
	}
}

// countingRouter routes everything to e1 and counts the questions.
type countingRouter struct{ asked atomic.Int64 }

func (c *countingRouter) Route(context.Context, proxy.Question) (proxy.Routes, error) {
	c.asked.Add(1)
	return proxy.Routes{To: "e1", Back: "e0"}, nil
}

// TestProxyStorm: requests for 10,000 targets at once, by as many senders, take
// bounded memory and a bounded number of questions; each is accounted for, and
// afterwards the next request is answered.
func TestProxyStorm(t *testing.T) {
	const storm = 10_000
	synctest.Test(t, func(t *testing.T) {
		router := new(countingRouter)
		h := New(Config{Router: router})
		ifc, err := h.Attach(InterfaceConfig{
			Name: "e0", Index: 1, MAC: ownMAC, Port: nullPort{},
			Addresses: []Address{{Prefix: netip.MustParsePrefix("192.0.2.1/24")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.MIB().Set("net.link.ether.inet.proxyall", "", 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() { defer close(done); _ = h.Run(ctx) }()
		synctest.Wait()

		for i := range storm {
			ifc.Input(arpFrame(arp.Request, address(storm+i).String(), address(i).String()))
		}
		synctest.Wait()
		s := h.Stats()
		if s.Routes.Questions == 0 || s.Routes.Questions+s.Routes.Limited != storm || s.TxReplies != s.Routes.Questions || s.Drops[DropProxyRefused] != s.Routes.Limited {
			t.Errorf("%d answered, %d refused, routes %+v; want %d in all", s.TxReplies, s.Drops[DropProxyRefused], s.Routes, storm)
		}
		if got := router.asked.Load(); got != int64(s.Routes.Questions) || got > 256 { // proxy.Limits.Burst
			t.Errorf("the Router was asked %d times, counted %d", got, s.Routes.Questions)
		}
		h.mu.Lock()
		if slots, windows, senders := h.decisions.Len(), len(h.limiter.windows), len(h.lastHeard.young)+len(h.lastHeard.old); slots > 4096 || windows > maxWindows+2 || senders > 2*maxHeard {
			t.Errorf("%d decisions, %d windows, %d senders are kept", slots, windows, senders)
		}
		if n := len(ifc.dynamic); n != 0 {
			t.Errorf("%d entries were made", n)
		}
		h.mu.Unlock()

		time.Sleep(2 * time.Second)
		ifc.Input(arpFrame(arp.Request, "192.0.2.9", "8.8.8.8"))
		synctest.Wait()
		if got := h.Stats().TxReplies; got != s.TxReplies+1 {
			t.Errorf("after the storm %d answers, want %d", got, s.TxReplies+1)
		}
		cancel()
		<-done
	})
}
