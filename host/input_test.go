package host_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

const (
	macHost  = "02:00:00:00:00:01"
	macPeer  = "02:00:00:00:00:02"
	macThird = "02:00:00:00:00:03"
)

// dropCase is one frame that is dropped, and why.
type dropCase struct {
	why    host.Drop
	name   string
	change func(*host.InterfaceConfig)
	after  func(*testing.T, *node) // before the frame comes
	send   func(*lan, *stranger)
}

func hexFrame(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// request is a who-has 192.0.2.1 with changes.
func request(change func(*arp.Packet)) func(*lan, *stranger) {
	return func(l *lan, s *stranger) {
		p := arp.Packet{Operation: arp.Request, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")}
		change(&p)
		s.send(lladdr.Broadcast(), p)
	}
}

func rawFrame(text string) func(*lan, *stranger) {
	return func(l *lan, s *stranger) { s.raw(hexFrame(text)) }
}

var dropCases = []dropCase{
	{host.DropFrameFormat, "IEEE 802.3 without SNAP", nil, nil,
		rawFrame("ffffffffffff 020000000002 0026 424203 000000 0806 0001080006040001020000000002c0000209000000000000c0000201 00000000000000000000000000000000")},
	{host.DropNotARP, "IPv4 and nobody to take it", func(c *host.InterfaceConfig) { c.Deliver = nil }, nil,
		rawFrame("020000000001 020000000002 0800 45")},
	{host.DropNotARP, "IPv6", nil, nil, rawFrame("ffffffffffff 020000000002 86dd 60")},
	{host.DropInterfaceDown, "any frame while the link is down", func(c *host.InterfaceConfig) { c.Down = true }, nil, request(func(*arp.Packet) {})},
	{host.DropInterfaceOff, "a request", func(c *host.InterfaceConfig) { c.Mode = host.Off }, nil, request(func(*arp.Packet) {})},
	{host.DropOtherHost, "a request to another station", nil, nil, func(l *lan, s *stranger) {
		s.send(lladdr.MustParse(macThird), arp.Packet{Operation: arp.Request, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")})
	}},
	{host.DropShortPacket, "nothing", nil, nil, rawFrame("ffffffffffff 020000000002 0806")},
	{host.DropShortPacket, "half a packet", nil, nil, rawFrame("ffffffffffff 020000000002 0806 0001080006040001 0200")},
	{host.DropShortPacket, "lengths beyond the packet", nil, nil,
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 14 04 0001 020000000002c0000209000000000000c0000201")},
	{host.DropHardwareType, "ARCnet's type on Ethernet", nil, nil, request(func(p *arp.Packet) { p.HardwareType = arp.ARCnet })},
	{host.DropHardwareLength, "no hardware address", nil, nil,
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 00 04 0001 c0000209c0000201")},
	{host.DropHardwareLength, "eight bytes", nil, nil,
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 08 04 0001 0200000000020000 c0000209 0000000000000000 c0000201")},
	{host.DropHardwareLength, "more than any", nil, nil,
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 20 04 0001" + strings.Repeat("02", 72))},
	{host.DropProtocolType, "another protocol", nil, nil, request(func(p *arp.Packet) { p.ProtocolType = 0x86dd })},
	{host.DropProtocolType, "trailers", nil, nil, request(func(p *arp.Packet) { p.ProtocolType = 0x1000 })}, // RFC 893
	{host.DropNotARP, "a packet with a trailer of 512 bytes", nil, nil, rawFrame("020000000001 020000000002 1001" + strings.Repeat("00", 46))},
	{host.DropProtocolLength, "sixteen bytes", nil, nil,
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 06 10 0001 020000000002" + strings.Repeat("20", 16) + "000000000000" + strings.Repeat("20", 16))},
	{host.DropProtocolLength, "five bytes", nil, nil,
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 06 05 0001 020000000002 c000020900 000000000000 c000020100")},
	{host.DropSelf, "with the interface's own address", nil, nil, request(func(p *arp.Packet) { p.SenderHW = lladdr.MustParse(macHost) })},
	{host.DropSelf, "with that of another interface of the machine", nil,
		func(t *testing.T, n *node) {
			n.SetSiblings([]host.Sibling{{MAC: lladdr.MustParse("02:00:00:00:00:77")}})
		},
		request(func(p *arp.Packet) { p.SenderHW = lladdr.MustParse("02:00:00:00:00:77") })},
	{host.DropBroadcastSender, "broadcast", nil, nil, request(func(p *arp.Packet) { p.SenderHW = lladdr.Broadcast() })},
	{host.DropMulticastSender, "multicast", nil, nil, request(func(p *arp.Packet) { p.SenderHW = lladdr.MustParse("01:00:5e:00:00:01") })},
	{host.DropZeroSender, "zero", nil, nil, request(func(p *arp.Packet) { p.SenderHW = lladdr.From6([6]byte{}) })},
	{host.DropLoopbackSender, "127.0.0.1", nil, nil, request(func(p *arp.Packet) { p.SenderIP = ip("127.0.0.1") })},
	{host.DropLoopbackSender, "127.255.255.255", nil, nil, request(func(p *arp.Packet) { p.SenderIP = ip("127.255.255.255") })},
	{host.DropMulticastAddress, "224.0.0.1", nil, nil, request(func(p *arp.Packet) { p.SenderIP = ip("224.0.0.1") })},
	{host.DropMulticastAddress, "239.255.255.255", nil, nil, request(func(p *arp.Packet) { p.SenderIP = ip("239.255.255.255") })},
	{host.DropBroadcastAddress, "255.255.255.255", nil, nil, request(func(p *arp.Packet) { p.SenderIP = ip("255.255.255.255") })},
	{host.DropBroadcastAddress, "that of the network", nil, nil, request(func(p *arp.Packet) { p.SenderIP = ip("192.0.2.255") })},
	{host.DropUnARP, "of an unknown address", nil, func(t *testing.T, n *node) { n.set(t, "unarp", 1) },
		rawFrame("ffffffffffff 020000000002 0806 0001 0800 00 04 0002 c0000209ffffffff")},
	{host.DropOperation, "a reverse request", nil, nil, request(func(p *arp.Packet) { p.Operation = arp.ReverseRequest })},
	{host.DropOperation, "operation 0", nil, nil, request(func(p *arp.Packet) { p.Operation = 0 })},
	{host.DropGratuitous, "an announcement", func(c *host.InterfaceConfig) { c.DropGratuitous = true }, nil,
		request(func(p *arp.Packet) { p.TargetIP = p.SenderIP })},
	{host.DropProxyRefused, "a probe that a rule does not answer", nil, func(t *testing.T, n *node) {
		if err := n.Proxies().Add(proxy.Rule{Prefix: prefix("198.51.100.0/24"), Interface: "e0"}); err != nil {
			t.Fatal(err)
		}
	}, request(func(p *arp.Packet) { p.SenderIP, p.TargetIP = ip("0.0.0.0"), ip("198.51.100.9") })},
	{host.DropNotForUs, "who-has somebody else", nil, nil, request(func(p *arp.Packet) { p.TargetIP = ip("192.0.2.7") })},
	{host.DropNotForUs, "arp_ignore 8", func(c *host.InterfaceConfig) { c.Reply = host.ReplyNever }, nil, request(func(*arp.Packet) {})},
	{host.DropNoAddress, "an interface without an address", func(c *host.InterfaceConfig) { c.Addresses = nil }, nil, request(func(*arp.Packet) {})},
	{host.DropWatching, "a request", func(c *host.InterfaceConfig) { c.Mode = host.Watch }, nil, request(func(*arp.Packet) {})},
	{host.DropClaim, "a claim of a probed address of another interface", nil, func(t *testing.T, n *node) {
		mac := lladdr.MustParse("02:00:00:00:00:78")
		if _, err := n.Attach(host.InterfaceConfig{
			Name: "e1", Index: 2, MAC: mac, Port: segment.New(segment.Options{}).Port(mac), DAD: true,
			Addresses: []host.Address{{Prefix: prefix("198.51.100.1/24")}},
		}); err != nil {
			t.Fatal(err)
		}
	}, request(func(p *arp.Packet) { p.SenderIP = ip("198.51.100.1") })},
}

// TestDrops sends one frame for each reason and looks that just that is counted,
// that nothing is answered, and that nothing is learned.
func TestDrops(t *testing.T) {
	tested := map[host.Drop]bool{host.DropShortFrame: true} // TestShortFrame: no segment carries one
	for _, tt := range dropCases {
		tested[tt.why] = true
		t.Run(tt.why.String()+": "+tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				change := tt.change
				if change == nil {
					change = func(*host.InterfaceConfig) {}
				}
				n := l.host(macHost, "192.0.2.1/24", change)
				if tt.after != nil {
					tt.after(t, n)
				}
				n.port.SetPromiscuous(true)
				l.unchecked = true
				tt.send(l, l.stranger(macPeer))
				stats := n.Stats()
				for _, d := range host.Drops() {
					want := uint64(0)
					if d == tt.why {
						want = 1
					}
					if stats.Drops[d] != want {
						t.Errorf("%v: %d, want %d", d, stats.Drops[d], want)
					}
				}
				if sent := l.from(n); len(sent) != 0 {
					t.Errorf("it sent %v", sent[0].arp)
				}
				for _, e := range n.Entries() {
					if !e.Own && tt.why != host.DropWatching {
						t.Errorf("it learned %+v", e)
					}
				}
			})
		})
	}
	for _, d := range host.Drops() {
		if !tested[d] {
			t.Errorf("no test of %v", d)
		}
	}
}

func TestShortFrame(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		for size := range 14 {
			n.ifc.Input(make([]byte, size))
		}
		n.ifc.Input(hexFrame("ffffffffffff 020000000002 0026 aaaa03")) // shorter than its length field
		if got := n.Stats().Drops[host.DropShortFrame]; got != 15 {
			t.Errorf("%d short frames, want 15", got)
		}
	})
}

// TestIEEE802 takes requests of hardware type 6 and in SNAP; the reply is
// Ethernet's (facts/freebsd-arp.md 3.3 step 13).
func TestIEEE802(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		s.raw(hexFrame("ffffffffffff 020000000002 0024 aaaa03 000000 0806 0006080006040001020000000002c0000209000000000000c0000201" + strings.Repeat("00", 10)))
		sent := l.from(n)
		if len(sent) != 1 || sent[0].arp.HardwareType != arp.Ethernet || sent[0].arp.Operation != arp.Reply {
			t.Fatalf("sent %+v, want one reply", sent)
		}
	})
}

// TestLearning is steps 8 to 12 of facts/freebsd-arp.md 3.3.
func TestLearning(t *testing.T) {
	reply, req := arp.Reply, arp.Request
	for _, tt := range []struct {
		name   string
		known  bool // there is an entry of 192.0.2.9 at macThird
		packet arp.Packet
		want   string // the link-layer address learned, "" for none
	}{
		{"request for us", false, arp.Packet{Operation: req, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")}, macPeer},
		{"reply to us that nobody asked for", false, arp.Packet{Operation: reply, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")}, macPeer},
		{"request for another", false, arp.Packet{Operation: req, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.8")}, ""},
		{"reply to another", false, arp.Packet{Operation: reply, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.8")}, ""},
		{"announcement", false, arp.Packet{Operation: req, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.9")}, ""},
		{"probe", false, arp.Packet{Operation: req, SenderIP: ip("0.0.0.0"), TargetIP: ip("192.0.2.1")}, ""},
		{"from outside of the network", false, arp.Packet{Operation: req, SenderIP: ip("198.51.100.9"), TargetIP: ip("192.0.2.1")}, ""},
		{"operation 3 for us", false, arp.Packet{Operation: 3, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")}, ""},

		{"known, request for us", true, arp.Packet{Operation: req, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")}, macPeer},
		{"known, request for another", true, arp.Packet{Operation: req, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.8")}, macPeer},
		{"known, reply to another", true, arp.Packet{Operation: reply, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.8")}, macPeer},
		{"known, announcement", true, arp.Packet{Operation: req, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.9")}, macPeer},
		{"known, announcement by reply", true, arp.Packet{Operation: reply, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.9")}, macPeer},
		{"known, operation 8", true, arp.Packet{Operation: 8, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.1")}, macThird},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.host(macHost, "192.0.2.1/24")
				if tt.known {
					l.stranger(macThird).ask("192.0.2.1", "192.0.2.9")
				}
				l.stranger(macPeer).send(lladdr.Broadcast(), tt.packet)
				if tt.want == "" {
					for _, e := range n.Entries() {
						if !e.Own {
							t.Errorf("learned %+v", e)
						}
					}
					return
				}
				if e := n.entry(t, "192.0.2.9"); e.MAC.String() != tt.want || e.State != cache.Reachable {
					t.Errorf("entry %v %v, want %s", e.MAC, e.State, tt.want)
				}
				moved := 0
				if tt.known && tt.want == macPeer {
					moved = 1
				}
				if got := n.count(event.Moved); got != moved {
					t.Errorf("%d events moved, want %d", got, moved)
				}
			})
		})
	}
}

// TestLearningModes has interfaces that do less.
func TestLearningModes(t *testing.T) {
	for _, tt := range []struct {
		mode            host.Mode
		learns, answers bool
	}{
		{host.On, true, true}, {host.Static, false, true}, {host.Off, false, false}, {host.Watch, true, false},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) { c.Mode = tt.mode })
				l.stranger(macPeer).ask("192.0.2.1", "192.0.2.9")
				if got := len(n.Entry(ip("192.0.2.9"))) == 1; got != tt.learns {
					t.Errorf("learned: %v, want %v", got, tt.learns)
				}
				if got := len(l.from(n)) == 1; got != tt.answers {
					t.Errorf("answered: %v, want %v", got, tt.answers)
				}
			})
		})
	}
}

// TestCounters counts what facts/freebsd-arp.md 1.2 says where.
func TestCounters(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		s.ask("192.0.2.1", "192.0.2.9")
		s.ask("192.0.2.8", "192.0.2.9")
		s.answer(n, "192.0.2.9")
		s.ask("192.0.2.1", "0.0.0.0")
		s.ask("192.0.2.1", "192.0.2.1")
		got := n.Stats()
		got.Drops = host.Stats{}.Drops
		want := host.Stats{Received: 5, RxRequests: 4, RxReplies: 1, TxReplies: 3, DupIPs: 1}
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		for name, want := range map[string]int64{"received": 5, "rxrequests": 4, "txreplies": 3, "dupips": 1, "drop_not_for_us": 1} {
			if v, err := n.MIB().Get("net.link.ether.arp.stats."+name, ""); err != nil || v != want {
				t.Errorf("%s is %d, %v, want %d", name, v, err, want)
			}
		}
	})
}

// FuzzInput gives a host arbitrary frames.
func FuzzInput(f *testing.F) {
	header := link.Header{Destination: lladdr.Broadcast(), Source: lladdr.MustParse(macPeer), Type: link.TypeARP}
	for _, op := range []arp.Operation{arp.Request, arp.Reply, 3, 9} {
		for _, sender := range []string{"192.0.2.9", "0.0.0.0", "192.0.2.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.255", "169.254.1.1"} {
			for _, target := range []string{"192.0.2.1", "192.0.2.9", "169.254.7.7"} {
				p := arp.Packet{HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: op,
					SenderHW: header.Source, SenderIP: ip(sender), TargetIP: ip(target)}
				f.Add(link.Ethernet{}.Append(nil, header, p.AppendTo(nil)))
			}
		}
	}
	for _, sender := range []string{"192.0.2.9", "192.0.2.1", "0.0.0.0", "255.255.255.255"} {
		f.Add(link.Ethernet{}.Append(nil, header, unARP(sender)))
	}
	for _, s := range []string{"", "ffffffffffff0200000000020806", "ffffffffffff 020000000002 0026 aaaa03", "020000000001 020000000002 0800 45"} {
		f.Add(hexFrame(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		port := new(sink)
		delivered := uint64(0)
		h := host.New(host.Config{})
		ifc, err := h.Attach(host.InterfaceConfig{
			Name: "e0", Index: 1, MAC: lladdr.MustParse(macHost), Port: port,
			Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}, {Prefix: prefix("169.254.7.7/16")}},
			Deliver:   func([]byte) { delivered++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.MIB().Set("net.link.ether.inet.unarp", "", 1); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Set(host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer), Temporary: true}); err != nil { // somebody who may leave
			t.Fatal(err)
		}
		ifc.Input(frame)
		s := ifc.Stats()
		if left := len(h.Entry(ip("192.0.2.9"))) == 0; left != (s.UnARPs == 1) || s.UnARPs > 1 {
			t.Errorf("192.0.2.9 has left: %v, counted %d", left, s.UnARPs)
		}
		var drops, after uint64
		for d, n := range s.Drops {
			drops += n
			if host.Drop(d) >= host.DropSelf {
				after += n
			}
		}
		if drops > 1 || s.Received+drops-after+delivered != 1 {
			t.Errorf("one frame, %d drops, %d received, %d delivered", drops, s.Received, delivered)
		}
		for _, e := range h.Entries() {
			switch a := e.IP.As4(); {
			case e.Own:
			case a[0] == 127 || a[0] >= 224 || e.IP.IsUnspecified() || !(prefix("192.0.2.0/24").Contains(e.IP) || prefix("169.254.0.0/16").Contains(e.IP)),
				e.MAC.IsMulticast(), e.MAC.IsZero(), e.MAC.Len() != 6, e.MAC == ifc.MAC():
				t.Errorf("learned %+v", e)
			}
		}
		if uint64(len(port.frames)) != s.TxReplies || len(port.frames) > 1 {
			t.Fatalf("%d frames sent, %d replies counted", len(port.frames), s.TxReplies)
		}
		for _, sent := range port.frames {
			checkReply(t, sent, frame)
		}
	})
}
