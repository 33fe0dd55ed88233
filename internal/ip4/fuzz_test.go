package ip4_test

import (
	"bytes"
	"testing"

	"github.com/isat-project/isat/internal/ip4"
)

// The fast sum is the slow one.
func FuzzSum(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{1}, uint16(0xffff))
	f.Add(bytes.Repeat([]byte{0xff}, 41), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, sum uint16) {
		want := slowChecksum(append([]byte{byte(sum >> 8), byte(sum)}, data...))
		if got := ip4.Checksum(data, uint64(sum)); got != want && got^want != 0xffff {
			t.Errorf("checksum %#x, want %#x", got, want)
		}
	})
}

// Whatever is fragmented, every fragment is sound, short enough and of the right
// place, and together they are the data. Errors about it are sound too.
func FuzzFragments(f *testing.F) {
	f.Add(udp("some data").packet(), 28)
	f.Add(spec{own, peer, 17, bytes.Join([][]byte{nop, record, loose, end}, nil), 0, make([]byte, 100)}.packet(), 76)
	f.Add(spec{own, peer, 17, nil, 0x3fff, make([]byte, 100)}.packet(), 76) // ends beyond 65,535
	f.Fuzz(func(t *testing.T, packet []byte, mtu int) {
		if e := ip4.AppendUnreachable(nil, ip4.HostUnknown, 0, hop, packet); len(e) > 0 {
			if h, err := ip4.Parse(e); err != nil || h.TotalLen != len(e) || len(e) > 576 {
				t.Errorf("error message %x: %v", e, err)
			}
		}
		fragments, err := ip4.AppendFragments(nil, packet, mtu)
		if err != nil {
			return
		}
		whole, _ := ip4.Parse(packet)
		offset := whole.Offset
		var data []byte
		for i, frag := range fragments {
			h, err := ip4.Parse(frag)
			if err != nil || len(frag) > mtu || h.TotalLen != len(frag) {
				t.Fatalf("fragment %x: %v", frag, err)
			}
			if last := i == len(fragments)-1; h.MoreFragments != (!last || whole.MoreFragments) || h.Offset != offset {
				t.Errorf("fragment %d of %d: %+v", i, len(fragments), h)
			}
			offset += len(frag) - h.Len
			data = append(data, frag[h.Len:]...)
		}
		if !bytes.Equal(data, packet[whole.Len:whole.TotalLen]) {
			t.Error("the data is not that of the packet")
		}
	})
}
