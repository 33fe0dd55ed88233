package cable_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/isat-project/isat/link/cable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// start runs a hub at path and returns it with what ends it.
func start(t *testing.T, path string) (h *cable.Hub, stop func()) {
	t.Helper()
	h, err := cable.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return h, run(t, h)
}

// run runs a hub until the test is over or what it returns is called.
func run(t *testing.T, h *cable.Hub) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// dial plugs a port in, and returns when the hub knows it.
func dial(t *testing.T, h *cable.Hub, path string) *cable.Port {
	t.Helper()
	before := h.Stats().Ports
	p, err := cable.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	until(t, "the hub to take the port", func() bool { return h.Stats().Ports > before })
	return p
}

// until waits for a condition.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// read reads frames until there are n.
func read(t *testing.T, p *cable.Port, n int) [][]byte {
	t.Helper()
	watchdog := time.AfterFunc(patience, func() { p.Close() })
	defer watchdog.Stop()
	var got [][]byte
	frames := make([][]byte, 7)
	for len(got) < n {
		m, err := p.ReadFrames(frames)
		if err != nil {
			t.Fatalf("%d frames, then %v; want %d", len(got), err, n)
		}
		for _, frame := range frames[:m] {
			got = append(got, bytes.Clone(frame))
		}
	}
	return got
}

func write(t *testing.T, p *cable.Port, frames ...string) {
	t.Helper()
	for _, frame := range frames {
		if n, err := p.WriteFrames([][]byte{[]byte(frame)}); n != 1 || err != nil {
			t.Fatalf("%d frames written, error %v", n, err)
		}
	}
}

func TestFramesReachAllOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	a, b, c := dial(t, h, path), dial(t, h, path), dial(t, h, path)
	write(t, a, "one", "two")
	for _, p := range []*cable.Port{b, c} {
		got := read(t, p, 2)
		if string(got[0]) != "one" || string(got[1]) != "two" {
			t.Errorf("frames %q", got)
		}
	}
	// Had a heard its own frames, they would come first.
	write(t, b, "three")
	if got := read(t, a, 1); string(got[0]) != "three" {
		t.Errorf("the sender of the first reads %q", got)
	}
	if s := h.Stats(); s != (cable.Stats{Ports: 3, Frames: 3}) {
		t.Errorf("counters %+v", s)
	}
}

// Frames of all lengths come as they are.
func TestLengths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	a, b := dial(t, h, path), dial(t, h, path)
	for _, length := range []int{1, 60, 1514, 17936, 65549, cable.MaxFrame} {
		frame := bytes.Repeat([]byte{byte(length)}, length)
		write(t, a, string(frame))
		if got := read(t, b, 1); !bytes.Equal(got[0], frame) {
			t.Errorf("a frame of %d bytes has %d", length, len(got[0]))
		}
	}
	for _, test := range []struct {
		length int
		want   error
	}{{0, syscall.EINVAL}, {cable.MaxFrame + 1, syscall.EMSGSIZE}} {
		n, err := a.WriteFrames([][]byte{[]byte("before"), make([]byte, test.length), []byte("behind")})
		if n != 1 || !errors.Is(err, test.want) {
			t.Errorf("%d bytes: %d frames, error %v; want 1, %v", test.length, n, err, test.want)
		}
		if got := read(t, b, 1); string(got[0]) != "before" {
			t.Errorf("read %q", got)
		}
	}
}

// Many ports talk at once. All hear the frames in the same order, that of the tap.
func TestManyPorts(t *testing.T) {
	const ports, each = 20, 10 // fewer frames than the queue of a socket holds
	path := filepath.Join(t.TempDir(), "cable")
	h, err := cable.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	var tapped []uint32 // read after the hub has ended
	h.Tap(func(now time.Time, frame []byte) {
		if now.IsZero() {
			t.Error("a frame at no time")
		}
		tapped = append(tapped, binary.BigEndian.Uint32(frame))
	})
	stop := run(t, h)
	all := make([]*cable.Port, ports)
	for i := range all {
		all[i] = dial(t, h, path)
	}
	heard := make([][]uint32, ports)
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() {
			for k := range each {
				frame := binary.BigEndian.AppendUint32(nil, uint32(i*each+k))
				if n, err := p.WriteFrames([][]byte{frame}); n != 1 || err != nil {
					t.Errorf("%d frames written, error %v", n, err)
				}
			}
		})
		wg.Go(func() {
			for _, frame := range read(t, p, (ports-1)*each) {
				heard[i] = append(heard[i], binary.BigEndian.Uint32(frame))
			}
		})
	}
	wg.Wait()
	if s := h.Stats(); s.Lost != 0 || s.Frames != ports*each {
		t.Errorf("counters %+v", s)
	}
	stop()
	if len(tapped) != ports*each {
		t.Fatalf("the tap has %d frames, want %d", len(tapped), ports*each)
	}
	for i := range all {
		k := 0
		for _, id := range tapped {
			if id/each == uint32(i) {
				continue // its own
			}
			if heard[i][k] != id {
				t.Fatalf("port %d heard %d as frame %d, want %d", i, heard[i][k], k, id)
			}
			k++
		}
	}
}

// A port that does not read loses frames, and nobody else does or waits.
func TestSlowReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	a, slow, b := dial(t, h, path), dial(t, h, path), dial(t, h, path)
	const frames = 3000 // more than the queue of a socket holds
	frame := bytes.Repeat([]byte{1}, 1500)
	for i := range frames {
		write(t, a, string(frame))
		if got := read(t, b, 1); len(got) != 1 {
			t.Fatalf("frame %d did not come", i)
		}
	}
	lost := h.Stats().Lost
	if lost == 0 || lost >= frames {
		t.Errorf("%d of %d frames lost", lost, frames)
	}
	read(t, slow, frames-int(lost)) // the rest is there
	write(t, a, "again")
	if got := read(t, slow, 1); string(got[0]) != "again" {
		t.Errorf("then it reads %q", got)
	}
}

// Whatever a program sends to the socket does not hurt the others.
func TestRubbish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	a, b := dial(t, h, path), dial(t, h, path)
	u, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	until(t, "the hub to take the port", func() bool { return h.Stats().Ports == 3 })
	for _, b := range [][]byte{make([]byte, cable.MaxFrame+1), make([]byte, cable.MaxFrame+30000), []byte("ok")} {
		if _, err := u.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, a, 1); string(got[0]) != "ok" {
		t.Errorf("read %q", got)
	}
	if s := h.Stats(); s.TooLong != 2 || s.Frames != 1 {
		t.Errorf("counters %+v", s)
	}
	// An empty packet looks like the end of the connection.
	raw, err := u.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Write(func(fd uintptr) bool { _, err = syscall.Write(int(fd), nil); return true })
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the hub to forget it", func() bool { return h.Stats().Ports == 2 })
	write(t, a, "still here")
	read(t, b, 2) // "ok" and this
}

func TestPortLeaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	a, b := dial(t, h, path), dial(t, h, path)
	c := dial(t, h, path)
	write(t, b, "unread") // which makes the end a reset
	until(t, "the frame", func() bool { return h.Stats().Frames == 1 })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	until(t, "the hub to forget it", func() bool { return h.Stats().Ports == 2 })
	write(t, a, "still here")
	read(t, b, 1)
}

// Close wakes the reader, and is the end.
func TestClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	p := dial(t, h, path)
	done := make(chan error, 1)
	go func() {
		_, err := p.ReadFrames(make([][]byte, 1))
		done <- err
	}()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader gets %v", err)
	}
	if _, err := p.ReadFrames(make([][]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrames: %v", err)
	}
	if _, err := p.WriteFrames([][]byte{[]byte("x")}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteFrames: %v", err)
	}
	if err := p.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}

// The cable is pulled out and plugged in again: a new hub at the same path.
func TestHubComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, stop := start(t, path)
	a, b := dial(t, h, path), dial(t, h, path)
	stop()
	frames := make([][]byte, 1)
	for i := range 3 {
		if n, err := a.ReadFrames(frames); n != 0 || !errors.Is(err, syscall.ENETDOWN) || errors.Is(err, net.ErrClosed) {
			t.Errorf("read %d without a hub: %d, %v", i, n, err)
		}
	}
	if n, err := b.WriteFrames([][]byte{[]byte("x")}); n != 0 || !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("write without a hub: %d, %v", n, err)
	}
	h, _ = start(t, path)
	got := make(chan string, 1)
	go func() { // as a host reads
		for {
			n, err := a.ReadFrames(frames)
			switch {
			case n > 0:
				got <- string(frames[0])
				return
			case errors.Is(err, net.ErrClosed):
				got <- err.Error()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	until(t, "the port to be back", func() bool { return h.Stats().Ports == 1 })
	write(t, dial(t, h, path), "again")
	if s := <-got; s != "again" {
		t.Errorf("read %q", s)
	}
}

// A port whose hub is gone can be closed too.
func TestCloseWithoutHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, stop := start(t, path)
	p := dial(t, h, path)
	stop()
	p.ReadFrames(make([][]byte, 1))
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.ReadFrames(make([][]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrames: %v", err)
	}
}

func TestDialWithoutHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	if _, err := cable.Dial(path); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := cable.Dial(path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a dead socket: %v", err)
	}
}

// The socket is the user's, replaces a dead one, spares a living one, and goes
// with its hub.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "cable")
	_, stop := start(t, path)
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if _, err := cable.Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second hub: %v", err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket without its hub: %v", err)
	}
	idle, err := cable.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
	if err := idle.Run(context.Background()); err != nil {
		t.Errorf("Run of a closed hub: %v", err)
	}
}

func TestTooManyPorts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cable")
	h, _ := start(t, path)
	for range cable.MaxPorts {
		p, err := cable.Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
	}
	until(t, "all ports", func() bool { return h.Stats().Ports == cable.MaxPorts })
	p, err := cable.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.ReadFrames(make([][]byte, 1)); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("one too many reads %v", err)
	}
	if s := h.Stats(); s.Refused != 1 || s.Ports != cable.MaxPorts {
		t.Errorf("counters %+v", s)
	}
}
