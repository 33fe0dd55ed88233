package packet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/packet"
	"github.com/isat-project/isat/lladdr"
)

// The method set that package host wants of a port.
var _ interface {
	ReadFrames([][]byte) (int, error)
	WriteFrames([][]byte) (int, error)
	Close() error
} = (*packet.Conn)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	macA      = lladdr.MustParse("02:00:00:00:00:0a")
	macB      = lladdr.MustParse("02:00:00:00:00:0b")
	macOther  = lladdr.MustParse("02:00:00:00:00:99")
	broadcast = lladdr.Broadcast()
)

// Tags as they stand between the addresses and the EtherType (IEEE 802.1Q-2018
// section 9).
var (
	noTag      []byte
	vlan5      = []byte{0x81, 0x00, 0x00, 0x05}
	service5   = []byte{0x88, 0xa8, 0x00, 0x05}
	priority7  = []byte{0x81, 0x00, 0xe0, 0x00}
	typeARP    = []byte{0x08, 0x06}
	typeIPv4   = []byte{0x08, 0x00}
	payloadLen = 46
)

// frame makes a numbered frame from a.
func frame(to lladdr.Addr, tag, etherType []byte, number int) []byte {
	f := macA.AppendBytes(to.AppendBytes(nil))
	f = append(append(f, tag...), etherType...)
	f = binary.BigEndian.AppendUint32(f, uint32(number))
	return append(f, make([]byte, payloadLen-4)...)
}

// numbered makes an untagged broadcast frame of ARP with a number.
func numbered(number int) []byte { return frame(broadcast, noTag, typeARP, number) }

func numberOf(f []byte) int { return int(binary.BigEndian.Uint32(f[14:])) }

// cable is a veth pair in a network namespace of its own, the test in it:
//
//	a (macA) ── b (macB)
type cable struct{ a, b netlink.Link }

func newCable(t testing.TB) cable {
	t.Helper()
	testns.Enter(t)
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "a"
	attributes.HardwareAddr = macA.HardwareAddr()
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "b", PeerHardwareAddr: macB.HardwareAddr()}
	must(t, netlink.LinkAdd(veth))
	c := cable{find(t, "a"), find(t, "b")}
	must(t, netlink.LinkSetARPOff(c.a)) // the kernel stays silent
	must(t, netlink.LinkSetARPOff(c.b))
	must(t, netlink.LinkSetUp(c.a))
	must(t, netlink.LinkSetUp(c.b))
	c.waitForCarrier(t)
	return c
}

// waitForCarrier waits until both ends carry frames. The kernel acts on carrier
// in a worker of its own, and drops frames until it has (tried).
func (c cable) waitForCarrier(t testing.TB) {
	t.Helper()
	until(t, "both ends are operational", func() bool {
		return find(t, "a").Attrs().OperState == netlink.OperUp && find(t, "b").Attrs().OperState == netlink.OperUp
	})
}

func find(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t testing.TB, l netlink.Link, o packet.Options) *packet.Conn {
	t.Helper()
	c, err := packet.Listen(l.Attrs().Index, o)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func write(t testing.TB, c *packet.Conn, frames ...[]byte) {
	t.Helper()
	if n, err := c.WriteFrames(frames); n != len(frames) || err != nil {
		t.Fatalf("WriteFrames took %d of %d: %v", n, len(frames), err)
	}
}

// read reads count frames and returns copies.
func read(t testing.TB, c *packet.Conn, count int) [][]byte {
	t.Helper()
	var got [][]byte
	frames := make([][]byte, packet.DefaultBatch)
	for len(got) < count {
		n, err := c.ReadFrames(frames)
		must(t, err)
		for _, f := range frames[:n] {
			got = append(got, bytes.Clone(f))
		}
	}
	return got
}

// reading starts a goroutine that reads one frame, and returns what it gets.
func reading(c *packet.Conn) <-chan result {
	done := make(chan result, 1)
	go func() {
		frames := make([][]byte, 1)
		n, err := c.ReadFrames(frames)
		r := result{err: err}
		if n == 1 {
			r.number = numberOf(frames[0])
		}
		done <- r
	}()
	return done
}

type result struct {
	number int
	err    error
}

// wait waits for what a reader gets, which has to come at some time.
func wait(t testing.TB, done <-chan result) result {
	t.Helper()
	select {
	case r := <-done:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the reader still waits")
		panic("not reached")
	}
}

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

// until waits for a condition that has to come true.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
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

func TestFullQueue(t *testing.T) {
	for _, test := range []struct {
		name  string
		write func(c *packet.Conn, frames [][]byte) (int, error)
	}{
		{"together", (*packet.Conn).WriteFrames},
		{"one by one", func(c *packet.Conn, frames [][]byte) (total int, err error) {
			for _, f := range frames {
				n, err := c.WriteFrames([][]byte{f})
				if total += n; err != nil {
					return total, err
				}
			}
			return total, nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lan := newCable(t)
			a := listen(t, lan.a, packet.Options{})
			// tc qdisc add dev a root tbf rate 8kbit burst 100 limit 200: the bucket
			// takes one frame, the queue three. A tick is 64 ns.
			must(t, netlink.QdiscAdd(&netlink.Tbf{
				QdiscAttrs: netlink.QdiscAttrs{LinkIndex: lan.a.Attrs().Index, Parent: netlink.HANDLE_ROOT},
				Rate:       1000, Buffer: uint32(100 * time.Millisecond / 64), Limit: 200,
			}))
			var frames [][]byte
			for i := range 200 {
				frames = append(frames, numbered(i))
			}
			n, err := test.write(a, frames)
			if n == 0 || n == len(frames) || !errors.Is(err, unix.ENOBUFS) {
				t.Errorf("WriteFrames took %d of %d: %v; want some and ENOBUFS", n, len(frames), err)
			}
			if got := a.Stats().Sent; got != uint64(n) {
				t.Errorf("%d sent, want %d", got, n)
			}
		})
	}
}

func TestWriteErrors(t *testing.T) {
	lan := newCable(t)
	a, b := listen(t, lan.a, packet.Options{}), listen(t, lan.b, packet.Options{})
	long := append(numbered(1), make([]byte, 1500)...)
	for _, test := range []struct {
		name   string
		frames [][]byte
		n      int
		want   error
	}{
		{"nothing", nil, 0, nil},
		{"empty frame", [][]byte{{}}, 0, unix.EINVAL},
		{"empty frame among others", [][]byte{numbered(1), {}, numbered(2)}, 1, unix.EINVAL},
		{"shorter than the header", [][]byte{numbered(1)[:13]}, 0, unix.EINVAL},
		{"longer than the MTU", [][]byte{numbered(1), numbered(2), long, numbered(3)}, 2, unix.EMSGSIZE},
	} {
		t.Run(test.name, func(t *testing.T) {
			if n, err := a.WriteFrames(test.frames); n != test.n || !errors.Is(err, test.want) {
				t.Errorf("WriteFrames: %d, %v; want %d, %v", n, err, test.n, test.want)
			}
			if test.n > 0 {
				read(t, b, test.n)
			}
		})
	}
}

func TestObserve(t *testing.T) {
	lan := newCable(t)
	a, b := listen(t, lan.a, packet.Options{}), listen(t, lan.b, packet.Options{Observe: true})
	if n, err := b.WriteFrames([][]byte{numbered(1)}); n != 0 || !errors.Is(err, unix.EPERM) {
		t.Errorf("WriteFrames: %d, %v; want EPERM", n, err)
	}
	write(t, a, numbered(2))
	if got := numberOf(read(t, b, 1)[0]); got != 2 {
		t.Errorf("read frame %d, want 2", got)
	}
}

func TestListenErrors(t *testing.T) {
	lan := newCable(t)
	index := lan.a.Attrs().Index
	for _, test := range []struct {
		name  string
		index int
		opts  packet.Options
		want  error
	}{
		{"no such interface", 12345, packet.Options{}, unix.ENODEV},
		{"negative batch", index, packet.Options{Batch: -1}, unix.EINVAL},
		{"negative buffer", index, packet.Options{ReceiveBuffer: -1}, unix.EINVAL},
		{"negative frame size", index, packet.Options{FrameSize: -1}, unix.EINVAL},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := packet.Listen(test.index, test.opts); !errors.Is(err, test.want) {
				t.Errorf("Listen: %v, want %v", err, test.want)
			}
		})
	}
}

func TestListenNeedsCapability(t *testing.T) {
	lan := newCable(t)
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends without its capabilities
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			failed <- err
			return
		}
		_, err := packet.Listen(lan.a.Attrs().Index, packet.Options{})
		failed <- err
	}()
	err := <-failed
	if !errors.Is(err, os.ErrPermission) || !bytes.Contains([]byte(err.Error()), []byte("CAP_NET_RAW")) {
		t.Errorf("Listen: %v, want a permission error that names CAP_NET_RAW", err)
	}
}
