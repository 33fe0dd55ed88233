package lan_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/lladdr"
)

func newLAN(t *testing.T) *lan.LAN {
	t.Helper()
	testns.Require(t)
	l, err := lan.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestNewTouchesNothing compares the interfaces of this namespace.
func TestNewTouchesNothing(t *testing.T) {
	before, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	newLAN(t)
	after, err := net.Interfaces()
	if err != nil || len(after) != len(before) {
		t.Errorf("interfaces were %v, are %v, %v", before, after, err)
	}
}

// TestEverybodyReachesEverybody pings from each host to each other.
func TestEverybodyReachesEverybody(t *testing.T) {
	l := newLAN(t)
	if len(l.Hosts()) != 5 {
		t.Errorf("%d hosts, want 5", len(l.Hosts()))
	}
	for _, from := range l.Hosts() {
		for _, to := range l.Hosts() {
			if _, err := probe.Ping(t.Context(), from.NS, to.IP(), 20*time.Second); err != nil {
				t.Errorf("%s to %s: %v", from.Name, to.Name, err)
			}
		}
	}
	n, ok, err := l.Alice.Neighbour(l.Bob.IP())
	if err != nil || !ok || n.MAC != l.Bob.MAC {
		t.Errorf("alice has %v, %v, %v for bob", n, ok, err)
	}
}

func TestHostOperations(t *testing.T) {
	l := newLAN(t)
	ping := func(to netip.Addr, timeout time.Duration) error {
		_, err := probe.Ping(t.Context(), l.Alice.NS, to, timeout)
		return err
	}

	extra := netip.MustParsePrefix("192.0.2.77/24")
	if err := l.Bob.AddAddress(extra); err != nil {
		t.Fatal(err)
	}
	if err := ping(extra.Addr(), 20*time.Second); err != nil {
		t.Errorf("an address that was added: %v", err)
	}
	if err := l.Bob.RemoveAddress(extra); err != nil {
		t.Fatal(err)
	}
	if err := ping(extra.Addr(), 100*time.Millisecond); err == nil {
		t.Error("an address that was removed answers")
	}

	other := lladdr.MustParse("02:00:00:00:00:99")
	if err := l.Bob.SetMAC(other); err != nil {
		t.Fatal(err)
	}
	if err := l.Alice.Forget(l.Bob.IP()); err != nil {
		t.Fatal(err)
	}
	if err := ping(l.Bob.IP(), 20*time.Second); err != nil {
		t.Error(err)
	}
	if n, _, err := l.Alice.Neighbour(l.Bob.IP()); err != nil || n.MAC != other || l.Bob.MAC != other {
		t.Errorf("bob is at %v for alice, %v, %v", n.MAC, l.Bob.MAC, err)
	}

	wrong := lladdr.MustParse("02:00:00:00:00:66")
	if err := l.Alice.Learn(l.Bob.IP(), wrong); err != nil {
		t.Fatal(err)
	}
	if n, _, err := l.Alice.Neighbour(l.Bob.IP()); err != nil || n.MAC != wrong || n.State != rtnl.StatePermanent {
		t.Errorf("alice was told %v, has %v, %v", wrong, n, err)
	}
	for range 2 { // the second time there is nothing to forget
		if err := l.Alice.Forget(l.Bob.IP()); err != nil {
			t.Error(err)
		}
	}
}

func TestCarrier(t *testing.T) {
	l := newLAN(t)
	for _, on := range []bool{false, true} {
		if err := l.SetCarrier(l.Bob, on); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for {
			carrier, err := l.Bob.HasCarrier()
			if err != nil {
				t.Fatal(err)
			}
			if carrier == on {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("carrier %v, want %v", carrier, on)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if _, err := probe.Ping(t.Context(), l.Alice.NS, l.Bob.IP(), 20*time.Second); err != nil {
		t.Errorf("after the cable was plugged in again: %v", err)
	}
}

func TestJoin(t *testing.T) {
	l := newLAN(t)
	carol, err := l.Join("carol", lladdr.MustParse("02:00:00:00:00:11"), netip.MustParsePrefix("192.0.2.11/24"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := probe.Ping(t.Context(), carol.NS, l.Alice.IP(), 20*time.Second); err != nil {
		t.Error(err)
	}
	if _, err := l.Join("carol", lladdr.MustParse("02:00:00:00:00:12"), netip.Prefix{}); err == nil {
		t.Error("two hosts at one port")
	}
}

// TestJoinBehind pings through a host that was none of the routers before, by
// routes of either kind.
func TestJoinBehind(t *testing.T) {
	l := newLAN(t)
	port := lan.Port{Name: "eth1", MAC: lladdr.MustParse("02:00:00:00:01:01"), Addr: netip.MustParsePrefix("203.0.113.1/24")}
	carol, err := l.JoinBehind(l.Isat, port, "carol", lladdr.MustParse("02:00:00:00:00:20"), netip.MustParsePrefix("203.0.113.32/24"))
	if err != nil {
		t.Fatal(err)
	}
	inside := netip.MustParsePrefix("192.0.2.32/32")
	for _, err := range []error{
		carol.AddAddress(inside),
		carol.AddRoute(netip.MustParsePrefix("192.0.2.0/24"), port.Addr.Addr(), carol.Interface()),
		l.Isat.AddRoute(inside, netip.Addr{}, port.Name),
		l.Alice.AddRoute(inside, l.Isat.IP(), l.Alice.Interface()),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := probe.Ping(t.Context(), l.Alice.NS, inside.Addr(), 20*time.Second); err != nil {
		t.Error(err)
	}
	if err := l.Alice.AddRoute(inside, l.Isat.IP(), "eth7"); err == nil {
		t.Error("a route by an interface that is not there")
	}
}
