package ip4_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/ip4"
)

var (
	peer = netip.MustParseAddr("192.0.2.2")
	own  = netip.MustParseAddr("192.0.2.1")
	hop  = netip.MustParseAddr("192.0.2.254")
)

// spec is a packet to make.
type spec struct {
	source, destination netip.Addr
	protocol            uint8
	options             []byte
	fragment            uint16 // flags and offset as on the wire
	data                []byte
}

// packet returns the packet with the right checksum; the reference for it adds
// 16 bits at a time.
func (s spec) packet() []byte {
	n := 20 + len(s.options)
	p := make([]byte, n, n+len(s.data))
	p[0] = 0x40 | byte(n/4)
	binary.BigEndian.PutUint16(p[2:], uint16(n+len(s.data)))
	binary.BigEndian.PutUint16(p[4:], 0x1234)
	binary.BigEndian.PutUint16(p[6:], s.fragment)
	p[8], p[9] = 64, s.protocol
	copy(p[12:], s.source.AsSlice())
	copy(p[16:], s.destination.AsSlice())
	copy(p[20:], s.options)
	binary.BigEndian.PutUint16(p[10:], slowChecksum(p))
	return append(p, s.data...)
}

func udp(data string) spec {
	return spec{source: own, destination: peer, protocol: ip4.UDP, data: []byte("\x10\x00\x20\x00\x00\x00\x00\x00" + data)}
}

func slowChecksum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func TestParse(t *testing.T) {
	good := udp("data").packet()
	change := func(at int, b byte) []byte {
		p := bytes.Clone(good)
		p[at] = b
		return p
	}
	for _, test := range []struct {
		name   string
		packet []byte
		err    error
	}{
		{"sound", good, nil},
		{"padded", append(bytes.Clone(good), make([]byte, 20)...), nil},
		{"options", spec{own, peer, ip4.UDP, []byte{1, 1, 1, 0}, 0, []byte("x")}.packet(), nil},
		{"empty", nil, ip4.ErrShort},
		{"19 bytes", good[:19], ip4.ErrShort},
		{"cut off", good[:len(good)-1], ip4.ErrShort},
		{"version 6", change(0, 0x65), ip4.ErrHeader},
		{"header of 16 bytes", change(0, 0x44), ip4.ErrHeader},
		{"header longer than the packet", change(0, 0x4f), ip4.ErrHeader},
		{"total length below the header", change(3, 19), ip4.ErrHeader},
		{"data ends at 65,535", spec{own, peer, ip4.UDP, nil, 0x1fff, make([]byte, 7)}.packet(), nil},
		{"data ends beyond", spec{own, peer, ip4.UDP, nil, 0x1fff, make([]byte, 8)}.packet(), ip4.ErrHeader},
		{"damaged", change(8, 63), ip4.ErrChecksum},
		{"checksum damaged", change(10, good[10]^1), ip4.ErrChecksum},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ip4.Parse(test.packet); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
}

func TestParseFields(t *testing.T) {
	got, err := ip4.Parse(spec{own, peer, ip4.TCP, []byte{1, 1, 1, 0}, 0x2003, []byte("12345678")}.packet())
	want := ip4.Header{Len: 24, TotalLen: 32, ID: 0x1234, MoreFragments: true, Offset: 24, TTL: 64, Protocol: ip4.TCP, Source: own, Destination: peer}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	got, err = ip4.Parse(spec{own, peer, ip4.TCP, nil, 0x4000, nil}.packet())
	if err != nil || !got.DontFragment || got.MoreFragments || got.Offset != 0 {
		t.Errorf("with DF: %+v, %v", got, err)
	}
}

// Options of the tests: one that is copied into all fragments, one that is not.
var (
	loose  = []byte{0x83, 7, 4, 192, 0, 2, 9} // loose source route: copied
	record = []byte{0x07, 7, 4, 0, 0, 0, 0}   // record route: not
	nop    = []byte{1}
	end    = []byte{0}
)

func TestAppendFragments(t *testing.T) {
	data := make([]byte, 3000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	type fragment struct {
		Header int // bytes
		Data   int // bytes
		Field  uint16
	}
	for _, test := range []struct {
		name string
		spec spec
		mtu  int
		want []fragment
		err  error
	}{
		{"fits", udp("x"), 1500, []fragment{{20, 9, 0}}, nil},
		{"fits with DF", spec{own, peer, 17, nil, 0x4000, data[:480]}, 500, []fragment{{20, 480, 0x4000}}, nil},
		{"two", spec{own, peer, 17, nil, 0, data[:1481]}, 1500, []fragment{{20, 1480, 0x2000}, {20, 1, 185}}, nil},
		{"room that is no multiple of eight", spec{own, peer, 17, nil, 0, data[:100]}, 75, []fragment{{20, 48, 0x2000}, {20, 52, 6}}, nil},
		{"the last needs no multiple of eight", spec{own, peer, 17, nil, 0, data[:103]}, 75, []fragment{{20, 48, 0x2000}, {20, 55, 6}}, nil},
		{"least MTU", spec{own, peer, 17, nil, 0, data[:16]}, 28, []fragment{{20, 8, 0x2000}, {20, 8, 1}}, nil},
		{"of a fragment in the middle", spec{own, peer, 17, nil, 0x2000 | 100, data[:64]}, 60, []fragment{{20, 40, 0x2000 | 100}, {20, 24, 0x2000 | 105}}, nil},
		{"of the last fragment", spec{own, peer, 17, nil, 100, data[:64]}, 60, []fragment{{20, 40, 0x2000 | 100}, {20, 24, 105}}, nil},
		{"options", spec{own, peer, 17, bytes.Join([][]byte{nop, record, loose, end}, nil), 0, data[:100]}, 76,
			[]fragment{{36, 40, 0x2000}, {28, 48, 0x2005}, {28, 12, 11}}, nil},
		{"an option with an impossible length", spec{own, peer, 17, []byte{0x83, 9, 0, 0}, 0, data[:100]}, 76,
			[]fragment{{24, 48, 0x2000}, {20, 52, 6}}, nil},
		{"DF", spec{own, peer, 17, nil, 0x4000, data[:481]}, 500, nil, ip4.ErrDontFragment},
		{"MTU too small", spec{own, peer, 17, nil, 0, data[:16]}, 27, nil, ip4.ErrMTU},
		{"beyond the longest packet", spec{own, peer, 17, nil, 0x1fff, data[:16]}, 28, nil, ip4.ErrHeader},
	} {
		t.Run(test.name, func(t *testing.T) {
			packet := test.spec.packet()
			fragments, err := ip4.AppendFragments(nil, append(bytes.Clone(packet), 0xee), test.mtu)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			var got []fragment
			var all []byte
			for _, f := range fragments {
				h, err := ip4.Parse(f)
				if err != nil || h.TotalLen != len(f) || len(f) > test.mtu || h.ID != 0x1234 || h.Source != own || h.Destination != peer || h.Protocol != 17 || h.TTL != 64 {
					t.Errorf("fragment %+v of %d bytes, %v", h, len(f), err)
				}
				got = append(got, fragment{h.Len, h.TotalLen - h.Len, binary.BigEndian.Uint16(f[6:])})
				all = append(all, f[h.Len:]...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fragments (-want +got):\n%s", diff)
			}
			if err == nil && !bytes.Equal(all, test.spec.data) {
				t.Error("the data of the fragments is not that of the packet")
			}
		})
	}
}

// RFC 791: an option whose type says so is in all fragments, the others in the
// first.
func TestCopiedOptions(t *testing.T) {
	options := bytes.Join([][]byte{nop, record, loose, end}, nil)
	fragments, err := ip4.AppendFragments(nil, spec{own, peer, 17, options, 0, make([]byte, 100)}.packet(), 76)
	if err != nil || len(fragments) != 3 {
		t.Fatalf("%d fragments, %v", len(fragments), err)
	}
	if !bytes.Equal(fragments[0][20:36], options) {
		t.Errorf("options of the first fragment %x, want %x", fragments[0][20:36], options)
	}
	for _, f := range fragments[1:] {
		if want := append(bytes.Clone(loose), 0); !bytes.Equal(f[20:28], want) {
			t.Errorf("options of a later fragment %x, want %x", f[20:28], want)
		}
	}
}

func TestAppendUnreachable(t *testing.T) {
	about := udp("some data").packet()
	got := ip4.AppendUnreachable([]byte("before"), ip4.FragmentationNeeded, 576, hop, append(bytes.Clone(about), 0, 0, 0))
	if !bytes.HasPrefix(got, []byte("before")) {
		t.Fatal("it did not append")
	}
	got = got[len("before"):]
	h, err := ip4.Parse(got)
	want := ip4.Header{Len: 20, TotalLen: len(got), DontFragment: true, TTL: 64, Protocol: ip4.ICMP, Source: hop, Destination: own}
	if err != nil || h != want {
		t.Fatalf("%+v, %v; want %+v", h, err, want)
	}
	message := got[20:]
	if slowChecksum(message) != 0 {
		t.Error("the ICMP checksum is wrong")
	}
	message[2], message[3] = 0, 0
	if diff := cmp.Diff("\x03\x04\x00\x00\x00\x00\x02\x40"+string(about), string(message)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if got := ip4.AppendUnreachable(nil, ip4.HostUnknown, 576, hop, about); got[20] != 3 || got[21] != 7 || got[26] != 0 || got[27] != 0 {
		t.Errorf("message %x, want type 3, code 7 and no MTU", got[20:28])
	}
	// RFC 1812 section 4.3.2.3.
	if got := ip4.AppendUnreachable(nil, ip4.HostUnreachable, 0, hop, udp(string(make([]byte, 1000))).packet()); len(got) != 576 {
		t.Errorf("an error about a long packet has %d bytes, want 576", len(got))
	}
}

func TestNoErrorAbout(t *testing.T) {
	icmp := func(kind byte) []byte {
		return spec{own, peer, ip4.ICMP, nil, 0, []byte{kind, 0, 0, 0, 0, 0, 0, 0}}.packet()
	}
	from := func(source string) []byte {
		s := udp("x")
		s.source = netip.MustParseAddr(source)
		return s.packet()
	}
	to := func(destination string) []byte {
		s := udp("x")
		s.destination = netip.MustParseAddr(destination)
		return s.packet()
	}
	for _, test := range []struct {
		name  string
		about []byte
		want  bool
	}{
		{"UDP", udp("x").packet(), true},
		{"echo request", icmp(8), true},
		{"echo reply", icmp(0), true},
		{"destination unreachable", icmp(3), false},
		{"source quench", icmp(4), false},
		{"redirect", icmp(5), false},
		{"time exceeded", icmp(11), false},
		{"parameter problem", icmp(12), false},
		{"ICMP without a type", spec{own, peer, ip4.ICMP, nil, 0, nil}.packet(), false},
		{"first fragment", spec{own, peer, ip4.UDP, nil, 0x2000, make([]byte, 8)}.packet(), true},
		{"fragment in the middle", spec{own, peer, ip4.UDP, nil, 0x2001, make([]byte, 8)}.packet(), false},
		{"last fragment", spec{own, peer, ip4.UDP, nil, 1, make([]byte, 8)}.packet(), false},
		{"to a multicast group", to("224.0.0.1"), false},
		{"to all", to("255.255.255.255"), false},
		{"from a multicast group", from("224.0.0.1"), false},
		{"from all", from("255.255.255.255"), false},
		{"from nobody", from("0.0.0.0"), false},
		{"from loopback", from("127.0.0.1"), false},
		{"not sound", udp("x").packet()[:27], false},
		{"nothing", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := len(ip4.AppendUnreachable(nil, ip4.HostUnknown, 0, hop, test.about)) > 0; got != test.want {
				t.Errorf("there is an error: %v, want %v", got, test.want)
			}
		})
	}
}

// RFC 1071 section 3 has an example.
func TestSum(t *testing.T) {
	data, _ := hex.DecodeString("0001f203f4f5f6f7")
	if got := ip4.Fold(ip4.Sum(data, 0)); got != 0xddf2 {
		t.Errorf("sum %#x, want 0xddf2", got)
	}
	if got := ip4.Fold(ip4.Sum(bytes.Repeat([]byte{0xff}, 64), 1<<64-1)); got != 0xffff {
		t.Errorf("the sum of all ones is %#x, want 0xffff", got)
	}
}

func TestSetTotalLen(t *testing.T) {
	p := udp("data").packet()
	ip4.SetTotalLen(p, 30, 7)
	if h, err := ip4.Parse(p); err != nil || h.TotalLen != 30 || h.ID != 7 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestPseudoSum(t *testing.T) {
	p := udp("odd").packet()
	reference := append([]byte{192, 0, 2, 1, 192, 0, 2, 2, 0, 17, 0, 11}, p[20:]...)
	if got, want := ip4.Checksum(p[20:], ip4.PseudoSum(p, ip4.UDP, 11)), slowChecksum(reference); got != want {
		t.Errorf("checksum %#x, want %#x", got, want)
	}
}

func BenchmarkSum(b *testing.B) {
	data := make([]byte, 1448)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		ip4.Sum(data, 0)
	}
}
