package host_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// unARP is the packet of RFC 1868 with which an address leaves, after changes.
func unARP(address string, change ...func(*arp.Packet)) []byte {
	p := arp.Packet{HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Reply,
		SenderIP: ip(address), TargetIP: ip("255.255.255.255")}
	for _, f := range change {
		f(&p)
	}
	return p.AppendTo(nil)
}

// leave broadcasts an UNARP.
func (s *stranger) leave(address string, change ...func(*arp.Packet)) {
	s.l.t.Helper()
	header := link.Header{Destination: lladdr.Broadcast(), Source: s.mac, Type: link.TypeARP}
	s.raw(link.Ethernet{}.Append(nil, header, unARP(address, change...)))
}

// TestUnARP: the owner of a dynamic entry removes it by an UNARP, where unarp is
// 1, and nobody else does, and nothing else goes.
func TestUnARP(t *testing.T) {
	op := func(o arp.Operation) func(*arp.Packet) { return func(p *arp.Packet) { p.Operation = o } }
	to := func(target string) func(*arp.Packet) { return func(p *arp.Packet) { p.TargetIP = ip(target) } }
	hardware := func(h arp.HardwareType) func(*arp.Packet) { return func(p *arp.Packet) { p.HardwareType = h } }
	for _, tt := range []struct {
		name    string
		from    string // the sender of the frame
		address string
		change  func(*arp.Packet)
		before  func(*testing.T, *node) // in place of a request from 192.0.2.9 at macPeer
		gone    bool
		why     host.Drop // unless gone
		says    string
	}{
		{"the owner", macPeer, "192.0.2.9", nil, nil, true, 0, "arp: 192.0.2.9 has left e0, says UNARP from " + macPeer},
		{"of type IEEE 802", macPeer, "192.0.2.9", hardware(arp.IEEE802), nil, true, 0, ""},

		{"another than the owner", macThird, "192.0.2.9", nil, nil, false, host.DropUnARP,
			"arp: ignoring UNARP of 192.0.2.9 from " + macThird + " on e0: the entry is of " + macPeer},
		{"no entry", macPeer, "192.0.2.8", nil, nil, false, host.DropUnARP, "there is no entry"},
		{"an own address", macPeer, "192.0.2.1", nil, nil, false, host.DropUnARP, "it is an address of this host"},
		{"0.0.0.0", macPeer, "0.0.0.0", nil, nil, false, host.DropUnARP, "there is no entry"},
		{"nothing is known yet", macPeer, "192.0.2.7", nil, func(_ *testing.T, n *node) { n.miss("192.0.2.7") }, false, host.DropUnARP, "there is no entry"},
		{"a permanent entry", macPeer, "192.0.2.7", nil,
			func(t *testing.T, n *node) { n.must(t, admin("192.0.2.7", macPeer)) }, false, host.DropUnARP, "an administrator has set the entry"},
		{"an administrator's temporary one", macPeer, "192.0.2.7", nil,
			func(t *testing.T, n *node) {
				c := admin("192.0.2.7", macPeer)
				c.Temporary = true
				n.must(t, c)
			}, false, host.DropUnARP, "an administrator has set the entry"},
		{"a published entry", macPeer, "192.0.2.7", nil,
			func(t *testing.T, n *node) {
				c := admin("192.0.2.7", macPeer)
				c.Publish = host.Published
				n.must(t, c)
			}, false, host.DropUnARP, "an administrator has set the entry"},
		{"a published-only entry", macPeer, "192.0.2.7", nil,
			func(t *testing.T, n *node) {
				c := admin("192.0.2.7", macPeer)
				c.Publish = host.PublishedOnly
				n.must(t, c)
			}, false, host.DropUnARP, "there is no entry"},
		{"an interface that learns nothing", macPeer, "192.0.2.9", nil,
			func(_ *testing.T, n *node) { n.ifc.SetMode(host.Static) }, false, host.DropUnARP, "nothing is learned there"},

		{"from the host itself", macHost, "192.0.2.9", nil, nil, false, host.DropSelf, ""},
		{"from a multicast address", "01:00:5e:00:00:01", "192.0.2.9", nil, nil, false, host.DropMulticastSender, ""},
		{"of the broadcast address", macPeer, "192.0.2.255", nil, nil, false, host.DropBroadcastAddress, ""},
		{"of a multicast address", macPeer, "224.0.0.1", nil, nil, false, host.DropMulticastAddress, ""},
		{"of 127.0.0.1", macPeer, "127.0.0.1", nil, nil, false, host.DropLoopbackSender, ""},
		{"a request", macPeer, "192.0.2.9", op(arp.Request), nil, false, host.DropHardwareLength, ""},
		{"a reverse reply", macPeer, "192.0.2.9", op(arp.ReverseReply), nil, false, host.DropHardwareLength, ""},
		{"to somebody", macPeer, "192.0.2.9", to("192.0.2.1"), nil, false, host.DropHardwareLength, ""},
		{"of ARCnet", macPeer, "192.0.2.9", hardware(arp.ARCnet), nil, false, host.DropHardwareType, ""},
		{"for another protocol", macPeer, "192.0.2.9", func(p *arp.Packet) { p.ProtocolType = 0x86dd }, nil, false, host.DropProtocolType, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n, k := l.taken()
				n.set(t, "unarp", 1)
				l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
				n.miss("192.0.2.9")
				if tt.before != nil {
					tt.before(t, n)
				}
				k.take()
				l.forget()
				before, entries := n.Stats(), len(n.Entries())
				change := tt.change
				if change == nil {
					change = func(*arp.Packet) {}
				}
				l.stranger(tt.from).leave(tt.address, change)
				drops, told := map[host.Drop]uint64{tt.why: 1}, []string(nil)
				if tt.gone {
					n.none(t, tt.address)
					entries--
					drops, told = nil, []string{tt.address + " gone"}
				}
				k.expect(t, "after the UNARP", told...)
				if got := len(n.Entries()); got != entries {
					t.Errorf("%d entries, want %d", got, entries)
				}
				after := n.Stats()
				for _, d := range host.Drops() {
					if got := after.Drops[d] - before.Drops[d]; got != drops[d] {
						t.Errorf("%v: counted %d, want %d", d, got, drops[d])
					}
				}
				if got := after.UnARPs; got != uint64(len(told)) {
					t.Errorf("unarps: %d, want %d", got, len(told))
				}
				if after.DupIPs != 0 || n.count(event.Conflict) != 0 {
					t.Error("it was taken for a claim")
				}
				if tt.from != macHost && len(l.from(n)) != 0 {
					t.Errorf("the host sent %v", l.from(n)[0].arp)
				}
				if !said(n, tt.says) {
					t.Errorf("nothing says %q", tt.says)
				}
			})
		})
	}
}

// said reports whether an event has a text in its message.
func said(n *node, text string) bool {
	for _, kind := range []event.Type{event.Deleted, event.Ignored} {
		for _, e := range n.seen(kind) {
			if text != "" && strings.Contains(e.Message, text) {
				return true
			}
		}
	}
	return text == ""
}

// TestUnARPOff: with unarp = 0, the default, an UNARP is a malformed packet.
func TestUnARPOff(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		s.ask("192.0.2.1", "192.0.2.9")
		s.leave("192.0.2.9")
		n.entry(t, "192.0.2.9")
		stats := n.Stats()
		if stats.Drops[host.DropHardwareLength] != 1 || stats.UnARPs != 0 || stats.Received != 1 {
			t.Errorf("%+v, want one packet received and one dropped for its address length", stats)
		}
		seen := n.seen(event.Malformed)
		if want := "arp: packet with invalid ethernet address length 0 received on e0"; len(seen) != 1 || seen[0].Message != want {
			t.Errorf("events %+v, want %q", seen, want)
		}
	})
}

// TestUnARPThenBack: who left is asked for when there is a packet to it, and
// learned again when it is heard.
func TestUnARPThenBack(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		n.set(t, "unarp", 1)
		s := l.stranger(macPeer)
		s.ask("192.0.2.1", "192.0.2.9")
		s.leave("192.0.2.9")
		s.leave("192.0.2.9") // the second finds nothing
		wait := n.waiting(l.t.Context(), "192.0.2.9")
		if got := len(l.requests(ip("192.0.2.9"))); got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
		s.answer(n, "192.0.2.9")
		if err := <-wait; err != nil {
			t.Error(err)
		}
		if e := n.entry(t, "192.0.2.9"); e.State != cache.Reachable {
			t.Errorf("entry %+v", e)
		}
		if s := n.Stats(); s.UnARPs != 1 || s.Drops[host.DropUnARP] != 1 {
			t.Errorf("unarps %d, ignored %d, want 1 and 1", s.UnARPs, s.Drops[host.DropUnARP])
		}
	})
}

// TestUnARPTimers: an entry that has left leaves no timer behind, and an UNARP of
// an address that is being asked for does not end the asking.
func TestUnARPTimers(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		n.set(t, "unarp", 1)
		n.set(t, "max_age", 10)
		s := l.stranger(macPeer)
		s.ask("192.0.2.1", "192.0.2.9")
		time.Sleep(9 * time.Second)
		s.leave("192.0.2.9")
		n.none(t, "192.0.2.9")
		time.Sleep(20 * time.Second)
		if got := n.Stats().Timeouts; got != 0 {
			t.Errorf("%d timeouts, want none", got)
		}
		wait := n.waiting(l.t.Context(), "192.0.2.9")
		s.leave("192.0.2.9")
		if err := <-wait; !errors.Is(err, syscall.EHOSTDOWN) {
			t.Errorf("resolving gives %v, want EHOSTDOWN after maxtries", err)
		}
	})
}
