package arcnet

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/link/internal/rfc1201"
)

var start = time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)

// limit of the reassemblers here: three fragments.
const limit = 1500

// fragment is a frame of a station, with one byte of data that tells which it is.
func fragment(source, flag byte, sequence uint16, data string) []byte {
	return rfc1201.Header{Source: source, Destination: 9, Protocol: rfc1201.IP, Flag: flag, Sequence: sequence}.Append(nil, []byte(data))
}

// whole is the frame of a packet put together.
func whole(source byte, sequence uint16, data string) string {
	return string(fragment(source, 0, sequence, data))
}

func TestReassembler(t *testing.T) {
	type step struct {
		after time.Duration
		frame []byte
		want  string // the packet that comes out, "" for none
	}
	long := string(bytes.Repeat([]byte("x"), rfc1201.MaxData))
	other := func(change func(*rfc1201.Header)) []byte {
		h := rfc1201.Header{Source: 1, Destination: 9, Protocol: rfc1201.IP, Flag: 2, Sequence: 7}
		change(&h)
		return h.Append(nil, []byte("b"))
	}
	for _, test := range []struct {
		name  string
		steps []step
		stats Stats
	}{
		{"two fragments", []step{
			{0, fragment(1, 1, 7, "a"), ""}, {0, fragment(1, 2, 7, "b"), whole(1, 7, "ab")},
		}, Stats{Packets: 1}},
		{"three fragments", []step{
			{0, fragment(1, 3, 7, "a"), ""}, {0, fragment(1, 2, 7, "b"), ""}, {0, fragment(1, 4, 7, "c"), whole(1, 7, "abc")},
		}, Stats{Packets: 1}},
		{"unfragmented packets pass", []step{
			{0, fragment(1, 0, 7, "a"), whole(1, 7, "a")}, {0, fragment(1, 0, 7, "a"), whole(1, 7, "a")},
		}, Stats{}},
		{"what is no frame passes", []step{{0, []byte("\x01"), "\x01"}, {0, []byte("\x01\x09\xf0\x01"), "\x01\x09\xf0\x01"}}, Stats{}},
		{"fragments in an exception frame", []step{
			{0, fragment(1, 1, 7, long), ""}, {0, fragment(1, 2, 7, long[:251]), "\x01\x09\xd4\x00\x00\x07" + long + long[:251]},
		}, Stats{Packets: 1}},
		{"first fragment in an exception frame", []step{
			{0, fragment(1, 1, 7, long[:251]), ""}, {0, fragment(1, 2, 7, "b"), "\x01\x09\xd4\x00\x00\x07" + long[:251] + "b"},
		}, Stats{Packets: 1}},
		{"stations interleaved", []step{
			{0, fragment(1, 1, 7, "a"), ""}, {0, fragment(2, 1, 7, "A"), ""},
			{0, fragment(1, 2, 7, "b"), whole(1, 7, "ab")}, {0, fragment(2, 2, 7, "B"), whole(2, 7, "AB")},
		}, Stats{Packets: 2}},

		{"duplicates", []step{
			{0, fragment(1, 3, 7, "a"), ""}, {0, fragment(1, 3, 7, "a"), ""}, {0, fragment(1, 2, 7, "b"), ""},
			{0, fragment(1, 2, 7, "b"), ""}, {0, fragment(1, 4, 7, "c"), whole(1, 7, "abc")}, {0, fragment(1, 4, 7, "c"), ""},
		}, Stats{Packets: 1, Duplicates: 2, Dropped: 1}},
		{"one missing in the middle", []step{
			{0, fragment(1, 3, 7, "a"), ""}, {0, fragment(1, 4, 7, "c"), ""}, {0, fragment(1, 2, 7, "b"), ""},
		}, Stats{Dropped: 3}},
		{"first missing", []step{{0, fragment(1, 2, 7, "b"), ""}}, Stats{Dropped: 1}},
		{"last missing, then another packet", []step{
			{0, fragment(1, 1, 7, "a"), ""}, {0, fragment(1, 1, 8, "A"), ""}, {0, fragment(1, 2, 8, "B"), whole(1, 8, "AB")},
		}, Stats{Packets: 1, Dropped: 1}},
		{"last missing, then an unfragmented packet", []step{
			{0, fragment(1, 1, 7, "a"), ""}, {0, fragment(1, 0, 8, "A"), whole(1, 8, "A")}, {0, fragment(1, 2, 7, "b"), ""},
		}, Stats{Dropped: 2}},
		{"first again after the second begins anew", []step{
			{0, fragment(1, 3, 7, "a"), ""}, {0, fragment(1, 2, 7, "b"), ""}, {0, fragment(1, 3, 7, "A"), ""},
			{0, fragment(1, 2, 7, "B"), ""}, {0, fragment(1, 4, 7, "C"), whole(1, 7, "ABC")},
		}, Stats{Packets: 1, Dropped: 2}},
		{"other sequence number", []step{{0, fragment(1, 1, 7, "a"), ""}, {0, other(func(h *rfc1201.Header) { h.Sequence = 8 }), ""}, {0, fragment(1, 2, 7, "b"), ""}}, Stats{Dropped: 3}},
		{"other protocol", []step{{0, fragment(1, 1, 7, "a"), ""}, {0, other(func(h *rfc1201.Header) { h.Protocol = rfc1201.ARP }), ""}}, Stats{Dropped: 2}},
		{"other destination", []step{{0, fragment(1, 1, 7, "a"), ""}, {0, other(func(h *rfc1201.Header) { h.Destination = 8 }), ""}}, Stats{Dropped: 2}},

		{"in time", []step{{0, fragment(1, 1, 7, "a"), ""}, {Timeout, fragment(1, 2, 7, "b"), whole(1, 7, "ab")}}, Stats{Packets: 1}},
		{"too late", []step{{0, fragment(1, 1, 7, "a"), ""}, {Timeout + 1, fragment(1, 2, 7, "b"), ""}}, Stats{Dropped: 2}},
		{"other station after the timeout", []step{{0, fragment(1, 1, 7, "a"), ""}, {Timeout + 1, fragment(2, 1, 7, "a"), ""}}, Stats{Dropped: 1}},

		{"just the limit", []step{
			{0, fragment(1, 3, 7, long), ""}, {0, fragment(1, 2, 7, long), ""}, {0, fragment(1, 4, 7, long[:492]), whole(1, 7, long+long+long[:492])},
		}, Stats{Packets: 1}},
		{"beyond the limit", []step{
			{0, fragment(1, 3, 7, long), ""}, {0, fragment(1, 2, 7, long), ""}, {0, fragment(1, 4, 7, long[:493]), ""},
		}, Stats{Dropped: 3}},
		{"first beyond the limit", []step{{0, fragment(1, 1, 7, long+long+long), ""}}, Stats{Dropped: 1}},
		{"120 fragments begin", []step{{0, fragment(1, 237, 7, "a"), ""}, {0, fragment(1, 237, 7, "a"), ""}}, Stats{Duplicates: 1}},
		{"121 do not", []step{{0, fragment(1, 239, 7, "a"), ""}}, Stats{Dropped: 1}},
		{"exception in an exception", []step{{0, []byte("\x01\x09\xd4\xff\xff\xff\xd4\xff\xff\xff"), ""}}, Stats{Dropped: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewReassembler(limit)
			now := start
			for i, s := range test.steps {
				now = now.Add(s.after)
				if got := r.Add(now, s.frame); string(got) != s.want || (got == nil) != (s.want == "") {
					t.Errorf("frame %d gives %q, want %q", i+1, got, s.want)
				}
			}
			if diff := cmp.Diff(test.stats, r.Stats()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

// What is split comes together, with the frames that RFC 1201 wants.
func TestSplit(t *testing.T) {
	for _, test := range []struct {
		length int
		flags  []byte // of its frames
	}{
		{0, []byte{0}},
		{1, []byte{0}},
		{249, []byte{0}},
		{250, []byte{0}},
		{252, []byte{0}},
		{253, []byte{0}},
		{504, []byte{0}}, // arc_frag_next of FreeBSD makes two of 499 to 504
		{505, []byte{1, 2}},
		{504 + 250, []byte{1, 2}},
		{1008, []byte{1, 2}},
		{1009, []byte{3, 2, 4}},
		{1500, []byte{3, 2, 4}},
		{2016, []byte{5, 2, 4, 6}}, // RFC 1201 section 2: the fourth has six
	} {
		t.Run(fmt.Sprint(test.length), func(t *testing.T) {
			packet := bytes.Repeat([]byte{0xee}, test.length)
			h := rfc1201.Header{Source: 1, Destination: 9, Protocol: rfc1201.IP, Sequence: 7}
			buffer, ends := appendFrames(nil, nil, h, packet)
			r := NewReassembler(60480)
			var flags []byte
			var got []byte
			begin := 0
			for _, end := range ends {
				frame := buffer[begin:end]
				begin = end
				// RFC 1201 section 2.1: these lengths cannot be sent.
				if n := len(frame) - 2; 254 <= n && n <= 256 || n > 508 {
					t.Errorf("a frame has %d bytes without its addresses", n)
				}
				parsed, _, _ := rfc1201.Parse(frame)
				flags = append(flags, parsed.Flag)
				if got != nil {
					t.Error("the packet was whole before its last frame")
				}
				got = r.Add(start, frame)
			}
			if !bytes.Equal(flags, test.flags) {
				t.Errorf("split flags %v, want %v", flags, test.flags)
			}
			if _, data, ok := rfc1201.Parse(got); !ok || !bytes.Equal(data, packet) {
				t.Errorf("%d bytes came together, want %d", len(data), len(packet))
			}
		})
	}
}

func TestSplitLongest(t *testing.T) {
	packet := bytes.Repeat([]byte{0xee}, 60480)
	_, ends := appendFrames(nil, nil, rfc1201.Header{}, packet)
	if len(ends) != maxFragments || firstFlag(len(ends)) != 0xed || laterFlag(len(ends)-1) != 0xee {
		t.Errorf("%d fragments with flags %#x to %#x, want 120 with 0xed to 0xee", len(ends), firstFlag(len(ends)), laterFlag(len(ends)-1))
	}
}

// Whatever comes, memory is bounded and every fragment is accounted for.
func FuzzReassembler(f *testing.F) {
	f.Add([]byte("\x01\x01\x07\x01\x02\x07"), uint8(2))
	f.Add([]byte("\x01\x03\x07\x01\x02\x07\x01\x04\x07\x02\x01\x01"), uint8(200))
	f.Fuzz(func(t *testing.T, script []byte, length uint8) {
		r := NewReassembler(limit)
		now := start
		data := string(bytes.Repeat([]byte("d"), 3*int(length)))
		fragments, inPackets := uint64(0), uint64(0)
		for ; len(script) >= 3; script = script[3:] {
			now = now.Add(time.Duration(script[2]>>4) * Timeout / 40)
			frame := fragment(script[0], script[1], uint16(script[2]&3), data)
			got := r.Add(now, frame)
			h, _, _ := rfc1201.Parse(frame)
			if h.Flag == 0 {
				if !bytes.Equal(got, frame) {
					t.Fatalf("an unfragmented frame became %x", got)
				}
				continue
			}
			fragments++
			if got == nil {
				continue
			}
			if _, all, ok := rfc1201.Parse(got); !ok || len(all) > limit {
				t.Fatalf("a packet of %d bytes came out", len(all))
			}
			inPackets += uint64(h.Flag/2) + 1
		}
		waiting := uint64(0)
		for _, p := range r.packets {
			waiting += p.fragments
			if len(p.frame) > rfc1201.HeaderLen+limit {
				t.Errorf("%d bytes are kept for one station", len(p.frame))
			}
		}
		if s := r.Stats(); s.Duplicates+s.Dropped+waiting+inPackets != fragments {
			t.Errorf("%d fragments; %+v, %d waiting, %d in packets", fragments, s, waiting, inPackets)
		}
	})
}
