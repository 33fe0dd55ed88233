package arp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/lladdr"
)

var (
	macA   = lladdr.MustParse("02:00:00:00:00:0a")
	macB   = lladdr.MustParse("02:00:00:00:00:0b")
	zeros  = lladdr.From6([6]byte{})
	ipA    = netip.MustParseAddr("192.0.2.10")
	ipB    = netip.MustParseAddr("192.0.2.11")
	noIP   = netip.IPv4Unspecified()
	mapped = netip.MustParseAddr("::ffff:192.0.2.10")
	ip6    = netip.MustParseAddr("2001:db8::1")

	equalAddrs = cmpopts.EquateComparable(netip.Addr{}, lladdr.Addr{})
)

// request and reply are a usual exchange.
var (
	request = Packet{Ethernet, ProtocolIPv4, Request, macA, ipA, zeros, ipB}
	reply   = Packet{Ethernet, ProtocolIPv4, Reply, macB, ipB, macA, ipA}
)

// wire glues the parts of a packet together.
func wire(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// header is the fixed part of a packet.
func header(hrd, pro uint16, hln, pln uint8, op uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, hrd)
	b = binary.BigEndian.AppendUint16(b, pro)
	b = append(b, hln, pln)
	return binary.BigEndian.AppendUint16(b, op)
}

// packets are packets and how they stand on the wire, both ways.
var packets = []struct {
	name   string
	packet Packet
	wire   []byte
}{
	{"request", request, wire(header(1, 0x0800, 6, 4, 1),
		[]byte{2, 0, 0, 0, 0, 10}, []byte{192, 0, 2, 10}, []byte{0, 0, 0, 0, 0, 0}, []byte{192, 0, 2, 11})},
	{"reply", reply, wire(header(1, 0x0800, 6, 4, 2),
		[]byte{2, 0, 0, 0, 0, 11}, []byte{192, 0, 2, 11}, []byte{2, 0, 0, 0, 0, 10}, []byte{192, 0, 2, 10})},
	{"ARCnet", Packet{ARCnet, ProtocolIPv4, Request, lladdr.MustParse("1f"), ipA, lladdr.MustParse("00"), ipB},
		wire(header(7, 0x0800, 1, 4, 1), []byte{0x1f}, []byte{192, 0, 2, 10}, []byte{0}, []byte{192, 0, 2, 11})},
	{"InfiniBand", Packet{InfiniBand, ProtocolIPv4, Reply,
		mustSlice(bytes.Repeat([]byte{0xaa}, 20)), ipA, mustSlice(bytes.Repeat([]byte{0xbb}, 20)), ipB},
		wire(header(32, 0x0800, 20, 4, 2), bytes.Repeat([]byte{0xaa}, 20), []byte{192, 0, 2, 10}, bytes.Repeat([]byte{0xbb}, 20), []byte{192, 0, 2, 11})},
	{"UNARP of RFC 1868", Packet{Ethernet, ProtocolIPv4, Reply, lladdr.Addr{}, ipA, lladdr.Addr{}, netip.MustParseAddr("255.255.255.255")},
		wire(header(1, 0x0800, 0, 4, 2), []byte{192, 0, 2, 10}, []byte{255, 255, 255, 255})},
	{"sixteen-byte protocol addresses", Packet{Ethernet, 0x86dd, Request, macA, ip6, zeros, mapped},
		wire(header(1, 0x86dd, 6, 16, 1), []byte{2, 0, 0, 0, 0, 10}, ip6.AsSlice(), make([]byte, 6), mapped.AsSlice())},
	{"unknown numbers", Packet{0xffff, 0xfffe, 0xfffd, macA, ipA, macB, ipB}, wire(header(0xffff, 0xfffe, 6, 4, 0xfffd),
		[]byte{2, 0, 0, 0, 0, 10}, []byte{192, 0, 2, 10}, []byte{2, 0, 0, 0, 0, 11}, []byte{192, 0, 2, 11})},
}

func mustSlice(b []byte) lladdr.Addr {
	a, ok := lladdr.FromSlice(b)
	if !ok {
		panic("too long")
	}
	return a
}

func TestPacket(t *testing.T) {
	for _, tt := range packets {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.packet.AppendTo([]byte{0xee}); !bytes.Equal(got, append([]byte{0xee}, tt.wire...)) {
				t.Errorf("AppendTo: %x, want ee%x", got, tt.wire)
			}
			if got := tt.packet.Len(); got != len(tt.wire) {
				t.Errorf("Len is %d, want %d", got, len(tt.wire))
			}
			for _, padding := range []int{0, 1, 18, 1000} {
				got, err := Parse(append(bytes.Clone(tt.wire), bytes.Repeat([]byte{0xdd}, padding)...))
				if err != nil {
					t.Fatalf("with %d bytes more: %v", padding, err)
				}
				if diff := cmp.Diff(tt.packet, got, equalAddrs); diff != "" {
					t.Errorf("with %d bytes more (-want +got):\n%s", padding, diff)
				}
				if got != tt.packet {
					t.Error("equal, but not ==")
				}
			}
		})
	}
}

// TestParseShort cuts every packet at every length.
func TestParseShort(t *testing.T) {
	for _, tt := range packets {
		for n := range tt.wire {
			if p, err := Parse(tt.wire[:n:n]); !errors.Is(err, ErrShort) || p != (Packet{}) {
				t.Errorf("%s cut to %d bytes: %+v, %v", tt.name, n, p, err)
			}
		}
	}
	if _, err := Parse(nil); !errors.Is(err, ErrShort) {
		t.Errorf("nil: %v", err)
	}
}

// TestParseLengths has the length octets lie in every way: 256 values of each,
// with too few bytes, and with enough.
func TestParseLengths(t *testing.T) {
	for hln := range 256 {
		for pln := range 256 {
			b := append(header(1, 0x0800, uint8(hln), uint8(pln), 1), make([]byte, 2*hln+2*pln)...)
			var want error
			switch {
			case hln > lladdr.MaxLen:
				want = ErrHardwareLength
			case pln != 4 && pln != 16:
				want = ErrProtocolLength
			}
			p, err := Parse(b)
			if !errors.Is(err, want) || want != nil && p != (Packet{}) {
				t.Errorf("lengths %d and %d: %+v, %v, want %v", hln, pln, p, err, want)
			}
			if hln+pln > 0 {
				if _, err := Parse(b[:len(b)-1]); !errors.Is(err, ErrShort) {
					t.Errorf("lengths %d and %d, one byte short: %v", hln, pln, err)
				}
			}
		}
	}
}

func TestParseKeepsNothing(t *testing.T) {
	b := request.AppendTo(nil)
	p, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xff
	}
	if p != request {
		t.Errorf("the packet changed with its bytes: %+v", p)
	}
}

// TestAppendToFills has hardware addresses left out, as a request may, or of
// different lengths: ar$hln is the greater, the rest is zeros.
func TestAppendToFills(t *testing.T) {
	for _, tt := range []struct {
		name           string
		sender, target lladdr.Addr
		want           Packet
	}{
		{"no target", macA, lladdr.Addr{}, Packet{Ethernet, ProtocolIPv4, Request, macA, ipA, zeros, ipB}},
		{"no sender", lladdr.Addr{}, macB, Packet{Ethernet, ProtocolIPv4, Request, zeros, ipA, macB, ipB}},
		{"short target", macA, lladdr.MustParse("0b"), Packet{Ethernet, ProtocolIPv4, Request, macA, ipA, lladdr.MustParse("0b:00:00:00:00:00"), ipB}},
	} {
		p := Packet{Ethernet, ProtocolIPv4, Request, tt.sender, ipA, tt.target, ipB}
		b := p.AppendTo(nil)
		got, err := Parse(b)
		if err != nil || got != tt.want || len(b) != p.Len() {
			t.Errorf("%s: %d bytes, %+v, %v, want %+v", tt.name, len(b), got, err, tt.want)
		}
	}
}

// TestAppendToProtocol tries every pair of kinds of protocol address.
func TestAppendToProtocol(t *testing.T) {
	zoned := netip.MustParseAddr("fe80::1%eth0")
	kinds := map[string]netip.Addr{"none": {}, "IPv4": ipA, "IPv4-mapped": mapped, "IPv6": ip6, "zoned": zoned}
	for senderKind, sender := range kinds {
		for targetKind, target := range kinds {
			p := Packet{Ethernet, ProtocolIPv4, Request, macA, sender, macB, target}
			b, panicked := appendOrPanic(p)
			if ok := sender.IsValid() && sender.BitLen() == target.BitLen(); ok == panicked {
				t.Errorf("from %s to %s: panic %v", senderKind, targetKind, panicked)
				continue
			} else if !ok {
				continue
			}
			want := p
			want.SenderIP, want.TargetIP = sender.WithZone(""), target.WithZone("")
			got, err := Parse(b)
			if err != nil || got != want || len(b) != p.Len() {
				t.Errorf("from %s to %s: %+v, %v, want %+v", senderKind, targetKind, got, err, want)
			}
		}
	}
}

func appendOrPanic(p Packet) (b []byte, panicked bool) {
	defer func() { panicked = recover() != nil }()
	return p.AppendTo(nil), false
}

func TestKinds(t *testing.T) {
	as := func(op Operation, sender, target netip.Addr) Packet {
		return Packet{Ethernet, ProtocolIPv4, op, macA, sender, zeros, target}
	}
	for _, tt := range []struct {
		name                string
		packet              Packet
		probe, announcement bool
	}{
		{"request", as(Request, ipA, ipB), false, false},
		{"probe", as(Request, noIP, ipB), true, false},
		{"reply from 0.0.0.0", as(Reply, noIP, ipB), false, false},
		{"announcement", as(Request, ipA, ipA), false, true},
		{"gratuitous reply", as(Reply, ipA, ipA), false, true},
		{"reverse request for oneself", as(ReverseRequest, ipA, ipA), false, false},
		{"request from 0.0.0.0 for it", as(Request, noIP, noIP), true, false},
		{"reply from 0.0.0.0 for it", as(Reply, noIP, noIP), false, false},
		{"mapped, which is another address", as(Request, ipA, mapped), false, false},
		{"zero Packet", Packet{}, false, false},
		{"no protocol addresses", as(Request, netip.Addr{}, netip.Addr{}), false, false},
	} {
		if got := tt.packet.IsProbe(); got != tt.probe {
			t.Errorf("%s: IsProbe is %v", tt.name, got)
		}
		if got := tt.packet.IsAnnouncement(); got != tt.announcement {
			t.Errorf("%s: IsAnnouncement is %v", tt.name, got)
		}
	}
}

// TestIsUnARP varies the packet of RFC 1868 section 3 field by field.
func TestIsUnARP(t *testing.T) {
	all := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	unARP := Packet{Ethernet, ProtocolIPv4, Reply, lladdr.Addr{}, ipA, lladdr.Addr{}, all}
	for name, tt := range map[string]struct {
		change func(*Packet)
		want   bool
	}{
		"as it is":                   {func(*Packet) {}, true},
		"of another address":         {func(p *Packet) { p.SenderIP = ipB }, true},
		"a request":                  {func(p *Packet) { p.Operation = Request }, false},
		"a reverse reply":            {func(p *Packet) { p.Operation = ReverseReply }, false},
		"a link-layer sender":        {func(p *Packet) { p.SenderHW = macA }, false},
		"a sender of zeros":          {func(p *Packet) { p.SenderHW = zeros }, false},
		"a link-layer target":        {func(p *Packet) { p.TargetHW = macA }, false},
		"to one host":                {func(p *Packet) { p.TargetIP = ipB }, false},
		"to the network's broadcast": {func(p *Packet) { p.TargetIP = netip.MustParseAddr("192.0.2.255") }, false},
		"to a mapped address":        {func(p *Packet) { p.TargetIP = netip.AddrFrom16(all.As16()) }, false},
		"nothing":                    {func(p *Packet) { *p = Packet{} }, false},
	} {
		p := unARP
		tt.change(&p)
		if got := p.IsUnARP(); got != tt.want {
			t.Errorf("%s: IsUnARP is %v, want %v", name, got, tt.want)
		}
	}
}

func TestString(t *testing.T) {
	inverse := request
	inverse.Operation = InverseRequest
	for want, p := range map[string]Packet{
		"who-has 192.0.2.11 tell 192.0.2.10":                                                    request,
		"192.0.2.11 is-at 02:00:00:00:00:0b":                                                    reply,
		"inverse request from 192.0.2.10 (02:00:00:00:00:0a) to 192.0.2.11 (00:00:00:00:00:00)": inverse,
		"operation 0 from invalid IP () to invalid IP ()":                                       {},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, b := range map[string][]byte{
		"ARP header of 3 bytes: ":                                  {0, 1, 8},
		"ARP packet of 9 bytes with address lengths 255 and 255: ": append(header(1, 0x0800, 255, 255, 1), 0),
		"ARP packet with ar$hln 21: ":                              append(header(1, 0x0800, 21, 4, 1), make([]byte, 50)...),
		"ARP packet with ar$pln 5: ":                               append(header(1, 0x0800, 6, 5, 1), make([]byte, 50)...),
	} {
		if _, err := Parse(b); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
