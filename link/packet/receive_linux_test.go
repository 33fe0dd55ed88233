package packet_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/link/packet"
)

func TestExchange(t *testing.T) {
	lan := newCable(t)
	a, b := listen(t, lan.a, packet.Options{}), listen(t, lan.b, packet.Options{})

	request := numbered(1)
	write(t, a, request)
	if got := read(t, b, 1); !bytes.Equal(got[0], request) {
		t.Errorf("b read %x, want %x", got[0], request)
	}
	reply := frame(macA, noTag, typeARP, 2)
	write(t, b, reply)
	// a reads the reply first: it does not see its own frame.
	if got := read(t, a, 1); !bytes.Equal(got[0], reply) {
		t.Errorf("a read %x, want %x", got[0], reply)
	}
	want := packet.Stats{Received: 1, Sent: 1}
	for name, c := range map[string]*packet.Conn{"a": a, "b": b} {
		if diff := cmp.Diff(want, c.Stats()); diff != "" {
			t.Errorf("stats of %s (-want +got):\n%s", name, diff)
		}
	}
}

// What the reader gets of frames of all kinds, and how the rest is counted.
func TestWhichFrames(t *testing.T) {
	const end = 99
	for _, test := range []struct {
		name     string
		protocol uint16
		send     []byte
		received []byte // nil if it is dropped
		want     packet.Stats
	}{
		{"broadcast", 0, numbered(1), numbered(1), packet.Stats{Received: 2}},
		{"to us", 0, frame(macB, noTag, typeARP, 1), frame(macB, noTag, typeARP, 1), packet.Stats{Received: 2}},
		{"to another host", 0, frame(macOther, noTag, typeARP, 1), nil, packet.Stats{Received: 1, OtherHost: 1}},
		{"other protocol", 0, frame(macB, noTag, typeIPv4, 1), nil, packet.Stats{Received: 1}},
		{"priority tag", 0, frame(broadcast, priority7, typeARP, 1), numbered(1), packet.Stats{Received: 2}},
		{"VLAN tag", 0, frame(broadcast, vlan5, typeARP, 1), nil, packet.Stats{Received: 1, Tagged: 1}},
		{"service tag", 0, frame(broadcast, service5, typeARP, 1), nil, packet.Stats{Received: 1, Tagged: 1}},
		// The kernel leaves no trace of the tag, see Conn.accept.
		{"VLAN tag, unicast", 0, frame(macB, vlan5, typeARP, 1), nil, packet.Stats{Received: 1, OtherHost: 1}},
		{"longer than the buffer", 0, append(numbered(1), make([]byte, 100)...), nil, packet.Stats{Received: 1, Truncated: 1}},

		{"IPv4 when asked for", unix.ETH_P_IP, frame(macB, noTag, typeIPv4, 1), frame(macB, noTag, typeIPv4, 1), packet.Stats{Received: 1}},
		{"all: VLAN tag", unix.ETH_P_ALL, frame(broadcast, vlan5, typeARP, 1), nil, packet.Stats{Received: 1, Tagged: 1}},
		{"all: VLAN tag, unicast", unix.ETH_P_ALL, frame(macB, vlan5, typeARP, 1), nil, packet.Stats{Received: 1, Tagged: 1}},
		{"all: priority tag", unix.ETH_P_ALL, frame(broadcast, priority7, typeARP, 1), numbered(1), packet.Stats{Received: 2}},
		{"all: other protocol", unix.ETH_P_ALL, frame(macB, noTag, typeIPv4, 1), frame(macB, noTag, typeIPv4, 1), packet.Stats{Received: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lan := newCable(t)
			must(t, netlink.SetPromiscOn(lan.b))
			a := listen(t, lan.a, packet.Options{})
			b := listen(t, lan.b, packet.Options{Protocol: test.protocol, FrameSize: 100})
			var want [][]byte
			if test.received != nil {
				want = append(want, test.received)
			}
			write(t, a, test.send)
			if test.protocol != unix.ETH_P_IP {
				write(t, a, numbered(end)) // the last that b gets
				want = append(want, numbered(end))
			}
			got := read(t, b, len(want))
			// The kernel's own IPv6 frames are seen by ETH_P_ALL.
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, b.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

// Frames that wait are read in batches, in order, and none is lost.
func TestBatches(t *testing.T) {
	const count, batch = 1000, 50
	lan := newCable(t)
	a := listen(t, lan.a, packet.Options{})
	b := listen(t, lan.b, packet.Options{Batch: batch})
	var out [][]byte
	for i := range count {
		out = append(out, numbered(i))
	}
	write(t, a, out...)
	frames := make([][]byte, 2*batch)
	next, calls := 0, 0
	for next < count {
		n, err := b.ReadFrames(frames)
		must(t, err)
		calls++
		for _, f := range frames[:n] {
			if numberOf(f) != next {
				t.Fatalf("frame %d came when %d was due", numberOf(f), next)
			}
			next++
		}
	}
	// One or two alone until the reader notices, then batches.
	if want := count/batch + 3; calls > want {
		t.Errorf("%d calls to read %d frames in batches of %d, want %d at most", calls, count, batch, want)
	}
	if got := a.Stats().Sent; got != count {
		t.Errorf("%d sent, want %d", got, count)
	}
}

// A reader that has room for one frame gets one at a time.
func TestRoomForOne(t *testing.T) {
	lan := newCable(t)
	a, b := listen(t, lan.a, packet.Options{}), listen(t, lan.b, packet.Options{})
	write(t, a, numbered(0), numbered(1), numbered(2), numbered(3))
	frames := make([][]byte, 1)
	for i := range 4 {
		if n, err := b.ReadFrames(frames); n != 1 || err != nil || numberOf(frames[0]) != i {
			t.Fatalf("ReadFrames: %d, %v; want frame %d", n, err, i)
		}
	}
}

func TestOverflow(t *testing.T) {
	const count = 1000
	lan := newCable(t)
	a := listen(t, lan.a, packet.Options{})
	b := listen(t, lan.b, packet.Options{ReceiveBuffer: 1}) // the kernel makes it a few kilobytes
	for i := range count {
		write(t, a, numbered(i))
	}
	frames := make([][]byte, packet.DefaultBatch)
	received := 0
	for last := -1; last != count; {
		n, err := b.ReadFrames(frames)
		must(t, err)
		received += n
		last = numberOf(frames[n-1])
		if b.Stats().Overflow == 0 {
			write(t, a, numbered(count)) // there is room again: it tells of those lost
		}
	}
	got := b.Stats()
	if got.Overflow == 0 || got.Received != uint64(received) || got.Received+got.Overflow < count {
		t.Errorf("stats %+v after %d frames sent and %d read", got, a.Stats().Sent, received)
	}
}
