package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// sends sends a packet in a frame to all.
func sends(packet string) func(*lan, *node) {
	return func(l *lan, n *node) {
		l.unchecked = true
		l.stranger(macPeer).raw(hexFrame("ffffffffffff 020000000002 0806" + packet))
	}
}

// fill leaves no room for an entry: somebody waits for the only one.
func (l *lan) fill(n *node) {
	n.set(l.t, "max_entries", 1)
	n.waiting(l.t.Context(), "192.0.2.88")
}

// TestDiagnostics has the texts of facts/freebsd-arp.md 4 and their switches.
func TestDiagnostics(t *testing.T) {
	for _, tt := range []struct {
		kind     event.Type
		tunable  string // its switch, "" for none
		severity event.Severity
		send     func(*lan, *node)
		message  string
	}{
		{event.Moved, "log_arp_movements", event.Info, func(l *lan, n *node) {
			l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
			l.stranger(macThird).ask("192.0.2.1", "192.0.2.9")
		}, "arp: 192.0.2.9 moved from 02:00:00:00:00:02 to 02:00:00:00:00:03 on e0"},
		{event.PermanentModify, "log_arp_permanent_modify", event.Error, func(l *lan, n *node) {
			n.Set(admin("192.0.2.9", macThird))
			l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		}, "arp: 02:00:00:00:00:02 attempts to modify permanent entry for 192.0.2.9 on e0"},
		{event.Conflict, "", event.Error, func(l *lan, n *node) {
			l.stranger(macPeer).ask("192.0.2.7", "192.0.2.1")
		}, "arp: 02:00:00:00:00:02 is using my IP address 192.0.2.1 on e0!"},
		{event.BroadcastSender, "", event.Error, func(l *lan, n *node) {
			l.stranger(macPeer).send(lladdr.Broadcast(), arp.Packet{Operation: arp.Request, SenderHW: lladdr.Broadcast(), SenderIP: ip("192.0.2.9"), TargetIP: n.ip})
		}, "arp: link address is broadcast for IP address 192.0.2.9!"},
		{event.WrongInterface, "log_arp_wrong_iface", event.Error, func(l *lan, n *node) {
			other := segment.New(segment.Options{})
			defer other.Close()
			ifc, err := n.Attach(host.InterfaceConfig{Name: "e1", Index: 2, MAC: lladdr.MustParse("02:00:00:00:01:01"), Port: other.Port(lladdr.MustParse("02:00:00:00:01:01")),
				Addresses: []host.Address{{Prefix: prefix("198.51.100.1/24")}}})
			if err != nil {
				panic(err)
			}
			defer ifc.Detach()
			if _, err := n.Set(admin("198.51.100.9", macThird)); err != nil {
				panic(err)
			}
			l.stranger(macPeer).ask("192.0.2.1", "198.51.100.9")
		}, "arp: 198.51.100.9 is on e1 but got reply from 02:00:00:00:00:02 on e0"},
		{event.BroadcastSender, "", event.Notice, func(l *lan, n *node) {
			l.stranger(macPeer).send(lladdr.Broadcast(), arp.Packet{Operation: arp.Request, SenderHW: lladdr.MustParse("01:00:5e:00:00:09"), SenderIP: ip("192.0.2.9"), TargetIP: n.ip})
		}, "arp: 01:00:5e:00:00:09 is multicast"},
		{event.Malformed, "", event.Notice, sends("0001080006"), "arp: packet with short header received on e0"},
		{event.Malformed, "", event.Error, sends("0001 0800 06 04 0001 020000000002c0000209"), "arp: runt packet"},
		{event.Malformed, "", event.Error, sends("0007 0800 06 04 0001 020000000002c0000209 000000000000c0000201"),
			"arp: unknown hardware address format (0x0007)"},
		{event.Malformed, "", event.Error, sends("0000 0800 06 04 0001 020000000002c0000209 000000000000c0000201"),
			"arp: unknown hardware address format (0x0000)"},
		{event.Malformed, "", event.Warning, sends("0001 0800 08 04 0001 0200000000000002c0000209 0000000000000000c0000201"),
			"arp from 02:00:00:00:00:00:00:02: addr len: new 8, i/f 6 (ignored)"},
		{event.Malformed, "", event.Notice, sends("0001 0800 00 04 0001 c0000209 c0000201"),
			"arp: packet with invalid ethernet address length 0 received on e0"},
		{event.Malformed, "", event.Notice, sends("0001 0800 15 04 0001" + strings.Repeat("02", 50)),
			"arp: packet with invalid ethernet address length 21 received on e0"},
		{event.Malformed, "", event.Notice, sends("0001 0800 06 06 0001" + strings.Repeat("02", 24)), "arp: requested protocol length != 4"},
		{event.Malformed, "", event.Notice, sends("0001 0800 06 10 0001" + strings.Repeat("02", 44)), "arp: requested protocol length != 4"},
		{event.Malformed, "", event.Debug, sends("0001 86dd 06 04 0001 020000000002c0000209 000000000000c0000201"),
			"arp: protocol type 0x86dd is not IPv4 on e0"},
		{event.Ignored, "", event.Debug, func(l *lan, n *node) {
			l.stranger(macPeer).ask("192.0.2.1", "198.51.100.9")
		}, "arplookup 198.51.100.9 failed: host is not on local network"},
		{event.Ignored, "", event.Debug, func(l *lan, n *node) {
			l.fill(n)
			l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
		}, "arplookup 192.0.2.9 failed: could not allocate llinfo"},
		{event.Missed, "", event.Debug, func(l *lan, n *node) {
			l.fill(n)
			n.Resolve(l.t.Context(), ip("192.0.2.9"))
		}, "arpresolve: can't allocate llinfo for 192.0.2.9"},
		{event.Missed, "", event.Debug, func(l *lan, n *node) {
			l.fill(n)
			n.ifc.Demand([]host.Miss{{IP: ip("192.0.2.9")}})
		}, "arpresolve: can't allocate llinfo for 192.0.2.9"},
		{event.Missed, "", event.Debug, func(l *lan, n *node) {
			n.ifc.Resolve(l.t.Context(), ip("198.51.100.9"))
		}, "arpresolve: can't allocate llinfo for 198.51.100.9"},
		{event.Missed, "", event.Debug, func(l *lan, n *node) {
			network := host.Route{Prefix: prefix("100.64.0.1/32"), Interface: "e0"}
			if err := errors.Join(n.AddRoute(network), n.AddRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("100.64.0.1")}), n.DeleteRoute(network)); err != nil {
				l.t.Error(err)
			}
			n.Output(packet(ip("203.0.113.5"), 1))
		}, "arpresolve: can't allocate route for 100.64.0.1"},
		{event.Missed, "", event.Notice, func(l *lan, n *node) {
			if err := errors.Join(n.ifc.SetAddresses(nil), n.AddRoute(host.Route{Prefix: prefix("192.0.2.0/24"), Interface: "e0"})); err != nil {
				l.t.Error(err)
			}
			n.Output(packet(ip("192.0.2.9"), 1))
		}, "arprequest: cannot find matching address"},
	} {
		for _, on := range []bool{true, false} {
			if !on && tt.tunable == "" {
				continue
			}
			t.Run(fmt.Sprint(tt.message, " ", on), func(t *testing.T) {
				onLAN(t, func(l *lan) {
					n := l.host(macHost, "192.0.2.1/24")
					want, severity := tt.message, tt.severity
					if !on {
						n.set(t, tt.tunable, 0)
						want, severity = "", 0
					}
					tt.send(l, n)
					seen := n.seen(tt.kind)
					if len(seen) != 1 {
						t.Fatalf("%d events, want one, with or without a message", len(seen))
					}
					if seen[0].Message != want || seen[0].Severity != severity || seen[0].Interface != "e0" {
						t.Errorf("event %+v, want %q", seen[0], want)
					}
				})
			})
		}
	}
}

// TestCableMoved: a neighbour learned on one interface is heard on another, as
// when its cable is plugged in there. Its entry stays.
func TestCableMoved(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		other := segment.New(segment.Options{})
		defer other.Close()
		mac := lladdr.MustParse("02:00:00:00:01:01")
		if _, err := n.Attach(host.InterfaceConfig{Name: "e1", Index: 2, MAC: mac, Port: other.Port(mac),
			Addresses: []host.Address{{Prefix: prefix("198.51.100.1/24")}}}); err != nil {
			t.Fatal(err)
		}
		neighbour := lladdr.MustParse(macPeer)
		(&stranger{l, other.Port(neighbour), neighbour}).ask("198.51.100.1", "198.51.100.9")
		l.stranger(macPeer).ask("198.51.100.1", "198.51.100.9")
		seen := n.seen(event.WrongInterface)
		if want := "arp: 198.51.100.9 is on e1 but got reply from 02:00:00:00:00:02 on e0"; len(seen) != 1 || seen[0].Message != want {
			t.Errorf("events %+v, want one: %s", seen, want)
		}
		if e := n.entry(t, "198.51.100.9"); e.Interface != "e1" {
			t.Errorf("the entry is on %s", e.Interface)
		}
	})
}

// TestSuppressed: max_log_per_second of a kind for an address in a second, and
// the number of those held back at its end.
func TestSuppressed(t *testing.T) {
	for _, tt := range []struct {
		limit          int64
		said, held     int
		perSecondEvent int
	}{{0, 0, 30, 3}, {1, 3, 27, 3}, {4, 12, 18, 3}, {1000, 30, 0, 0}} {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.host(macHost, "192.0.2.1/24")
				n.set(t, "max_log_per_second", tt.limit)
				s := l.stranger(macPeer)
				for range 3 {
					for range 10 {
						s.ask("192.0.2.7", "192.0.2.1")
					}
					time.Sleep(2 * time.Second)
				}
				if got := n.count(event.Conflict); got != tt.said {
					t.Errorf("%d said, want %d", got, tt.said)
				}
				held := 0
				seen := n.seen(event.Suppressed)
				for _, e := range seen {
					held += int(e.Count)
					if want := fmt.Sprintf("arp: suppressed %d messages like this: conflict, 192.0.2.1", e.Count); e.Message != want {
						t.Errorf("message %q, want %q", e.Message, want)
					}
				}
				if held != tt.held || len(seen) != tt.perSecondEvent {
					t.Errorf("%d held back in %d events, want %d in %d", held, len(seen), tt.held, tt.perSecondEvent)
				}
				if got := n.Stats().Suppressed; got != uint64(tt.held) {
					t.Errorf("counted %d, want %d", got, tt.held)
				}
				if got := n.Stats().DupIPs; got != 30 {
					t.Errorf("dupips %d, want all 30", got)
				}
			})
		})
	}
}

// TestSuppressedAsSaid: the line about those held back is shown where they would
// have been: not with their switch off, and with those for debugging only.
func TestSuppressedAsSaid(t *testing.T) {
	flap := func(l *lan) {
		for range 5 {
			l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
			l.stranger(macThird).ask("192.0.2.1", "192.0.2.9")
		}
	}
	far := func(l *lan) {
		for range 5 {
			l.stranger(macPeer).ask("192.0.2.1", "198.51.100.9")
		}
	}
	for _, tt := range []struct {
		name     string
		off      string // a switch
		send     func(*lan)
		severity event.Severity
	}{
		{"on", "", flap, event.Info},
		{"off", "log_arp_movements", flap, 0},
		{"for debugging", "", far, event.Debug},
	} {
		for _, limit := range []int64{0, 1} {
			t.Run(fmt.Sprint(tt.name, " ", limit), func(t *testing.T) {
				onLAN(t, func(l *lan) {
					n := l.host(macHost, "192.0.2.1/24")
					n.set(t, "max_log_per_second", limit)
					if tt.off != "" {
						n.set(t, tt.off, 0)
					}
					tt.send(l)
					time.Sleep(2 * time.Second)
					seen := n.seen(event.Suppressed)
					if len(seen) != 1 || seen[0].Severity != tt.severity || seen[0].Message == "" != (tt.severity == 0) || seen[0].Count == 0 {
						t.Errorf("events %+v, want one of severity %v", seen, tt.severity)
					}
				})
			})
		}
	}
}

// TestManyDiagnostics: one address does not silence another, and strangers with
// random addresses do not make the host remember them all.
func TestManyDiagnostics(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "10.0.0.1/8")
		s := l.stranger(macPeer)
		const senders = 5000
		for i := range senders {
			s.send(lladdr.Broadcast(), arp.Packet{Operation: 9, SenderIP: ip(fmt.Sprintf("10.9.%d.%d", i/250, i%250+1)), TargetIP: n.ip})
		}
		said := n.count(event.Ignored)
		if said < 1000 || said > 1100 {
			t.Errorf("%d said, want one for each of the first 1024 addresses and one for the rest", said)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		var held uint64
		for _, e := range n.seen(event.Suppressed) {
			held += e.Count
		}
		if held+uint64(said) != senders {
			t.Errorf("%d said and %d held back, want %d in all", said, held, senders)
		}
	})
}
