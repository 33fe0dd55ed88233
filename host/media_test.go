package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// station is a host on a medium, of which the test is all the rest.
type station struct {
	*host.Host
	t       *testing.T
	framing link.Framing
	ifc     *host.Interface
	wire    *sink
}

// The host is 192.0.2.1 on its medium, its peer 192.0.2.9.
const peerIP = "192.0.2.9"

func onMedium(t *testing.T, framing link.Framing, mac string, change ...func(*host.InterfaceConfig)) *station {
	t.Helper()
	return newStation(t, host.Config{}, framing, mac, change...)
}

func newStation(t *testing.T, config host.Config, framing link.Framing, mac string, change ...func(*host.InterfaceConfig)) *station {
	t.Helper()
	s := &station{Host: host.New(config), t: t, framing: framing, wire: new(sink)}
	c := host.InterfaceConfig{
		Name: "e0", Index: 1, MAC: lladdr.MustParse(mac), Port: s.wire, Framing: framing,
		Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}},
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	if s.ifc, err = s.Attach(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// hear has a station send an ARP packet, by a route that comes with it.
func (s *station) hear(route link.SourceRoute, p arp.Packet) {
	s.t.Helper()
	if p.HardwareType == 0 {
		p.HardwareType = s.framing.HardwareType()
	}
	if p.ProtocolType == 0 {
		p.ProtocolType = arp.ProtocolIPv4
	}
	h := link.Header{Destination: s.framing.Broadcast(), Source: p.SenderHW, Type: link.TypeARP, Route: route}
	s.ifc.Input(s.framing.Append(nil, h, p.AppendTo(nil)))
}

// ask is a request for the host.
func ask(mac, sender string) arp.Packet {
	return arp.Packet{Operation: arp.Request, SenderHW: lladdr.MustParse(mac), SenderIP: ip(sender), TargetIP: ip("192.0.2.1")}
}

// sent returns the headers of the frames since the last call.
func (s *station) sent() (all []link.Header) {
	s.t.Helper()
	s.wire.mu.Lock()
	defer s.wire.mu.Unlock()
	for _, frame := range s.wire.frames {
		h, _, err := s.framing.Parse(frame)
		if err != nil {
			s.t.Errorf("a bad frame: %v", err)
		}
		all = append(all, h)
	}
	s.wire.frames = nil
	return all
}

// want compares the frames sent since the last call.
func (s *station) want(what string, lines ...string) {
	s.t.Helper()
	var got []string
	for _, h := range s.sent() {
		kind := map[uint16]string{link.TypeARP: "ARP", link.TypeIPv4: "IP"}[h.Type]
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s to %v %v", kind, h.Destination, h.Route)))
	}
	if fmt.Sprint(got) != fmt.Sprint(lines) {
		s.t.Errorf("%s: sent %q, want %q", what, got, lines)
	}
}

// output sends a packet by both ways that lead out of the host.
func (s *station) output(to string) {
	s.t.Helper()
	p := packet(ip(to), 1)
	if err := s.Output(p); err != nil {
		s.t.Errorf("sending to %s: %v", to, err)
	}
	s.ifc.Output([][]byte{p}, func(_ []byte, err error) { s.t.Errorf("sending to %s: %v", to, err) })
}

// Addresses of stations on a ring: locally administered, in the bit order of the
// ring.
const (
	macRing  = "40:00:00:00:00:01"
	macOther = "40:00:00:00:00:09"
)

// Each medium has its own addresses that no station has.
func TestGroupAddresses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		framing link.Framing
		own     string
		sender  string
		message string // "" for none
		drop    host.Drop
	}{
		{"Ethernet multicast", link.Ethernet{}, macHost, "01:00:5e:00:00:01", "arp: 01:00:5e:00:00:01 is multicast", host.DropMulticastSender},
		{"Ethernet, Token Ring's group bit", link.Ethernet{}, macHost, "c0:00:00:00:00:01", "", 0},
		{"Token Ring functional", link.TokenRing{}, macRing, "c0:00:00:04:00:00", "arp: c0:00:00:04:00:00 is multicast", host.DropMulticastSender},
		{"Token Ring broadcast", link.TokenRing{}, macRing, "ff:ff:ff:ff:ff:ff", "arp: link address is broadcast for IP address 192.0.2.9!", host.DropBroadcastSender},
		{"Token Ring, Ethernet's group bit", link.TokenRing{}, macRing, "01:00:5e:00:00:01", "", 0},
		{"ARCnet broadcast", link.ARCnet{}, "1f", "00", "arp: link address is broadcast for IP address 192.0.2.9!", host.DropBroadcastSender},
		{"ARCnet, all bits", link.ARCnet{}, "1f", "ff", "", 0},
		{"ARCnet, Ethernet's group bit", link.ARCnet{}, "1f", "21", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := onMedium(t, tt.framing, tt.own)
			p := ask(tt.sender, peerIP)
			p.HardwareType, p.ProtocolType = tt.framing.HardwareType(), arp.ProtocolIPv4
			// The frame is of a station that may send: only the packet lies.
			from := macThird
			if tt.framing.AddrLen() == 1 {
				from = "2a"
			}
			h := link.Header{Destination: tt.framing.Broadcast(), Source: lladdr.MustParse(from), Type: link.TypeARP}
			s.ifc.Input(tt.framing.Append(nil, h, p.AppendTo(nil)))
			learned := len(s.Entry(ip(peerIP))) == 1
			if learned != (tt.message == "") {
				t.Errorf("learned: %v", learned)
			}
			var messages []string
			for _, e := range eventsOf(s.Host, event.BroadcastSender) {
				messages = append(messages, e.Message)
			}
			if got := strings.Join(messages, "\n"); got != tt.message {
				t.Errorf("diagnostics %q, want %q", got, tt.message)
			}
			if tt.message != "" && s.ifc.Stats().Drops[tt.drop] != 1 {
				t.Errorf("not counted as %v", tt.drop)
			}
			_, err := s.Attach(host.InterfaceConfig{Name: "e1", Index: 2, MAC: p.SenderHW, Port: new(sink), Framing: tt.framing})
			if refused := errors.Is(err, syscall.EINVAL); refused != (tt.message != "") {
				t.Errorf("an interface with that address: %v", err)
			}
			if err := s.ifc.SetMAC(p.SenderHW); tt.message != "" && !errors.Is(err, syscall.EINVAL) {
				t.Errorf("giving the interface that address: %v", err)
			}
		})
	}
}

// Node 0 of ARCnet is refused with the words of FreeBSD's driver.
func TestARCnetNodeZero(t *testing.T) {
	h := host.New(host.Config{})
	_, err := h.Attach(host.InterfaceConfig{Name: "arc0", Index: 1, MAC: lladdr.MustParse("00"), Port: new(sink), Framing: link.ARCnet{}})
	const want = "arc0: link address 0 reserved for broadcasts.  Please change it and ifconfig arc0 down up"
	if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if all := eventsOf(h, event.BroadcastSender); len(all) != 1 || all[0].Message != want || all[0].Severity != event.Error || all[0].Interface != "arc0" {
		t.Errorf("events %+v", all)
	}
}

// Some ARCnet stations have a wrong ar$pro; elsewhere it is another protocol.
func TestARCnetProtocolType(t *testing.T) {
	p := ask("2a", peerIP)
	p.ProtocolType = 0x0608
	s := onMedium(t, link.ARCnet{}, "1f")
	s.hear(link.SourceRoute{}, p)
	s.want("the reply", "ARP to 2a")
	p.SenderHW = lladdr.MustParse(macOther)
	s = onMedium(t, link.TokenRing{}, macRing)
	s.hear(link.SourceRoute{}, p)
	s.want("on Token Ring")
}

// What goes to several hosts goes to node 0. Without ARP, the low byte of an
// address is the node, unless an administrator says otherwise.
func TestARCnetNodes(t *testing.T) {
	s := onMedium(t, link.ARCnet{}, "1f")
	for _, to := range []string{"192.0.2.255", "255.255.255.255", "224.0.0.5"} {
		s.ifc.Output([][]byte{packet(ip(to), 1)}, func(_ []byte, err error) { t.Errorf("sending to %s: %v", to, err) })
		s.want(to, "IP to 00")
	}
	s = onMedium(t, link.ARCnet{}, "1f", func(c *host.InterfaceConfig) { c.Mode = host.Off })
	s.output("192.0.2.42")
	s.want("without ARP", "IP to 2a", "IP to 2a")
	if mac, err := s.Resolve(t.Context(), ip("192.0.2.43")); err != nil || mac.String() != "2b" {
		t.Errorf("192.0.2.43 is at %v, %v", mac, err)
	}
	if _, err := s.Set(admin("192.0.2.42", "77")); err != nil {
		t.Fatal(err)
	}
	s.output("192.0.2.42")
	s.want("with an entry", "IP to 77", "IP to 77")
	if n := len(s.Entry(ip("192.0.2.43"))); n != 0 {
		t.Errorf("%d entries of 192.0.2.43", n)
	}
	// On a medium whose addresses have no such meaning it is an error.
	s = onMedium(t, link.TokenRing{}, macRing, func(c *host.InterfaceConfig) { c.Mode = host.Off })
	if err := s.Output(packet(ip(peerIP), 1)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Token Ring without ARP: %v", err)
	}
}

// The frames of RFC 1051 are understood; what answers them is RFC 1201's.
func TestARCnetOldFrames(t *testing.T) {
	s := onMedium(t, link.ARCnet{}, "1f")
	p := ask("2a", peerIP)
	p.HardwareType, p.ProtocolType = arp.ARCnet, arp.ProtocolIPv4
	const oldARP, newARP = 241, 213 // facts/freebsd-arp.md 5.1
	s.ifc.Input(p.AppendTo([]byte{0x2a, 0, oldARP}))
	if frames := s.wire.frames; len(frames) != 1 || !bytes.HasPrefix(frames[0], []byte{0x1f, 0x2a, newARP, 0, 0, 0}) {
		t.Errorf("answered % x", frames)
	}
	var got [][]byte
	s = onMedium(t, link.ARCnet{}, "1f", func(c *host.InterfaceConfig) {
		c.Deliver = func(p []byte) { got = append(got, bytes.Clone(p)) }
	})
	const oldIP = 240
	in := packet(ip("192.0.2.1"), 7)
	s.ifc.Input(append([]byte{0x2a, 0x1f, oldIP}, in...))
	if len(got) != 1 || !bytes.Equal(got[0], in) {
		t.Errorf("delivered % x, want % x", got, in)
	}
}

// ARP in IEEE 802 frames is understood on Ethernet, of either hardware type; the
// answer is Ethernet II with the hardware type of Ethernet (facts/freebsd-arp.md
// 3.3 step 13).
func TestEthernetSNAP(t *testing.T) {
	for _, kind := range []arp.HardwareType{arp.Ethernet, arp.IEEE802} {
		s := onMedium(t, link.Ethernet{}, macHost)
		p := ask(macPeer, peerIP)
		p.HardwareType, p.ProtocolType = kind, arp.ProtocolIPv4
		frame := lladdr.Broadcast().AppendBytes(nil)
		frame = p.SenderHW.AppendBytes(frame)
		frame = append(frame, 0, 8+28, 0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x06)
		frame = append(p.AppendTo(frame), make([]byte, 10)...)
		s.ifc.Input(frame)
		want := append(lladdr.MustParse(macPeer).AppendBytes(nil), lladdr.MustParse(macHost).AppendBytes(nil)...)
		want = append(want, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2)
		if frames := s.wire.frames; len(frames) != 1 || !bytes.HasPrefix(frames[0], want) {
			t.Errorf("%v: answered % x, want % x...", kind, frames, want)
		}
		if all := s.Entry(ip(peerIP)); len(all) != 1 || all[0].MAC != p.SenderHW {
			t.Errorf("%v: the entries are %+v", kind, all)
		}
	}
}

// eventsOf returns the events of a type so far.
func eventsOf(h *host.Host, kind event.Type) (all []event.Event) {
	r := h.Events().Reader(0)
	for {
		e, ok := r.TryNext()
		if !ok {
			return all
		}
		if e.Type == kind {
			all = append(all, e)
		}
	}
}

// TestARCnetRejectChanged: an address that an entry got while it took no packets
// is the one that they go to when it takes them again.
func TestARCnetRejectChanged(t *testing.T) {
	s := onMedium(t, link.ARCnet{}, "01")
	for _, c := range []struct {
		mac    string
		action host.Action
	}{{"05", host.Forward}, {"06", host.Reject}, {"06", host.Forward}} {
		change := admin(peerIP, c.mac)
		change.Action = c.action
		if _, err := s.Set(change); err != nil {
			t.Fatal(err)
		}
	}
	if mac, ok := s.Lookup(ip(peerIP)); !ok || mac.String() != "06" {
		t.Errorf("packets go to %v, %v, want 06", mac, ok)
	}
	s.output(peerIP)
	s.want("packets", "IP to 06", "IP to 06")
}

// TestRulesOfMedia: whether an address may be one station's, and be answered with,
// is the medium's to say.
func TestRulesOfMedia(t *testing.T) {
	for _, tt := range []struct {
		name           string
		framing        link.Framing
		own, asks, mac string
		answered       bool
	}{
		{"Ethernet's group bit on Ethernet", link.Ethernet{}, macHost, macPeer, "01:00:00:00:00:05", false},
		{"Token Ring's group bit on Ethernet", link.Ethernet{}, macHost, macPeer, "c0:00:00:00:00:05", true},
		{"Ethernet's group bit on Token Ring", link.TokenRing{}, macRing, macOther, "01:00:00:00:00:05", true},
		{"Token Ring's group bit on Token Ring", link.TokenRing{}, macRing, macOther, "c0:00:00:00:00:05", false},
		{"ARCnet, all ones", link.ARCnet{}, "01", "09", "ff", true},
		{"ARCnet, six bytes", link.ARCnet{}, "01", "09", macPeer, false},
		{"Ethernet, one byte", link.Ethernet{}, macHost, macPeer, "05", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := onMedium(t, tt.framing, tt.own)
			mac := lladdr.MustParse(tt.mac)
			if err := s.ifc.CheckMAC(mac); (err == nil) != tt.answered || err != nil && !errors.Is(err, syscall.EINVAL) {
				t.Errorf("CheckMAC: %v", err)
			}
			if err := s.Proxies().Add(proxy.Rule{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: mac}); err != nil {
				t.Fatal(err)
			}
			request := ask(tt.asks, peerIP)
			request.TargetIP = ip("198.51.100.9")
			s.hear(link.SourceRoute{}, request)
			if got := s.Stats().Proxied == 1; got != tt.answered {
				t.Errorf("answered: %v, want %v", got, tt.answered)
			}
		})
	}
}
