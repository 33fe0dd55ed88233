package offload_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/internal/ip4"
	"github.com/isat-project/isat/internal/offload"
)

// segment is a TCP or UDP packet to make.
type segment struct {
	link     string
	protocol uint8
	id       uint16
	fragment uint16
	seq      uint32
	flags    byte
	options  string
	window   uint16
	data     []byte
}

// packet returns it with right checksums.
func (s segment) packet() []byte {
	var t []byte
	at := 6
	if s.protocol == ip4.TCP {
		at = 16
		t = binary.BigEndian.AppendUint32([]byte{0x10, 0x01, 0x20, 0x02}, s.seq)
		t = append(t, 0, 0, 0, 9, byte(20+len(s.options))<<2, s.flags)
		t = binary.BigEndian.AppendUint16(t, s.window)
		t = append(t, 0, 0, 0, 0)
		t = append(t, s.options...)
	} else {
		t = binary.BigEndian.AppendUint16([]byte{0x10, 0x01, 0x20, 0x02}, uint16(8+len(s.data)))
		t = append(t, 0, 0)
	}
	t = append(t, s.data...)
	p := make([]byte, 20)
	p[0] = 0x45
	binary.BigEndian.PutUint16(p[6:], s.fragment)
	p[8], p[9] = 64, s.protocol
	copy(p[12:], "\xc0\x00\x02\x01\xc0\x00\x02\x02")
	ip4.SetTotalLen(p, uint16(20+len(t)), s.id)
	binary.BigEndian.PutUint16(t[at:], ip4.Checksum(t, ip4.PseudoSum(p, s.protocol, len(t))))
	return append(append([]byte(s.link), p...), t...)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i>>8)
	}
	return b
}

const (
	ack, psh, fin, syn, cwr = 0x10, 0x08, 0x01, 0x02, 0x80
	df                      = 0x4000
	ethernet                = "\x02\x00\x00\x00\x00\x0b\x02\x00\x00\x00\x00\x0a\x08\x00"
	timestamps              = "\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02"
)

func TestSplit(t *testing.T) {
	data := pattern(3000)
	tcp := func(from, to int, id uint16, seq uint32, flags byte) segment {
		return segment{protocol: ip4.TCP, id: id, fragment: df, seq: seq, flags: flags, options: timestamps, data: data[from:to]}
	}
	udp := func(from, to int, id uint16) segment { return segment{protocol: ip4.UDP, id: id, data: data[from:to]} }
	for _, test := range []struct {
		name   string
		link   string
		header offload.Header
		large  segment
		want   []segment
	}{
		{"one packet", "", offload.Header{}, tcp(0, 100, 7, 1, ack), []segment{tcp(0, 100, 7, 1, ack)}},
		{"TCP", "", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 1000}, tcp(0, 2500, 7, 1, ack),
			[]segment{tcp(0, 1000, 7, 1, ack), tcp(1000, 2000, 8, 1001, ack), tcp(2000, 2500, 9, 2001, ack)}},
		{"TCP behind a link header", ethernet, offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 1000}, tcp(0, 2000, 7, 1, ack),
			[]segment{tcp(0, 1000, 7, 1, ack), tcp(1000, 2000, 8, 1001, ack)}},
		{"numbers that wrap", "", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 1500}, tcp(0, 3000, 0xffff, 0xfffffff0, ack),
			[]segment{tcp(0, 1500, 0xffff, 0xfffffff0, ack), tcp(1500, 3000, 0, 0x5cc, ack)}},
		{"flags", "", offload.Header{GSOType: offload.GSOTCPv4 | 0x80, GSOSize: 1000}, tcp(0, 3000, 7, 1, ack|psh|fin|cwr),
			[]segment{tcp(0, 1000, 7, 1, ack|cwr), tcp(1000, 2000, 8, 1001, ack), tcp(2000, 3000, 9, 2001, ack|psh|fin)}},
		{"large and yet one", "", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 1000}, tcp(0, 10, 7, 1, ack|psh), []segment{tcp(0, 10, 7, 1, ack|psh)}},
		{"UDP", "", offload.Header{GSOType: offload.GSOUDPL4, GSOSize: 1200}, udp(0, 3000, 7),
			[]segment{udp(0, 1200, 7), udp(1200, 2400, 8), udp(2400, 3000, 9)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.large.link = test.link
			var want [][]byte
			for _, s := range test.want {
				s.link = test.link
				want = append(want, s.packet())
			}
			before := [][]byte{{1}}
			got, _, err := offload.Split(before, nil, test.header, test.large.packet(), len(test.link))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got[1:]); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

// A checksum that the kernel left to the hardware is filled in.
func TestSplitCompletes(t *testing.T) {
	for _, test := range []struct {
		name string
		segment
		at uint16
	}{
		{"TCP", segment{protocol: ip4.TCP, flags: ack, data: pattern(101)}, 16},
		{"UDP", segment{protocol: ip4.UDP, data: pattern(101)}, 6},
	} {
		want := test.packet()
		p := bytes.Clone(want)
		sum := ip4.Fold(ip4.PseudoSum(p, test.protocol, len(p)-20))
		binary.BigEndian.PutUint16(p[20+test.at:], sum)
		got, _, err := offload.Split(nil, nil, offload.Header{Flags: offload.FlagNeedsCsum, CsumFrom: 20, CsumAt: test.at}, p, 0)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0], want) {
			t.Errorf("%s: %x, %v; want %x", test.name, got, err, want)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	tcp := segment{protocol: ip4.TCP, flags: ack, data: pattern(100)}.packet()
	udp := segment{protocol: ip4.UDP, data: pattern(100)}.packet()
	change := func(p []byte, at int, b byte) []byte {
		p = bytes.Clone(p)
		p[at] = b
		return p
	}
	for _, test := range []struct {
		name   string
		header offload.Header
		packet []byte
	}{
		{"a type that nobody asked for", offload.Header{GSOType: 3, GSOSize: 10}, udp},
		{"IPv6", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, change(tcp, 0, 0x65)},
		{"another protocol", offload.Header{GSOType: offload.GSOUDPL4, GSOSize: 10}, tcp},
		{"segments of nothing", offload.Header{GSOType: offload.GSOTCPv4}, tcp},
		{"segments beyond 65,535", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 65500}, tcp},
		{"no data", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, tcp[:40]},
		{"cut in the TCP header", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, tcp[:39]},
		{"cut in the IPv4 header", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, tcp[:19]},
		{"TCP header of 16 bytes", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, change(tcp, 32, 0x40)},
		{"TCP header of 60 bytes in less", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, change(tcp[:70], 32, 0xf0)},
		{"IPv4 header of 16 bytes", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, change(tcp, 0, 0x44)},
		{"more fragments", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, change(tcp, 6, 0x20)},
		{"a later fragment", offload.Header{GSOType: offload.GSOUDPL4, GSOSize: 10}, change(udp, 7, 1)},
		{"checksum outside", offload.Header{Flags: offload.FlagNeedsCsum, CsumFrom: 100, CsumAt: 60}, tcp},
		{"empty", offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 10}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := offload.Split(nil, nil, test.header, test.packet, 0)
			if !errors.Is(err, offload.ErrPacket) || len(got) != 0 {
				t.Errorf("%d packets, error %v, want ErrPacket", len(got), err)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	data := pattern(4000)
	base := segment{link: ethernet, protocol: ip4.TCP, fragment: df, seq: 1, flags: ack, options: timestamps, window: 99, data: data[:1000]}
	second := base
	second.seq, second.id, second.data = 1001, 1, data[1000:2000]
	with := func(s segment, change func(*segment)) segment {
		change(&s)
		return s
	}
	for _, test := range []struct {
		name  string
		first segment
		next  segment
		want  int
	}{
		{"next", base, second, 2},
		{"shorter", base, with(second, func(s *segment) { s.data = data[:10] }), 2},
		{"last has PSH", base, with(second, func(s *segment) { s.flags |= psh }), 2},
		{"longer", base, with(second, func(s *segment) { s.data = data[:1001] }), 1},
		{"a gap", base, with(second, func(s *segment) { s.seq++ }), 1},
		{"again", base, base, 1},
		{"first has PSH", with(base, func(s *segment) { s.flags |= psh }), second, 1},
		{"FIN", base, with(second, func(s *segment) { s.flags |= fin }), 1},
		{"SYN", with(base, func(s *segment) { s.flags |= syn }), second, 1},
		{"no data", base, with(second, func(s *segment) { s.data = nil }), 1},
		{"other window", base, with(second, func(s *segment) { s.window++ }), 1},
		{"other options", base, with(second, func(s *segment) { s.options = timestamps[:11] + "\x03" }), 1},
		{"no options", base, with(second, func(s *segment) { s.options = "" }), 1},
		{"other station", base, with(second, func(s *segment) { s.link = "\x03" + ethernet[1:] }), 1},
		{"UDP", base, with(second, func(s *segment) { s.protocol = ip4.UDP }), 1},
		{"fragment", base, with(second, func(s *segment) { s.fragment = 0x2000 }), 1},
		{"without DF", base, with(second, func(s *segment) { s.fragment = 0 }), 1},
		{"both without DF, counted on", with(base, func(s *segment) { s.fragment = 0 }), with(second, func(s *segment) { s.fragment = 0 }), 2},
		{"both without DF, not counted on", with(base, func(s *segment) { s.fragment = 0 }), with(second, func(s *segment) { s.fragment, s.id = 0, 5 }), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m offload.Merger
			n, h, parts := m.Merge([][]byte{test.first.packet(), test.next.packet()}, len(ethernet))
			if n != test.want || h.Large() != (n > 1) {
				t.Fatalf("%d packets together, header %+v; want %d", n, h, test.want)
			}
			if n == 1 {
				if len(parts) != 1 || !bytes.Equal(parts[0], test.first.packet()) {
					t.Error("the packet that stands alone was changed")
				}
				return
			}
			checkCut(t, h, parts, test.first, test.next)
		})
	}
}

// checkCut checks that what was put together is, when cut again, what it was.
func checkCut(t *testing.T, h offload.Header, parts [][]byte, segments ...segment) {
	t.Helper()
	var want [][]byte
	for _, s := range segments {
		want = append(want, s.packet())
	}
	got, _, err := offload.Split(nil, nil, h, bytes.Join(parts, nil), len(segments[0].link))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cut again (-want +got):\n%s", diff)
	}
}

// Damage must not be hidden by putting packets together.
func TestMergeLeavesDamaged(t *testing.T) {
	first := segment{protocol: ip4.TCP, seq: 1, flags: ack, data: pattern(100)}
	second := segment{protocol: ip4.TCP, id: 1, seq: 101, flags: ack, data: pattern(100)}
	for at := range second.packet() {
		damaged := second.packet()
		damaged[at] ^= 0x04
		var m offload.Merger
		if n, _, _ := m.Merge([][]byte{first.packet(), damaged}, 0); n != 1 {
			t.Errorf("a packet with damage in byte %d was put behind another", at)
		}
		if n, _, _ := m.Merge([][]byte{damaged, first.packet()}, 0); n != 1 {
			t.Errorf("another was put behind a packet with damage in byte %d", at)
		}
	}
}

// A packet has at most 65,535 bytes.
func TestMergeBounds(t *testing.T) {
	var segments []segment
	var packets [][]byte
	for i := range 60 {
		s := segment{link: ethernet, protocol: ip4.TCP, id: uint16(i), seq: uint32(i * 1400), flags: ack, data: pattern(1400)}
		segments, packets = append(segments, s), append(packets, s.packet())
	}
	var m offload.Merger
	n, h, parts := m.Merge(packets, len(ethernet))
	if n != 46 { // 46 * 1400 + 40 = 64,440
		t.Errorf("%d packets together, want 46", n)
	}
	checkCut(t, h, parts, segments[:n]...)
	for range 2 { // small ones are bounded by their number
		packets = packets[:0]
		for i := range 100 {
			packets = append(packets, segment{protocol: ip4.TCP, id: uint16(i), seq: uint32(i), flags: ack, data: []byte{1}}.packet())
		}
		if n, _, _ := m.Merge(packets, 0); n != 64 {
			t.Errorf("%d small packets together, want 64", n)
		}
	}
}

// What is cut is sound, and put together again and cut it is the same.
func FuzzSplit(f *testing.F) {
	f.Add(segment{protocol: ip4.TCP, flags: ack | psh, options: timestamps, data: pattern(300)}.packet(), uint8(1), uint16(100), uint8(0))
	f.Add(segment{protocol: ip4.UDP, data: pattern(300)}.packet(), uint8(5), uint16(100), uint8(0))
	f.Add(segment{link: ethernet, protocol: ip4.TCP, flags: ack, data: pattern(300)}.packet(), uint8(1), uint16(1), uint8(14))
	f.Fuzz(func(t *testing.T, packet []byte, kind uint8, size uint16, link uint8) {
		h := offload.Header{GSOType: kind, GSOSize: size}
		packets, _, err := offload.Split(nil, nil, h, packet, int(link))
		if err != nil {
			return
		}
		var m offload.Merger
		var again [][]byte
		for rest := packets; len(rest) > 0; {
			n, h, parts := m.Merge(clone(rest), int(link))
			if again, _, err = offload.Split(again, nil, h, bytes.Join(parts, nil), int(link)); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if h.Large() {
			for _, p := range packets {
				if _, err := ip4.Parse(p[link:]); err != nil {
					t.Errorf("%x: %v", p, err)
				}
			}
		}
		if diff := cmp.Diff(packets, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("put together and cut again (-want +got):\n%s", diff)
		}
	})
}

func clone(packets [][]byte) [][]byte {
	var all [][]byte
	for _, p := range packets {
		all = append(all, bytes.Clone(p))
	}
	return all
}

func BenchmarkSplitMerge(b *testing.B) {
	packet := segment{protocol: ip4.TCP, flags: ack, options: timestamps, data: pattern(60000)}.packet()
	h := offload.Header{GSOType: offload.GSOTCPv4, GSOSize: 1448}
	var buf []byte
	var packets [][]byte
	var m offload.Merger
	b.SetBytes(int64(len(packet)))
	b.ReportAllocs()
	for b.Loop() {
		packets, buf, _ = offload.Split(packets[:0], buf[:0], h, packet, 0)
		if n, _, _ := m.Merge(packets, 0); n != len(packets) {
			b.Fatal(n, len(packets))
		}
	}
}
