package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/netns"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// Wire sees every ARP frame that passes an interface in either direction, and
// sends hand-made ones. Nothing runs behind it: the kernel keeps the frames until
// [Wire.Frames] fetches them, so that what passed before a call is always in its
// answer. Its methods are safe for concurrent use.
type Wire struct {
	name string

	mu     sync.Mutex
	socket int // -1 once closed
	buf    [2048]byte
}

// wireBuffer is room for some thousand frames between two calls of Frames.
const wireBuffer = 1 << 20

// NewWire opens the Ethernet interface name of ns. It needs CAP_NET_RAW there.
func NewWire(ns *netns.NS, name string) (*Wire, error) {
	w := &Wire{name: name, socket: -1}
	if err := ns.Do(w.open); err != nil {
		return nil, fmt.Errorf("watching %s: %w", name, err)
	}
	return w, nil
}

func (w *Wire) open() error {
	ifi, err := net.InterfaceByName(w.name)
	if err != nil {
		return err
	}
	// Protocol 0 receives nothing until bind names interface and protocol at once:
	// no frame of another interface slips in (packet(7)).
	s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a packet socket: %w", err)
	}
	filter, err := arpFilter()
	// ETH_P_ALL: a socket for ETH_P_ARP alone sees neither what is sent nor, on the
	// port of a bridge, what is received.
	err = errors.Join(err,
		unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, wireBuffer),
		unix.SetsockoptSockFprog(s, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, filter),
		unix.Bind(s, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: ifi.Index}),
	)
	if err != nil {
		unix.Close(s)
		return fmt.Errorf("binding a packet socket: %w", err)
	}
	w.socket = s
	return nil
}

// Frames returns the frames that passed since the last call, oldest first. It
// does not wait.
func (w *Wire) Frames() ([]Frame, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var frames []Frame
	control := make([]byte, unix.CmsgSpace(16)) // a struct timespec
	for {
		n, oobn, _, _, err := unix.Recvmsg(w.socket, w.buf[:], control, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return frames, nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
			continue // ENETDOWN tells once that the interface is down; it may come back
		case err != nil:
			return frames, fmt.Errorf("receiving from %s: %w", w.name, err)
		}
		at, err := timestamp(control[:oobn])
		if err != nil {
			return frames, fmt.Errorf("time of a frame from %s: %w", w.name, err)
		}
		frames = append(frames, ParseFrame(at, append([]byte(nil), w.buf[:n]...)))
	}
}

// Send sends an ARP packet in an Ethernet frame from source to destination,
// whatever the interface's own address is.
func (w *Wire) Send(source, destination lladdr.Addr, p arp.Packet) error {
	h := link.Header{Source: source, Destination: destination, Type: link.TypeARP}
	frame := link.Ethernet{}.Append(nil, h, p.AppendTo(nil))
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := unix.Write(w.socket, frame); err != nil {
		return fmt.Errorf("sending on %s: %w", w.name, err)
	}
	return nil
}

// Close closes the socket.
func (w *Wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.socket
	w.socket = -1
	return unix.Close(s)
}

// timestamp reads the control message SCM_TIMESTAMPNS (socket(7)): a struct
// timespec of two native words.
func timestamp(control []byte) (time.Time, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Time{}, err
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_TIMESTAMPNS {
			continue
		}
		switch len(m.Data) {
		case 16:
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))), nil
		case 8: // 32-bit architectures
			return time.Unix(int64(binary.NativeEndian.Uint32(m.Data)), int64(binary.NativeEndian.Uint32(m.Data[4:]))), nil
		}
	}
	return time.Time{}, errors.New("the kernel gave none")
}

// arpFilter keeps Ethernet frames of type ARP, and no others.
func arpFilter() (*unix.SockFprog, error) {
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2}, // EtherType
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(link.TypeARP), SkipFalse: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return nil, fmt.Errorf("assembling a filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}, nil
}

// networkOrder is htons(3).
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
