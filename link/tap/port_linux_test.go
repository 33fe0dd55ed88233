package tap_test

import (
	"bytes"
	"errors"
	"net"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/packet"
	"github.com/isat-project/isat/link/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a TAP interface t0 in a namespace of the test's own, up.
func open(t *testing.T) (*tap.Port, *rtnl.Conn, int) {
	t.Helper()
	testns.Enter(t)
	p, err := tap.Open("t0")
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		testns.Missing(t, "no TAP interface can be made here: %v", err)
	}
	must(t, err)
	t.Cleanup(func() { p.Close() })
	c, err := rtnl.Dial(rtnl.Config{})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	l, err := c.LinkByName("t0")
	must(t, err)
	must(t, c.SetLink(l.Index, rtnl.LinkSpec{Up: new(true), NoARP: new(true)}))
	return p, c, l.Index
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// frame is a broadcast ARP frame with a number; the kernel's IPv6 has others.
func frame(number byte) []byte {
	return append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x0a\x08\x06"), append(make([]byte, 45), number)...)
}

// Frames go both ways, many in one call, in order and whole.
func TestFrames(t *testing.T) {
	p, _, index := open(t)
	c, err := packet.Listen(index, packet.Options{})
	must(t, err)
	defer c.Close()
	var sent [][]byte
	for i := range byte(40) {
		sent = append(sent, frame(i))
	}
	type port interface {
		ReadFrames([][]byte) (int, error)
		WriteFrames([][]byte) (int, error)
	}
	for _, way := range []struct {
		name     string
		from, to port
	}{{"to the kernel", p, c}, {"from the kernel", c, p}} {
		if n, err := way.from.WriteFrames(sent); n != len(sent) || err != nil {
			t.Fatalf("%s: %d frames taken, %v", way.name, n, err)
		}
		var got [][]byte
		frames := make([][]byte, 64)
		for len(got) < len(sent) {
			n, err := way.to.ReadFrames(frames)
			must(t, err)
			for _, f := range frames[:n] {
				if f[12] == 0x08 && f[13] == 0x06 {
					got = append(got, bytes.Clone(f))
				}
			}
		}
		for i := range sent {
			if !bytes.Equal(got[i], sent[i]) {
				t.Errorf("%s: frame %d is %x", way.name, i, got[i])
			}
		}
	}
}

func TestErrors(t *testing.T) {
	p, c, index := open(t)
	must(t, c.SetLink(index, rtnl.LinkSpec{Up: new(false)}))
	if n, err := p.WriteFrames([][]byte{frame(1)}); n != 0 || !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("while it is down: %d, %v, want ENETDOWN", n, err)
	}
	must(t, c.DeleteLink(index))
	if n, err := p.WriteFrames([][]byte{frame(1)}); n != 0 || !errors.Is(err, unix.ENXIO) {
		t.Errorf("writing to what was deleted: %d, %v, want ENXIO", n, err)
	}
	if _, err := p.ReadFrames(make([][]byte, 1)); !errors.Is(err, unix.ENXIO) {
		t.Errorf("reading from what was deleted: %v, want ENXIO", err)
	}
}

// Close wakes the reader and removes the interface.
func TestClose(t *testing.T) {
	p, c, _ := open(t)
	done := make(chan error)
	go func() {
		for {
			if _, err := p.ReadFrames(make([][]byte, 1)); err != nil {
				done <- err
				return
			}
		}
	}()
	must(t, p.Close())
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader got %v, want net.ErrClosed", err)
	}
	if _, err := p.WriteFrames([][]byte{frame(1)}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing: %v, want net.ErrClosed", err)
	}
	if _, err := c.LinkByName("t0"); !rtnl.IsNotExist(err) {
		t.Errorf("the interface is there after Close: %v", err)
	}
}
