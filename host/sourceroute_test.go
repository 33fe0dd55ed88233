package host_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/proxy"
)

// rif reads a source route.
func rif(t *testing.T, hex string) link.SourceRoute {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(hex, "%x", &b); err != nil {
		t.Fatal(err)
	}
	r, err := link.ParseSourceRoute(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	// explored is the route of a broadcast that crossed bridge 1 from ring 1 to
	// ring 2, and back is that route turned round (facts/freebsd-arp.md 5.1).
	explored = "c61000110020"
	back     = "rt=690:11:20"
)

// The route of an ARP packet is kept with its sender, turned round, and leads
// all that goes there; what goes to everybody has none.
func TestSourceRoute(t *testing.T) {
	s := onMedium(t, link.TokenRing{}, macRing)
	s.hear(rif(t, explored), ask(macOther, peerIP))
	s.want("the reply", "ARP to "+macOther+" "+back)
	entry := func(want string) {
		t.Helper()
		if all := s.Entry(ip(peerIP)); len(all) != 1 || all[0].Route.String() != want {
			t.Errorf("the entries are %+v, want one with route %q", all, want)
		}
	}
	entry(back)
	s.output(peerIP)
	s.want("packets", "IP to "+macOther+" "+back, "IP to "+macOther+" "+back)

	s.output("192.0.2.255")
	s.want("a broadcast", "IP to ff:ff:ff:ff:ff:ff", "IP to ff:ff:ff:ff:ff:ff")
	if err := s.ifc.Announce(); err != nil {
		t.Error(err)
	}
	s.want("an announcement", "ARP to ff:ff:ff:ff:ff:ff")

	t.Log("the station moves to another ring")
	s.hear(rif(t, "069000310020"), ask(macOther, peerIP))
	s.want("the reply", "ARP to "+macOther+" rt=610:31:20")
	entry("rt=610:31:20")

	t.Log("and onto the same ring")
	s.hear(link.SourceRoute{}, ask(macOther, peerIP))
	s.output(peerIP)
	s.want("reply and packets", "ARP to "+macOther, "IP to "+macOther, "IP to "+macOther)
	entry("")

	t.Log("a frame that could have crossed bridges and has not")
	s.hear(rif(t, explored), ask(macOther, peerIP))
	s.hear(rif(t, "8200"), ask(macOther, peerIP))
	s.sent()
	s.output(peerIP)
	s.want("packets", "IP to "+macOther, "IP to "+macOther)
}

// The packet that waits for the answer goes by the route that came with it.
func TestSourceRouteOfHeldPacket(t *testing.T) {
	s := onMedium(t, link.TokenRing{}, macRing)
	if err := s.Output(packet(ip(peerIP), 1)); err != nil {
		t.Fatal(err)
	}
	s.want("the request", "ARP to ff:ff:ff:ff:ff:ff")
	answer := ask(macOther, peerIP)
	answer.Operation = arp.Reply
	s.hear(rif(t, explored), answer)
	s.want("the packet", "IP to "+macOther+" "+back)
}

// A probe is answered by the way it came, and nothing is kept of it.
func TestSourceRouteOfProbe(t *testing.T) {
	s := onMedium(t, link.TokenRing{}, macRing)
	s.hear(rif(t, explored), ask(macOther, "0.0.0.0"))
	s.want("the reply", "ARP to "+macOther+" "+back)
}

// An answer that has to wait for the Router goes by the way its request came.
func TestSourceRouteOfDelayedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := make(chan proxy.Routes)
		f := &fakeRouter{route: func(context.Context, proxy.Question) (proxy.Routes, error) { return <-said, nil }}
		s := newStation(t, host.Config{Router: f}, link.TokenRing{}, macRing)
		(&node{Host: s.Host}).run(t)
		if err := s.MIB().Set("net.link.ether.inet.proxyall", "", 1); err != nil {
			t.Fatal(err)
		}
		request := ask(macOther, peerIP)
		request.TargetIP = ip("198.51.100.9")
		s.hear(rif(t, "069000310020"), request)
		s.hear(rif(t, explored), request) // the newest waits
		synctest.Wait()
		s.want("before the Router has answered")
		said <- proxy.Routes{To: "e1", Back: "e0"}
		synctest.Wait()
		s.want("the reply", "ARP to "+macOther+" "+back)
	})
}

// Whose address an administrator has set says by which way it is reached, and
// nobody else does. Another address has another way.
func TestSourceRouteOfPermanent(t *testing.T) {
	s := onMedium(t, link.TokenRing{}, macRing)
	set := func(mac string, temporary bool) {
		t.Helper()
		c := admin(peerIP, mac)
		c.Temporary = temporary
		if _, err := s.Set(c); err != nil {
			t.Fatal(err)
		}
	}
	set(macOther, false)
	s.hear(rif(t, explored), ask(macOther, peerIP))
	s.hear(rif(t, "061000310020"), ask("40:00:00:00:00:66", peerIP))
	s.sent()
	s.output(peerIP)
	s.want("packets", "IP to "+macOther+" "+back, "IP to "+macOther+" "+back)
	set(macOther, true)
	s.output(peerIP)
	s.want("packets to the same", "IP to "+macOther+" "+back, "IP to "+macOther+" "+back)
	set("40:00:00:00:00:0a", false)
	s.output(peerIP)
	s.want("packets to another", "IP to 40:00:00:00:00:0a", "IP to 40:00:00:00:00:0a")
}
