package packet_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/packet"
)

func TestClose(t *testing.T) {
	lan := newCable(t)
	c := listen(t, lan.a, packet.Options{})
	done := reading(c)
	time.Sleep(10 * time.Millisecond) // likely it waits by now; both orders are right
	must(t, c.Close())
	if r := wait(t, done); !errors.Is(r.err, net.ErrClosed) {
		t.Errorf("the waiting reader got %v, want net.ErrClosed", r.err)
	}
	if _, err := c.ReadFrames(make([][]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrames: %v, want net.ErrClosed", err)
	}
	if n, err := c.WriteFrames([][]byte{numbered(1)}); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteFrames: %d, %v; want net.ErrClosed", n, err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v, want net.ErrClosed", err)
	}
}

// A connection outlives its interface being down, and can be made while it is.
func TestDownAndUp(t *testing.T) {
	lan := newCable(t)
	must(t, netlink.LinkSetDown(lan.b))
	a, b := listen(t, lan.a, packet.Options{}), listen(t, lan.b, packet.Options{})
	done := reading(b)
	for round := range 3 {
		until(t, "the reader sees that the interface is down", func() bool { return b.Stats().Downs == uint64(round+1) })
		if n, err := b.WriteFrames([][]byte{numbered(1)}); n != 0 || !errors.Is(err, unix.ENETDOWN) {
			t.Errorf("WriteFrames while down: %d, %v; want ENETDOWN", n, err)
		}
		select {
		case r := <-done:
			t.Fatalf("the reader returned %+v while the interface is down", r)
		default:
		}
		must(t, netlink.LinkSetUp(lan.b))
		lan.waitForCarrier(t)
		write(t, a, numbered(round))
		if r := wait(t, done); r.err != nil || r.number != round {
			t.Fatalf("after down and up the reader got %+v, want frame %d", r, round)
		}
		write(t, b, numbered(1))
		done = reading(b)
		must(t, netlink.LinkSetDown(lan.b))
	}
	// Reading goes on however long it is down: longer than the interval at which
	// the reader looks whether the interface still exists.
	time.Sleep(1500 * time.Millisecond)
	must(t, netlink.LinkSetUp(lan.b))
	lan.waitForCarrier(t)
	write(t, a, numbered(7))
	if r := wait(t, done); r.err != nil || r.number != 7 {
		t.Errorf("after a long time down the reader got %+v, want frame 7", r)
	}
}

// The reader learns that the interface is gone, in whatever way it went.
func TestGone(t *testing.T) {
	for _, test := range []struct {
		name string
		away func(t *testing.T, c *packet.Conn, l netlink.Link)
	}{
		{"deleted", func(t *testing.T, _ *packet.Conn, l netlink.Link) { must(t, netlink.LinkDel(l)) }},
		{"deleted while down", func(t *testing.T, c *packet.Conn, l netlink.Link) {
			must(t, netlink.LinkSetDown(l))
			until(t, "the reader sees it down", func() bool { return c.Stats().Downs == 1 })
			must(t, netlink.LinkDel(l))
		}},
		{"moved to another namespace", func(t *testing.T, _ *packet.Conn, l netlink.Link) {
			must(t, netlink.LinkSetNsFd(l, testns.New(t).FD()))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lan := newCable(t)
			b := listen(t, lan.b, packet.Options{})
			done := reading(b)
			test.away(t, b, lan.b)
			if r := wait(t, done); !errors.Is(r.err, unix.ENXIO) {
				t.Errorf("the reader got %+v, want ENXIO", r)
			}
			if r := wait(t, reading(b)); !errors.Is(r.err, unix.ENXIO) {
				t.Errorf("reading again got %+v, want ENXIO", r)
			}
			if n, err := b.WriteFrames([][]byte{numbered(1)}); n != 0 || !errors.Is(err, unix.ENXIO) {
				t.Errorf("WriteFrames: %d, %v; want ENXIO", n, err)
			}
		})
	}
}
