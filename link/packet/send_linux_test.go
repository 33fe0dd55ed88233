package packet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/link/packet"
)

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
