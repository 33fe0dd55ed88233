package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

var _ link.Framing = link.Ethernet{}

// Pieces of frames.
const (
	macA  = "\x02\x00\x00\x00\x00\x0a"
	macB  = "\x02\x00\x00\x00\x00\x0b"
	addrs = macB + macA // destination first
	isARP = "\x08\x06"
	snap  = "\xaa\xaa\x03\x00\x00\x00" // LLC, and OUI 0
)

var header = link.Header{
	Destination: lladdr.MustParse("02:00:00:00:00:0b"),
	Source:      lladdr.MustParse("02:00:00:00:00:0a"),
	Type:        link.TypeARP,
}

func TestEthernetParse(t *testing.T) {
	for _, test := range []struct {
		name    string
		frame   string
		payload string
		err     error
	}{
		{"Ethernet II", addrs + isARP + "payload", "payload", nil},
		{"Ethernet II without payload", addrs + isARP, "", nil},
		{"empty", "", "", link.ErrShort},
		{"a byte short", addrs + isARP[:1], "", link.ErrShort},
		{"only addresses", addrs, "", link.ErrShort},

		{"SNAP", addrs + "\x00\x0f" + snap + isARP + "payload", "payload", nil},
		{"SNAP with padding", addrs + "\x00\x0f" + snap + isARP + "payload\x00\x00\x00", "payload", nil},
		{"SNAP without payload", addrs + "\x00\x08" + snap + isARP, "", nil},
		{"SNAP longer than the frame", addrs + "\x00\x10" + snap + isARP + "payload", "", link.ErrShort},
		{"SNAP header alone in a longer frame", addrs + "\x00\x07" + snap + isARP, "", link.ErrFrame},
		{"length 0", addrs + "\x00\x00" + snap + isARP, "", link.ErrFrame},
		{"length 0 without bytes", addrs + "\x00\x00", "", link.ErrFrame},
		{"largest length", addrs + "\x05\xdc" + snap + isARP, "", link.ErrShort},
		{"SNAP with another OUI", addrs + "\x00\x0f" + "\xaa\xaa\x03\x00\x00\xf8" + isARP + "payload", "", link.ErrFrame},
		{"SNAP with another control", addrs + "\x00\x0f" + "\xaa\xaa\xf3\x00\x00\x00" + isARP + "payload", "", link.ErrFrame},
		{"LLC of the spanning tree protocol", addrs + "\x00\x26" + "\x42\x42\x03" + string(make([]byte, 35)), "", link.ErrFrame},
		{"Novell without LLC", addrs + "\x00\x22" + "\xff\xff" + string(make([]byte, 32)), "", link.ErrFrame},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, payload, err := link.Ethernet{}.Parse([]byte(test.frame))
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			want := header
			if test.err != nil {
				want = link.Header{}
			}
			if h != want || string(payload) != test.payload {
				t.Errorf("header %+v, payload %q; want %+v, %q", h, payload, want, test.payload)
			}
		})
	}
}

// Other types, those just above the largest length included, are types.
func TestEthernetParseTypes(t *testing.T) {
	for _, test := range []struct {
		bytes string
		want  uint16
	}{
		{"\x08\x00", link.TypeIPv4}, {"\x81\x00", link.TypeVLAN}, {"\x05\xdd", 0x05dd}, {"\xff\xff", 0xffff},
	} {
		h, payload, err := link.Ethernet{}.Parse([]byte(addrs + test.bytes + "payload"))
		if err != nil || h.Type != test.want || string(payload) != "payload" {
			t.Errorf("type %#04x, payload %q, error %v; want type %#04x", h.Type, payload, err, test.want)
		}
	}
}

// The smallest frame is 60 bytes, RFC 894 and IEEE 802.3: the rest is zeros.
func TestEthernetAppend(t *testing.T) {
	for _, test := range []struct {
		name    string
		payload int
		want    int
	}{
		{"nothing", 0, 60},
		{"ARP", 28, 60},
		{"just no padding", 46, 60},
		{"one more", 47, 61},
		{"MTU", 1500, 1514},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload := bytes.Repeat([]byte{0xee}, test.payload)
			// Room with old bytes in it, as a buffer has that is used again.
			dst := bytes.Repeat([]byte{0x55}, 2000)[:3]
			got := link.Ethernet{}.Append(dst, header, payload)
			want := "\x55\x55\x55" + addrs + isARP + string(payload)
			want += string(make([]byte, 3+test.want-len(want)))
			if diff := cmp.Diff([]byte(want), got); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEthernetMedium(t *testing.T) {
	e := link.Ethernet{}
	if e.HardwareType() != arp.Ethernet || e.AddrLen() != 6 || !e.Broadcast().IsBroadcast() || e.Broadcast().Len() != e.AddrLen() {
		t.Errorf("hardware type %v, addresses of %d bytes, broadcast %v", e.HardwareType(), e.AddrLen(), e.Broadcast())
	}
}

func TestEthernetDoesNotAllocate(t *testing.T) {
	var framing link.Framing = link.Ethernet{}
	buffer := make([]byte, 0, 64)
	payload := make([]byte, 28)
	plain := []byte(addrs + isARP + "payload")
	long := []byte(addrs + "\x00\x0f" + snap + isARP + "payload")
	if got := testing.AllocsPerRun(100, func() {
		buffer = framing.Append(buffer[:0], header, payload)
		for _, frame := range [][]byte{buffer, plain, long} {
			if _, _, err := framing.Parse(frame); err != nil {
				t.Fatal(err)
			}
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// What is parsed is inside the frame, and appended again it parses the same.
func FuzzEthernetParse(f *testing.F) {
	f.Add([]byte(addrs + isARP + "payload"))
	f.Add([]byte(addrs + "\x00\x0f" + snap + isARP + "payload"))
	f.Add([]byte(addrs + "\x00\x07" + snap))                          // length that ends in the SNAP header
	f.Add([]byte(addrs + "\x05\xdc" + snap + isARP))                  // length beyond the frame
	f.Add([]byte(addrs + "\x00\x0a" + snap + "\x00\x04" + "payload")) // SNAP that carries a length
	f.Add([]byte(addrs + isARP[:1]))                                  // half a type
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, payload, err := link.Ethernet{}.Parse(frame)
		if err != nil {
			if !errors.Is(err, link.ErrShort) && !errors.Is(err, link.ErrFrame) {
				t.Errorf("error %v is none of those documented", err)
			}
			return
		}
		if !bytes.Contains(frame, payload) || len(payload) > len(frame)-14 {
			t.Errorf("payload %x is not of the frame %x", payload, frame)
		}
		if h.Type <= 1500 {
			return // SNAP may carry a length as its type: Ethernet II has no such form
		}
		again, padded, err := link.Ethernet{}.Parse(link.Ethernet{}.Append(nil, h, payload))
		if err != nil || again != h || !bytes.HasPrefix(padded, payload) {
			t.Errorf("header %+v, payload %x became %+v, %x, %v", h, payload, again, padded, err)
		}
	})
}

func ExampleEthernet() {
	h := link.Header{
		Destination: lladdr.Broadcast(),
		Source:      lladdr.MustParse("02:00:00:00:00:0a"),
		Type:        link.TypeARP,
	}
	frame := link.Ethernet{}.Append(nil, h, []byte("an ARP packet"))

	got, payload, err := link.Ethernet{}.Parse(frame)
	fmt.Println(len(frame), got.Source, got.Destination, err)
	fmt.Printf("%.13s\n", payload)
	// Output:
	// 60 02:00:00:00:00:0a ff:ff:ff:ff:ff:ff <nil>
	// an ARP packet
}
