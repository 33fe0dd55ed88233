package link_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/isat-project/isat/link"
)

// longest is a route with as many designators as there is room for.
var longest = "\x1e\x90" + string(bytes.Repeat([]byte{0x01, 0x23}, 14))

func TestParseSourceRoute(t *testing.T) {
	for _, test := range []struct {
		name string
		in   string
		text string
		err  error
	}{
		{"two designators", "\x06\x90\x00\x11\x00\x22", "rt=690:11:22", nil},
		{"more bytes behind", "\x06\x90\x00\x11\x00\x22\xaa\xaa", "rt=690:11:22", nil},
		{"no bridge crossed", "\x82\x70", "rt=8270", nil},
		{"longest", longest, "rt=1e90:123:123:123:123:123:123:123:123:123:123:123:123:123:123", nil},
		{"empty", "", "", link.ErrShort},
		{"half a control field", "\x02", "", link.ErrShort},
		{"designators missing", "\x06\x90\x00\x11\x00", "", link.ErrShort},
		{"length 0", "\x00\x90\x00\x11", "", link.ErrFrame},
		{"length 1", "\x01\x90\x00\x11", "", link.ErrFrame},
		{"odd length", "\x05\x90\x00\x11\x00\x22", "", link.ErrFrame},
		{"length 31", "\x1f" + longest[1:] + "\x00", "", link.ErrFrame},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := link.ParseSourceRoute([]byte(test.in))
			if !errors.Is(err, test.err) || r.String() != test.text {
				t.Fatalf("route %q, error %v; want %q, %v", r, err, test.text, test.err)
			}
			if err != nil {
				if !r.IsZero() {
					t.Errorf("route %v with an error", r)
				}
				return
			}
			if got := r.AppendBytes([]byte("x")); string(got) != "x"+test.in[:r.Len()] {
				t.Errorf("bytes %x, want %x", got[1:], test.in[:r.Len()])
			}
		})
	}
}

func TestSourceRouteZero(t *testing.T) {
	var r link.SourceRoute
	if !r.IsZero() || r.Len() != 0 || r.String() != "" || len(r.AppendBytes(nil)) != 0 || r.Reply() != r {
		t.Errorf("the zero SourceRoute is %+v", r)
	}
}

// The way back: facts/freebsd-arp.md 5.1.
func TestSourceRouteReply(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"direction turned", "\x06\x10\x00\x11\x00\x22", "rt=690:11:22"},
		{"turned again", "\x06\x90\x00\x11\x00\x22", "rt=610:11:22"},
		{"explorer of all routes", "\x86\x10\x00\x11\x00\x22", "rt=690:11:22"},
		{"explorer of a single route", "\xe6\x90\x00\x11\x00\x22", "rt=610:11:22"},
		{"frame size kept", "\x04\x70\x00\x11", "rt=4f0:11"},
		{"explorer that crossed no bridge", "\x82\x70", ""},
		{"no bridge", "\x02\x10", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := link.ParseSourceRoute([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Reply().String(); got != test.want {
				t.Errorf("%v becomes %q, want %q", r, got, test.want)
			}
		})
	}
}

// Equal routes are equal values, whatever stood behind them.
func TestSourceRouteIsComparable(t *testing.T) {
	a, errA := link.ParseSourceRoute([]byte("\x04\x10\x00\x11\xff\xff"))
	b, errB := link.ParseSourceRoute([]byte("\x04\x10\x00\x11"))
	if a != b || errA != nil || errB != nil {
		t.Errorf("%v and %v differ, errors %v, %v", a, b, errA, errB)
	}
}
