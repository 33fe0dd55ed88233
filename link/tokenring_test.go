package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

var _ link.Framing = link.TokenRing{}

// Pieces of Token Ring frames.
const (
	control = "\x10\x40"                     // access control, frame control
	routed  = "\x82\x00\x00\x00\x00\x0a"     // macA with the route indicator
	rif     = "\x06\x90\x00\x11\x00\x22"     // rt=690:11:22
	ring    = control + addrs + snap + isARP // the header without a route
)

func route(t testing.TB, rif string) link.SourceRoute {
	t.Helper()
	r, err := link.ParseSourceRoute([]byte(rif))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTokenRingParse(t *testing.T) {
	for _, test := range []struct {
		name    string
		frame   string
		payload string
		route   string
		err     error
	}{
		{"no route", ring + "payload", "payload", "", nil},
		{"no payload", ring, "", "", nil},
		{"other priority", "\xf8\x47" + addrs + snap + isARP + "payload", "payload", "", nil},
		{"route", control + macB + routed + rif + snap + isARP + "payload", "payload", "rt=690:11:22", nil},
		{"route without bridges", control + macB + routed + "\x82\x70" + snap + isARP + "payload", "payload", "rt=8270", nil},

		{"empty", "", "", "", link.ErrShort},
		{"a byte short", control + addrs[:11], "", "", link.ErrShort},
		{"no route where one should be", control + macB + routed, "", "", link.ErrShort},
		{"half a route", control + macB + routed + rif[:5], "", "", link.ErrShort},
		{"route of odd length", control + macB + routed + "\x05" + rif[1:] + snap + isARP, "", "", link.ErrFrame},
		{"only addresses", control + addrs, "", "", link.ErrFrame},
		{"half a SNAP header", ring[:len(ring)-1], "", "", link.ErrFrame},
		{"SNAP with another OUI", control + addrs + "\xaa\xaa\x03\x00\x00\xf8" + isARP, "", "", link.ErrFrame},
		{"SNAP with another control", control + addrs + "\xaa\xaa\x13\x00\x00\x00" + isARP, "", "", link.ErrFrame},
		{"LLC of NetBIOS", control + addrs + "\xf0\xf0\x03" + "payload", "", "", link.ErrFrame},
		{"MAC frame", "\x10\x05" + addrs + snap + isARP, "", "", link.ErrFrame},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, payload, err := link.TokenRing{}.Parse([]byte(test.frame))
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			want := link.Header{}
			if test.err == nil {
				want = header
				want.Route = h.Route
			}
			if h != want || string(payload) != test.payload || h.Route.String() != test.route {
				t.Errorf("header %+v, payload %q; want %+v, %q, route %q", h, payload, want, test.payload, test.route)
			}
		})
	}
}

func TestTokenRingAppend(t *testing.T) {
	withRoute := header
	withRoute.Route = route(t, rif)
	for _, test := range []struct {
		name   string
		header link.Header
		want   string
	}{
		{"no route", header, ring + "payload"},
		{"route", withRoute, control + macB + routed + rif + snap + isARP + "payload"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := link.TokenRing{}.Append([]byte("x"), test.header, []byte("payload"))
			if string(got) != "x"+test.want {
				t.Errorf("frame %x, want %x", got[1:], test.want)
			}
		})
	}
}

func TestTokenRingMedium(t *testing.T) {
	r := link.TokenRing{}
	if r.HardwareType() != arp.IEEE802 || r.AddrLen() != 6 || !r.Broadcast().IsBroadcast() || r.Broadcast().Len() != r.AddrLen() {
		t.Errorf("hardware type %v, addresses of %d bytes, broadcast %v", r.HardwareType(), r.AddrLen(), r.Broadcast())
	}
	if r.MTU() != 1500 || r.MaxMTU() != 17914 {
		t.Errorf("MTU %d to %d", r.MTU(), r.MaxMTU())
	}
}

// What an address stands for, and where IP multicast goes, on each medium.
func TestGroups(t *testing.T) {
	group := netip.MustParseAddr("239.129.2.3")
	for _, test := range []struct {
		framing   link.Framing
		multicast string
		groups    []string
		stations  []string
	}{
		{link.Ethernet{}, "01:00:5e:01:02:03",
			[]string{"ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"},
			[]string{"02:00:00:00:00:01", "c0:00:00:04:00:00", "00", "01:00:5e:01:02:03:04:05"}},
		{link.TokenRing{}, "c0:00:00:04:00:00",
			[]string{"ff:ff:ff:ff:ff:ff", "c0:00:ff:ff:ff:ff", "80:00:00:00:00:01"},
			[]string{"02:00:00:00:00:01", "41:00:00:00:00:01", "80"}},
		{link.ARCnet{}, "00",
			[]string{"00"},
			[]string{"01", "ff", "00:00"}},
	} {
		t.Run(test.framing.HardwareType().String(), func(t *testing.T) {
			if got := test.framing.Multicast(group).String(); got != test.multicast {
				t.Errorf("%v goes to %s, want %s", group, got, test.multicast)
			}
			for _, a := range append(test.groups, test.multicast, test.framing.Broadcast().String()) {
				if !test.framing.IsGroup(lladdr.MustParse(a)) {
					t.Errorf("%s is not a group", a)
				}
			}
			for _, a := range test.stations {
				if test.framing.IsGroup(lladdr.MustParse(a)) {
					t.Errorf("%s is a group", a)
				}
			}
		})
	}
}

func TestTokenRingDoesNotAllocate(t *testing.T) {
	var framing link.Framing = link.TokenRing{}
	h := header
	h.Route = route(t, rif)
	buffer := make([]byte, 0, 64)
	payload := make([]byte, 28)
	if got := testing.AllocsPerRun(100, func() {
		buffer = framing.Append(buffer[:0], h, payload)
		if got, _, err := framing.Parse(buffer); err != nil || got != h {
			t.Fatal(got, err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// What is parsed and appended again is the same frame, but for the priority.
func FuzzTokenRingParse(f *testing.F) {
	f.Add([]byte(ring + "payload"))
	f.Add([]byte(control + macB + routed + rif + snap + isARP + "payload"))
	f.Add([]byte(control + macB + routed + longest + snap + isARP))
	f.Add([]byte(control + macB + routed + rif[:3]))               // half a route
	f.Add([]byte(control + macB + routed + "\x00\x00" + snap))     // a route of length 0
	f.Add([]byte(control + macB + routed + "\x1f" + longest[1:]))  // and of length 31
	f.Add([]byte("\x00\x00" + macB + routed + rif + snap + isARP)) // a MAC frame
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, payload, err := link.TokenRing{}.Parse(frame)
		if err != nil {
			if !errors.Is(err, link.ErrShort) && !errors.Is(err, link.ErrFrame) {
				t.Errorf("error %v is none of those documented", err)
			}
			return
		}
		if again := (link.TokenRing{}).Append(nil, h, payload); !bytes.Equal(again[2:], frame[2:]) {
			t.Errorf("header %+v, payload %x became\n%x, was\n%x", h, payload, again, frame)
		}
	})
}

func ExampleSourceRoute_Reply() {
	// A frame has crossed a bridge, from ring 1 to ring 2.
	came, err := link.ParseSourceRoute([]byte{0x06, 0x10, 0x00, 0x11, 0x00, 0x20})
	fmt.Println(came, err)
	fmt.Println(came.Reply())
	// Output:
	// rt=610:11:20 <nil>
	// rt=690:11:20
}
