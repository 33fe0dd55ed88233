package host_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// announced returns the own addresses announced since the last forget, as
// FreeBSD does it: a broadcast request with spa = tpa and tha = 0.
func (l *lan) announced(t *testing.T, n *node) (all []string) {
	t.Helper()
	for _, s := range l.from(n) {
		if !s.arp.IsAnnouncement() {
			continue
		}
		if s.arp.Operation != arp.Request || !s.arp.TargetHW.IsZero() || !s.to.IsBroadcast() || s.arp.SenderHW != s.from {
			t.Errorf("announcement %+v", s)
		}
		all = append(all, s.arp.SenderIP.String())
	}
	return all
}

// waiting begins a Resolve.
func (n *node) waiting(ctx context.Context, address string) <-chan error {
	done := make(chan error, 1)
	go func() { _, err := n.Resolve(ctx, ip(address)); done <- err }()
	synctest.Wait()
	return done
}

// TestLinkDownUp: dynamic entries go with the link, those that wait hear of it,
// permanent ones are there when it comes back, and addresses are announced then.
func TestLinkDownUp(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) {
			c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("198.51.100.1/24")})
		})
		b := l.host(macPeer, "192.0.2.2/24")
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Fatal(err)
		}
		temp := admin("192.0.2.8", macThird)
		temp.Temporary = true
		for _, c := range []host.Change{admin("192.0.2.9", macThird), temp} {
			if _, err := a.Set(c); err != nil {
				t.Fatal(err)
			}
		}
		wait := a.waiting(l.t.Context(), "192.0.2.77")
		a.ifc.SetRunning(false)
		if err := <-wait; !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("the one that waits gets %v, want ENETDOWN", err)
		}
		a.none(t, "192.0.2.2")
		a.none(t, "192.0.2.8")
		a.none(t, "192.0.2.77")
		if e := a.entry(t, "192.0.2.9"); e.State != cache.Permanent {
			t.Errorf("the permanent entry is %v", e.State)
		}
		l.forget()
		for _, address := range []string{"192.0.2.9", "192.0.2.2"} {
			if err := a.Output(packet(ip(address), 1)); !errors.Is(err, syscall.ENETDOWN) {
				t.Errorf("sending to %s: %v, want ENETDOWN", address, err)
			}
		}
		if err := a.ifc.Announce(); !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("announcing: %v, want ENETDOWN", err)
		}
		if sent := l.from(a); len(sent) != 0 {
			t.Errorf("%d frames sent while the link is down", len(sent))
		}
		a.ifc.SetRunning(true)
		if got := l.announced(t, a); len(got) != 2 || got[0] != "192.0.2.1" || got[1] != "198.51.100.1" {
			t.Errorf("announced %v", got)
		}
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Errorf("after the link came back: %v", err)
		}
		if n, m := a.count(event.LinkDown), a.count(event.LinkUp); n != 1 || m != 1 {
			t.Errorf("%d events link_down, %d link_up", n, m)
		}
		a.ifc.SetRunning(true) // nothing new
		if n := a.count(event.LinkUp); n != 1 {
			t.Errorf("%d events link_up", n)
		}
	})
}

func TestMACChange(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		b := l.host(macPeer, "192.0.2.2/24")
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Set(admin("192.0.2.9", macThird)); err != nil {
			t.Fatal(err)
		}
		wait := a.waiting(l.t.Context(), "192.0.2.77")
		changed := lladdr.MustParse("02:00:00:00:00:aa")
		a.port.SetMAC(changed)
		if err := a.ifc.SetMAC(changed); err != nil {
			t.Fatal(err)
		}
		a.mac = changed
		if got := l.announced(t, a); len(got) != 1 || got[0] != "192.0.2.1" {
			t.Errorf("announced %v", got)
		}
		a.none(t, "192.0.2.2")
		a.entry(t, "192.0.2.9")
		if e := b.entry(t, "192.0.2.1"); e.MAC != changed {
			t.Errorf("the peer has %v", e.MAC)
		}
		time.Sleep(1500 * time.Millisecond)
		l.stranger("02:00:00:00:00:77").answer(a, "192.0.2.77")
		if err := <-wait; err != nil {
			t.Errorf("the one that waits gets %v: its requests go on from the new address", err)
		}
		if err := a.ifc.SetMAC(lladdr.MustParse("1f")); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("a short address: %v", err)
		}
	})
}

func TestRename(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		if err := a.MIB().Set("net.link.ether.inet.max_age", "wan", 100); err != nil {
			t.Fatal(err)
		}
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		a.ifc.Rename("wan")
		e := a.entry(t, "192.0.2.9")
		if e.Interface != "wan" || time.Until(e.Expires) != 100*time.Second {
			t.Errorf("entry on %s expires %v: the tunables of the new name hold", e.Interface, e.Expires)
		}
		if _, ok := a.Interface("e0"); ok {
			t.Error("the old name is still there")
		}
		time.Sleep(100 * time.Second)
		a.none(t, "192.0.2.9")
	})
}

// TestDetachWhileWaiting and at the end of Run: nobody waits for ever.
func TestEndWhileWaiting(t *testing.T) {
	for _, how := range []string{"detach", "end of Run", "address removed"} {
		t.Run(how, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.still(host.Config{}, macHost, "192.0.2.1/24")
				stop := a.run(l.t)
				wait := a.waiting(l.t.Context(), "192.0.2.77")
				want := syscall.ENETDOWN
				switch how {
				case "detach":
					if err := a.ifc.Detach(); err != nil {
						t.Error(err)
					}
				case "end of Run":
					stop()
				case "address removed":
					want = syscall.ENETUNREACH
					if err := a.ifc.SetAddresses(nil); err != nil {
						t.Error(err)
					}
				}
				if err := <-wait; !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				_, err := a.Resolve(l.t.Context(), ip("192.0.2.77"))
				if err == nil {
					t.Error("resolved afterwards")
				}
			})
		})
	}
}

// TestDetach leaves nothing behind, and the name and index are free again.
func TestDetach(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		before := a.Stats()
		if err := a.ifc.Detach(); err != nil {
			t.Error(err)
		}
		if err := a.ifc.Detach(); err != nil {
			t.Errorf("again: %v", err)
		}
		if len(a.Entries()) != 0 || len(a.Routes()) != 0 {
			t.Errorf("left: %+v %+v", a.Entries(), a.Routes())
		}
		if got := a.Stats(); got != before {
			t.Errorf("statistics %+v, were %+v", got, before)
		}
		a.ifc.Input(make([]byte, 60))
		port := l.seg.Port(a.mac)
		ifc, err := a.Attach(host.InterfaceConfig{Name: "e0", Index: 1, MAC: a.mac, Port: port, Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}}})
		if err != nil {
			t.Fatal(err)
		}
		l.forget()
		l.stranger(macThird).ask("192.0.2.1", "192.0.2.10")
		if len(l.from(a)) != 1 || ifc.Stats().TxReplies != 1 {
			t.Error("the interface that came back does not answer")
		}
	})
}

func TestAttachRefused(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		good := host.InterfaceConfig{Name: "e1", Index: 2, MAC: lladdr.MustParse(macPeer), Port: new(sink)}
		for _, tt := range []struct {
			name   string
			change func(*host.InterfaceConfig)
			want   error
		}{
			{"name taken", func(c *host.InterfaceConfig) { c.Name = "e0" }, syscall.EEXIST},
			{"index taken", func(c *host.InterfaceConfig) { c.Index = 1 }, syscall.EEXIST},
			{"no name", func(c *host.InterfaceConfig) { c.Name = "" }, syscall.EINVAL},
			{"no index", func(c *host.InterfaceConfig) { c.Index = 0 }, syscall.EINVAL},
			{"no port", func(c *host.InterfaceConfig) { c.Port = nil }, syscall.EINVAL},
			{"address too short", func(c *host.InterfaceConfig) { c.MAC = lladdr.MustParse("1f") }, syscall.EINVAL},
			{"multicast own address", func(c *host.InterfaceConfig) { c.Addresses = []host.Address{{Prefix: prefix("224.0.0.1/24")}} }, syscall.EINVAL},
			{"IPv6 own address", func(c *host.InterfaceConfig) { c.Addresses = []host.Address{{Prefix: prefix("2001:db8::1/64")}} }, syscall.EINVAL},
		} {
			c := good
			tt.change(&c)
			if _, err := a.Attach(c); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		if _, ok := a.Interface("e1"); ok || len(a.Routes()) != 3 {
			t.Error("a refused interface left something behind")
		}
		if _, err := a.Attach(good); err != nil {
			t.Errorf("after that: %v", err)
		}
	})
}

// TestRunTwice is a mistake that is told.
func TestRunTwice(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		synctest.Wait()
		if err := a.Run(l.t.Context()); err == nil {
			t.Error("Run ran twice")
		}
		if err := a.Ping(l.t.Context()); err != nil {
			t.Errorf("the host does not live: %v", err)
		}
	})
}
