package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/pcap"
)

// Capture sees the frames that pass an interface, and sends what frame it likes.
// Nothing runs behind it: the kernel keeps the frames until they are asked for, so
// that what passed before a call is always in its answer. It is safe for
// concurrent use.
type Capture struct {
	t      testing.TB
	name   string
	socket int

	mu      sync.Mutex
	frames  []Frame
	claims  string // why tshark is not to look for an address with two owners
	receive [4096]byte
}

// Frame is an Ethernet frame. It must not be changed.
type Frame struct {
	Time   time.Time // when it passed
	Out    bool      // sent by this host, not received
	Bytes  []byte
	Header link.Header
	Packet arp.Packet // the zero Packet if it is none of IPv4 over Ethernet
}

// captureBuffer is room for some ten thousand frames between two calls.
const captureBuffer = 16 << 20

// Capture opens an Ethernet interface of the host until the end of the test.
func (h *Host) Capture(ifname string) *Capture {
	h.t.Helper()
	c := &Capture{t: h.t, name: h.Name + ":" + ifname}
	if err := h.NS.Do(func() error { return c.open(ifname) }); err != nil {
		h.t.Fatalf("capturing on %s: %v", c.name, err)
	}
	h.t.Cleanup(func() { unix.Close(c.socket) })
	return c
}

func (c *Capture) open(ifname string) error {
	ifi, err := net.InterfaceByName(ifname)
	if err != nil {
		return err
	}
	// Protocol 0 receives nothing until bind names interface and protocol at once.
	if c.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(
		unix.SetsockoptInt(c.socket, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(c.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.Bind(c.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}),
	)
	if err != nil {
		unix.Close(c.socket)
	}
	return err
}

// Frames returns the frames since the start, oldest first.
func (c *Capture) Frames() []Frame {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	control := make([]byte, unix.CmsgSpace(16)) // a struct timespec
	for {
		n, oobn, _, from, err := unix.Recvmsg(c.socket, c.receive[:], control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return c.frames[:len(c.frames):len(c.frames)]
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
			continue // ENETDOWN tells once that the interface is down; it may come back
		case err != nil:
			c.t.Fatalf("capturing on %s: %v", c.name, err)
		}
		f := parseFrame(append([]byte(nil), c.receive[:n]...))
		if ll, ok := from.(*unix.SockaddrLinklayer); ok {
			f.Out = ll.Pkttype == unix.PACKET_OUTGOING
		}
		if messages, err := unix.ParseSocketControlMessage(control[:oobn]); err == nil && len(messages) == 1 && len(messages[0].Data) == 16 {
			d := messages[0].Data
			f.Time = time.Unix(int64(binary.NativeEndian.Uint64(d)), int64(binary.NativeEndian.Uint64(d[8:])))
		} else {
			c.t.Fatalf("capturing on %s: the kernel gave no time: %v", c.name, err)
		}
		c.frames = append(c.frames, f)
	}
}

// parseFrame reads a frame as far as it is ARP of IPv4 over Ethernet.
func parseFrame(b []byte) Frame {
	f := Frame{Bytes: b}
	h, payload, err := link.Ethernet{}.Parse(b)
	if err != nil {
		return f
	}
	f.Header = h
	if p, err := arp.Parse(payload); err == nil && h.Type == link.TypeARP {
		f.Packet = p
	}
	return f
}

// Mark returns a place in the capture: after what passed until now.
func (c *Capture) Mark() int { c.t.Helper(); return len(c.Frames()) }

// Since returns the frames after a mark that match.
func (c *Capture) Since(mark int, match func(Frame) bool) []Frame {
	c.t.Helper()
	var some []Frame
	for _, f := range c.Frames()[mark:] {
		if match(f) {
			some = append(some, f)
		}
	}
	return some
}

// Await waits for a frame after a mark and returns the first that matches.
func (c *Capture) Await(mark int, what string, match func(Frame) bool) Frame {
	c.t.Helper()
	var found []Frame
	await(c.t, fmt.Sprintf("%s passed %s", what, c.name), func() bool {
		found = c.Since(mark, match)
		return len(found) > 0
	})
	return found[0]
}

// Send sends a frame, its link header included.
func (c *Capture) Send(frame []byte) {
	c.t.Helper()
	if _, err := unix.Write(c.socket, frame); err != nil {
		c.t.Fatalf("sending % x on %s: %v", frame, c.name, err)
	}
}

// isARP matches ARP frames.
func isARP(f Frame) bool { return f.Header.Type == link.TypeARP }

// sentARP matches ARP frames that this host sent.
func sentARP(f Frame) bool { return f.Out && isARP(f) }

// who matches requests for an address.
func who(ip string) func(Frame) bool {
	return func(f Frame) bool { return f.Packet.Operation == arp.Request && f.Packet.TargetIP.String() == ip }
}

// isAt matches replies about an address.
func isAt(ip string) func(Frame) bool {
	return func(f Frame) bool { return f.Packet.Operation == arp.Reply && f.Packet.SenderIP.String() == ip }
}

// both matches what both match.
func both(a, b func(Frame) bool) func(Frame) bool { return func(f Frame) bool { return a(f) && b(f) } }

// Save writes frames as a capture file.
func Save(t testing.TB, path string, frames []Frame) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcap.NewWriter(file, pcap.LinkTypeEthernet)
	for _, f := range frames {
		if err == nil {
			err = w.WriteFrame(f.Time, f.Bytes)
		}
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// lost returns how many frames the capture had no room for.
func (c *Capture) lost() uint32 {
	c.t.Helper()
	s, err := unix.GetsockoptTpacketStats(c.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Drops
}

// AllowClaims keeps tshark from warning of addresses with two owners, of which
// the test has one on purpose. The frames are looked at for all else.
func (c *Capture) AllowClaims(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claims = reason
}

// CheckSent fails the test if tshark has anything to say against an ARP frame
// that was sent: malformed, or an expert's note of any severity.
func (c *Capture) CheckSent() {
	c.t.Helper()
	all := c.Frames()
	if n := c.lost(); n > 0 {
		c.t.Errorf("the capture of %s lost %d frames, which nobody has looked at", c.name, n)
	}
	if !slices.ContainsFunc(all, sentARP) {
		return
	}
	c.mu.Lock()
	claims := c.claims
	c.mu.Unlock()
	// What was received is in the capture as well, for tshark to put what was sent
	// into context.
	complaints := Complaints(c.t, slices.DeleteFunc(slices.Clone(all), func(f Frame) bool { return !isARP(f) }), claims != "")
	for _, complaint := range complaints {
		if complaint.Frame.Out {
			c.t.Errorf("tshark says of a frame that %s sent: %s\n% x", c.name, complaint.Text, complaint.Frame.Bytes)
		}
	}
}
