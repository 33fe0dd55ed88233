package arp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/lladdr"
)

// slowParse is [Parse] again, by reading field after field in the order of RFC
// 826.
func slowParse(b []byte) (Packet, error) {
	r := bytes.NewReader(b)
	var fixed struct {
		Hrd, Pro uint16
		Hln, Pln uint8
		Op       uint16
	}
	if err := binary.Read(r, binary.BigEndian, &fixed); err != nil {
		return Packet{}, ErrShort
	}
	var addrs [4][]byte
	for i := range addrs {
		addrs[i] = make([]byte, []uint8{fixed.Hln, fixed.Pln}[i%2])
		if _, err := io.ReadFull(r, addrs[i]); err != nil {
			return Packet{}, ErrShort
		}
	}
	sha, ok := lladdr.FromSlice(addrs[0])
	if !ok {
		return Packet{}, ErrHardwareLength
	}
	tha, _ := lladdr.FromSlice(addrs[2])
	spa, ok := netip.AddrFromSlice(addrs[1])
	if !ok {
		return Packet{}, ErrProtocolLength
	}
	tpa, _ := netip.AddrFromSlice(addrs[3])
	return Packet{HardwareType(fixed.Hrd), fixed.Pro, Operation(fixed.Op), sha, spa, tha, tpa}, nil
}

// FuzzParse compares with the slow reference, and checks that what was parsed is
// written as the same bytes.
func FuzzParse(f *testing.F) {
	for _, tt := range packets {
		f.Add(tt.wire)
		f.Add(tt.wire[:len(tt.wire)-1])
		f.Add(append(bytes.Clone(tt.wire), make([]byte, 18)...)) // padding of Ethernet
	}
	// Length octets that lie: beyond the packet, beyond what an Addr holds, and
	// sums of 256 and more, which an 8-bit addition would take for small.
	room := make([]byte, 1020)
	for _, lengths := range [][2]uint8{
		{0, 0}, {0, 4}, {255, 255}, {255, 4}, {6, 255}, {128, 128}, {124, 4}, {252, 4}, {20, 16}, {21, 4}, {6, 0}, {6, 5}, {6, 15}, {6, 17},
	} {
		h := header(1, 0x0800, lengths[0], lengths[1], 1)
		f.Add(h)
		f.Add(append(bytes.Clone(h), room[:20]...))
		f.Add(append(bytes.Clone(h), room...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		original := bytes.Clone(b)
		p, err := Parse(b)
		want, wantErr := slowParse(b)
		if !bytes.Equal(b, original) {
			t.Fatal("Parse changed its argument")
		}
		if p != want || !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%x is %+v, %v, want %+v, %v", b, p, err, want, wantErr)
		}
		_, _, _ = p.IsProbe(), p.IsAnnouncement(), p.String() // no panic, whatever p is
		if err != nil {
			return
		}
		written := p.AppendTo(nil)
		if len(written) != p.Len() || !bytes.Equal(written, b[:min(len(b), len(written))]) {
			t.Fatalf("%x is written %x", b, written)
		}
		if again, err := Parse(written); err != nil || again != p {
			t.Fatalf("%x is %+v, then %+v, %v", b, p, again, err)
		}
	})
}
