package packet_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/link/packet"
)

// The method set that package host wants of a port.
var _ interface {
	ReadFrames([][]byte) (int, error)
	WriteFrames([][]byte) (int, error)
	Close() error
} = (*packet.Conn)(nil)

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
		// No subtests: they would not be in the namespace.
		if _, err := packet.Listen(test.index, test.opts); !errors.Is(err, test.want) {
			t.Errorf("%s: Listen: %v, want %v", test.name, err, test.want)
		}
	}
}

// CAP_NET_RAW is needed and enough: without CAP_NET_ADMIN the receive buffer is
// what net.core.rmem_max allows.
func TestListenCapabilities(t *testing.T) {
	for _, test := range []struct {
		name         string
		capabilities uint32
		works        bool
	}{
		{"none", 0, false},
		{"CAP_NET_ADMIN", 1 << unix.CAP_NET_ADMIN, false},
		{"CAP_NET_RAW", 1 << unix.CAP_NET_RAW, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			lan := newCable(t)
			err := withCapabilities(t, test.capabilities, func() error {
				c, err := packet.Listen(lan.a.Attrs().Index, packet.Options{})
				if err == nil {
					c.Close()
				}
				return err
			})
			switch {
			case test.works && err != nil:
				t.Errorf("Listen: %v", err)
			case !test.works && (!errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_RAW")):
				t.Errorf("Listen: %v, want EPERM and the name of CAP_NET_RAW", err)
			}
		})
	}
}

// withCapabilities runs f with these capabilities only. Capabilities are of a
// thread; the test is locked to its own, which takes them back from its permitted
// set.
func withCapabilities(t *testing.T, effective uint32, f func() error) error {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	must(t, unix.Capget(&header, &before[0]))
	during := before
	during[0].Effective, during[1].Effective = effective, 0
	must(t, unix.Capset(&header, &during[0]))
	defer func() { must(t, unix.Capset(&header, &before[0])) }()
	return f()
}
