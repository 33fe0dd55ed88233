package host_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// candidate is the address that tests of detection are about. The host has
// 192.0.2.1 besides, which was there before it.
const candidate = "192.0.2.5"

func withDAD(c *host.InterfaceConfig) { c.DAD = true }

// watching is a host with detection and one address that it has adopted and
// announced.
func (l *lan) watching(change ...func(*host.InterfaceConfig)) *node {
	l.t.Helper()
	n := l.still(host.Config{Rand: rand.NewPCG(1, 2)}, macHost, "192.0.2.1/24", append([]func(*host.InterfaceConfig){withDAD}, change...)...)
	n.run(l.t)
	l.forget()
	return n
}

// assign adds an address of 192.0.2.0/24 to the interface.
func (n *node) assign(t *testing.T, address string, change ...func(*host.Address)) {
	t.Helper()
	a := host.Address{Prefix: prefix(address + "/24")}
	for _, f := range change {
		f(&a)
	}
	if err := n.ifc.SetAddresses(append(n.ifc.Addresses(), a)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// using is a host that has verified the candidate and announced it for the last
// time.
func (l *lan) using(policy acd.Policy, change ...func(*host.InterfaceConfig)) *node {
	l.t.Helper()
	n := l.watching(change...)
	n.assign(l.t, candidate, func(a *host.Address) { a.Policy = policy })
	time.Sleep(20 * time.Second)
	n.in(l.t, candidate, acd.Verified)
	l.forget()
	return n
}

// ownAddress returns an own address with its state; the zero OwnAddress if there is none.
func (n *node) ownAddress(address string) host.OwnAddress {
	synctest.Wait()
	for _, o := range n.ifc.OwnAddresses() {
		if o.Address.Prefix.Addr() == ip(address) {
			return o
		}
	}
	return host.OwnAddress{}
}

// in fails the test if an own address is not in this state.
func (n *node) in(t *testing.T, address string, want acd.State) {
	t.Helper()
	if got := n.ownAddress(address).State; got != want {
		t.Errorf("%s is %v, want %v", address, got, want)
	}
}

// tune sets a tunable of net.link.ether.arp.
func (n *node) tune(t *testing.T, name string, value int64) {
	t.Helper()
	if err := n.MIB().Set("net.link.ether.arp."+name, "", value); err != nil {
		t.Fatal(err)
	}
}

// claim says that the candidate is the stranger's.
func (s *stranger) claim() { s.l.t.Helper(); s.ask(candidate, candidate) }

// doing returns what a frame of a host is, and checks its form.
func (s sentARP) doing(t *testing.T) string {
	t.Helper()
	p := s.arp
	if p.SenderHW != s.from {
		t.Errorf("sender %v in a frame of %v", p.SenderHW, s.from)
	}
	all := ""
	if s.to.IsBroadcast() {
		all = " to all"
	}
	switch {
	case p.Operation == arp.Reply:
		return fmt.Sprintf("reply %v%s", p.SenderIP, all)
	case !s.to.IsBroadcast() || !p.TargetHW.IsZero():
		t.Errorf("a request to %v, tha %v", s.to, p.TargetHW)
	case p.IsProbe():
		return fmt.Sprintf("probe %v", p.TargetIP)
	case p.IsAnnouncement():
		return fmt.Sprintf("announce %v", p.TargetIP)
	}
	return fmt.Sprintf("ask %v tell %v", p.TargetIP, p.SenderIP)
}

// did returns what a host has sent since the last call of forget.
func (l *lan) did(n *node) (all []string) {
	l.t.Helper()
	for _, s := range l.from(n) {
		all = append(all, s.doing(l.t))
	}
	return all
}

// times returns how long after start a host has done something.
func (l *lan) times(n *node, start time.Time, what string) (all []time.Duration) {
	l.t.Helper()
	for _, s := range l.from(n) {
		if s.doing(l.t) == what {
			all = append(all, s.at.Sub(start))
		}
	}
	return all
}

// expect fails the test if a host has not sent just this.
func (l *lan) expect(n *node, when string, want ...string) {
	l.t.Helper()
	if got := l.did(n); !slices.Equal(got, want) {
		l.t.Errorf("%s: it sent %q, want %q", when, got, want)
	}
	l.forget()
}

// message returns the text of the last event of a type, "" if there is none.
func (n *node) message(kind event.Type) string {
	synctest.Wait()
	if all := n.seen(kind); len(all) > 0 {
		return all[len(all)-1].Message
	}
	return ""
}

// second attaches another interface, e1 on a segment of its own, and returns
// somebody there.
func (n *node) second(l *lan) *stranger {
	l.t.Helper()
	other := &lan{t: l.t, seg: segment.New(segment.Options{})}
	mac := lladdr.MustParse("02:00:00:00:00:78")
	if _, err := n.Attach(host.InterfaceConfig{
		Name: "e1", Index: 2, MAC: mac, Port: other.seg.Port(mac), DAD: true,
		Addresses: []host.Address{{Prefix: prefix("198.51.100.1/24")}},
	}); err != nil {
		l.t.Fatal(err)
	}
	return other.stranger("02:00:00:00:00:79")
}

// explained is a request to explain.
func explained(target, sender string) proxy.Request {
	return proxy.Request{Interface: "e0", SenderIP: ip(sender), TargetIP: ip(target)}
}
