package link_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

var _ link.Framing = link.ARCnet{}

// Pieces of ARCnet frames.
const (
	stations  = "\x05\x06" // source first
	arcARP    = "\xd5"     // 213
	arcIP     = "\xd4"     // 212
	unsplit   = "\x00\x12\x34"
	exception = "\xff\xff\xff"
)

func arcHeader(etherType uint16) link.Header {
	return link.Header{Destination: lladdr.MustParse("06"), Source: lladdr.MustParse("05"), Type: etherType}
}

func TestARCnetParse(t *testing.T) {
	for _, test := range []struct {
		name    string
		frame   string
		payload string
		want    uint16
		err     error
	}{
		{"ARP", stations + arcARP + unsplit + "payload", "payload", link.TypeARP, nil},
		{"IP", stations + arcIP + unsplit + "payload", "payload", link.TypeIPv4, nil},
		{"RARP", stations + "\xd6" + unsplit + "payload", "payload", link.TypeRARP, nil},
		{"no payload", stations + arcARP + unsplit, "", link.TypeARP, nil},
		{"RFC 1051 ARP", stations + "\xf1" + "payload", "payload", link.TypeARP, nil},
		{"RFC 1051 IP", stations + "\xf0" + "payload", "payload", link.TypeIPv4, nil},
		{"RFC 1051 without payload", stations + "\xf0", "", link.TypeIPv4, nil},
		{"RFC 1051 is no exception", stations + "\xf0" + "\xff\xff\xff", "\xff\xff\xff", link.TypeIPv4, nil},
		{"exception", stations + arcIP + exception + arcIP + unsplit + "payload", "payload", link.TypeIPv4, nil},

		{"empty", "", "", 0, link.ErrShort},
		{"only addresses", stations, "", 0, link.ErrShort},
		{"no split flag", stations + arcARP, "", 0, link.ErrShort},
		{"half a sequence number", stations + arcARP + unsplit[:2], "", 0, link.ErrShort},
		{"half an exception", stations + arcARP + exception, "", 0, link.ErrShort},
		{"exception a byte short", stations + arcIP + exception + arcIP + unsplit[:2], "", 0, link.ErrShort},
		{"exception in an exception", stations + arcIP + exception + arcIP + exception + "payload", "", 0, link.ErrFrame},
		{"first fragment", stations + arcIP + "\x01\x12\x34" + "payload", "", 0, link.ErrFrame},
		{"later fragment", stations + arcIP + "\x02\x12\x34" + "payload", "", 0, link.ErrFrame},
		{"IPX", stations + "\xfa" + unsplit + "payload", "", 0, link.ErrFrame},
		{"diagnose", stations + "\x80" + "payload", "", 0, link.ErrFrame},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, payload, err := link.ARCnet{}.Parse([]byte(test.frame))
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			want := link.Header{}
			if test.err == nil {
				want = arcHeader(test.want)
			}
			if h != want || string(payload) != test.payload {
				t.Errorf("header %+v, payload %q; want %+v, %q", h, payload, want, test.payload)
			}
		})
	}
}

// RFC 1201 section 2.1: 250 to 252 bytes need an exception frame.
func TestARCnetAppend(t *testing.T) {
	const plain, except = 6, 10
	for _, test := range []struct{ data, header int }{
		{0, plain}, {18, plain}, {249, plain}, {250, except}, {251, except}, {252, except},
		{253, plain}, {504, plain}, {1500, plain}, {60480, plain},
	} {
		payload := []byte(strings.Repeat("p", test.data))
		want := stations + arcIP + "\x00\x00\x00"
		if test.header == except {
			want = stations + arcIP + exception + arcIP + "\x00\x00\x00"
		}
		got := link.ARCnet{}.Append([]byte("x"), arcHeader(link.TypeIPv4), payload)
		if string(got) != "x"+want+string(payload) {
			t.Errorf("%d bytes have the header %x, want %x", test.data, got[1:1+test.header], want)
		}
	}
}

func TestARCnetAppendTypes(t *testing.T) {
	for etherType, protocol := range map[uint16]byte{link.TypeIPv4: 212, link.TypeARP: 213, link.TypeRARP: 214} {
		if frame := (link.ARCnet{}).Append(nil, arcHeader(etherType), nil); frame[2] != protocol {
			t.Errorf("type %#04x is protocol %d, want %d", etherType, frame[2], protocol)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a type that ARCnet has no number for was accepted")
		}
	}()
	link.ARCnet{}.Append(nil, arcHeader(link.TypeVLAN), nil)
}

func TestARCnetMedium(t *testing.T) {
	a := link.ARCnet{}
	if a.HardwareType() != arp.ARCnet || a.AddrLen() != 1 || !a.Broadcast().IsBroadcast() || a.Broadcast().Len() != a.AddrLen() {
		t.Errorf("hardware type %v, addresses of %d bytes, broadcast %v", a.HardwareType(), a.AddrLen(), a.Broadcast())
	}
	if a.MTU() != 1500 || a.MaxMTU() != 120*504 {
		t.Errorf("MTU %d to %d", a.MTU(), a.MaxMTU())
	}
}

func TestARCnetDoesNotAllocate(t *testing.T) {
	var framing link.Framing = link.ARCnet{}
	h := arcHeader(link.TypeARP)
	buffer := make([]byte, 0, 64)
	payload := make([]byte, 18)
	if got := testing.AllocsPerRun(100, func() {
		buffer = framing.Append(buffer[:0], h, payload)
		if got, _, err := framing.Parse(buffer); err != nil || got != h {
			t.Fatal(got, err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func FuzzARCnetParse(f *testing.F) {
	f.Add([]byte(stations + arcARP + unsplit + "payload"))
	f.Add([]byte(stations + "\xf0" + "payload"))
	f.Add([]byte(stations + arcIP + exception + arcIP + unsplit + "payload"))
	f.Add([]byte(stations + arcIP + exception + arcIP + exception))
	f.Add([]byte(stations + arcIP + "\x01\x12\x34" + "payload"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, payload, err := link.ARCnet{}.Parse(frame)
		if err != nil {
			if !errors.Is(err, link.ErrShort) && !errors.Is(err, link.ErrFrame) {
				t.Errorf("error %v is none of those documented", err)
			}
			return
		}
		if !bytes.HasSuffix(frame, payload) {
			t.Errorf("payload %x is not the end of the frame %x", payload, frame)
		}
		again, same, err := link.ARCnet{}.Parse(link.ARCnet{}.Append(nil, h, payload))
		if err != nil || again != h || !bytes.Equal(same, payload) {
			t.Errorf("header %+v, payload %x became %+v, %x, %v", h, payload, again, same, err)
		}
	})
}
