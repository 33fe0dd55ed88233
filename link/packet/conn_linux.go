package packet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// Defaults of [Options].
const (
	DefaultBatch         = 64      // frames
	DefaultReceiveBuffer = 4 << 20 // bytes: about 10,000 small frames, 30 ms at 300,000 a second
	DefaultFrameSize     = 2048    // bytes: room for any frame at an MTU of 1,500
)

// Options are the parameters of a [Conn]. The zero Options is right for ARP.
type Options struct {
	// Protocol is the EtherType to receive; 0 means ARP. ETH_P_ALL receives
	// everything, before tc and nftables see it, where ARP comes after them.
	Protocol uint16
	// IP receives IPv4 beside ARP, on an Ethernet interface; Protocol, Batch and
	// FrameSize are not used then. Frames that the kernel has put together, or has
	// not cut yet, are cut into those of the wire, with their checksums; TCP
	// segments that are sent one behind the other go as one.
	IP bool
	// Station is an Ethernet address besides that of the interface for whose frames
	// the interface listens too, as long as the connection is open.
	Station lladdr.Addr
	// Observe refuses to send, with EPERM.
	Observe bool
	// Batch is how many frames one system call receives or sends at most; 0 means
	// [DefaultBatch].
	Batch int
	// ReceiveBuffer is the memory in bytes for frames not read yet; 0 means
	// [DefaultReceiveBuffer]. Beyond net.core.rmem_max it needs CAP_NET_ADMIN and
	// is less without.
	ReceiveBuffer int
	// FrameSize is the longest frame in bytes that is received; 0 means
	// [DefaultFrameSize].
	FrameSize int
}

// Conn is a packet socket on one interface. Its methods are safe for concurrent
// use, but it has one reader.
type Conn struct {
	index    int
	observe  bool
	station  lladdr.Addr
	file     *os.File // non-blocking, so that Close wakes the reader and no thread waits
	raw      syscall.RawConn
	closed   atomic.Bool
	receiver receiver
	sender   sender
	segments segments // with Options.IP only
	counters counters
}

// Listen opens a packet socket on the interface with the index. The interface
// may be down. Errors wrap EPERM without CAP_NET_RAW and ENODEV if there is no
// such interface.
func Listen(ifindex int, opts Options) (*Conn, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	fd, err := open(ifindex, opts)
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket on interface %d: %w", ifindex, err)
	}
	c := &Conn{index: ifindex, observe: opts.Observe, station: opts.Station}
	c.file = os.NewFile(uintptr(fd), "packet")
	if c.raw, err = c.file.SyscallConn(); err != nil {
		c.file.Close()
		return nil, fmt.Errorf("opening a packet socket on interface %d: %w", ifindex, err)
	}
	c.receiver.init(opts.Batch, opts.FrameSize)
	c.sender.init(opts.Batch)
	c.segments.on = opts.IP
	return c, nil
}

// complete sets the defaults and checks the rest.
func (o *Options) complete() error {
	if o.IP {
		o.Protocol, o.Batch, o.FrameSize = unix.ETH_P_ALL, segmentBatch, segmentFrameSize
	}
	if o.Protocol == 0 {
		o.Protocol = unix.ETH_P_ARP
	}
	for _, option := range []struct {
		name  string
		value *int
		byDef int
	}{
		{"batch", &o.Batch, DefaultBatch},
		{"receive buffer", &o.ReceiveBuffer, DefaultReceiveBuffer},
		{"frame size", &o.FrameSize, DefaultFrameSize},
	} {
		if *option.value < 0 {
			return fmt.Errorf("packet socket with a %s of %d: %w", option.name, *option.value, unix.EINVAL)
		}
		if *option.value == 0 {
			*option.value = option.byDef
		}
	}
	return nil
}

// open makes the socket. The order matters: with protocol 0 it receives nothing
// until bind, so that every frame in its queue came from the right interface and
// went through the filter.
func open(ifindex int, o Options) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		return -1, fmt.Errorf("socket (needs CAP_NET_RAW): %w", err)
	}
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = configure(fd, o)
	if err == nil && o.Station.IsValid() {
		err = addStation(fd, ifindex, o.Station)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	address := &unix.SockaddrLinklayer{Protocol: networkOrder(o.Protocol), Ifindex: ifindex}
	if err := unix.Bind(fd, address); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

// addStation makes the interface listen for frames to another address of its own
// (packet(7), PACKET_MR_UNICAST). It ends with the socket.
func addStation(fd, ifindex int, station lladdr.Addr) error {
	m := unix.PacketMreq{Ifindex: int32(ifindex), Type: unix.PACKET_MR_UNICAST, Alen: uint16(station.Len())}
	station.AppendBytes(m.Address[:0])
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
		return fmt.Errorf("listening for %v: %w", station, err)
	}
	return nil
}

// configure sets the options of packet(7) and socket(7).
//
// PACKET_QDISC_BYPASS is left off. With it tcpdump(8) on the sending interface
// does not show the frames (tried), and the first thing an operator does is to
// look. It gained nothing on veth: 2.2 µs a frame against 2.0 (tried).
func configure(fd int, o Options) error {
	for _, option := range []struct {
		name          string
		level, option int
	}{
		{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA},                 // where the kernel puts VLAN tags
		{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING}, // ETH_P_ALL would see its own
		{"SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL},
	} {
		if err := unix.SetsockoptInt(fd, option.level, option.option, 1); err != nil {
			return fmt.Errorf("setting %s: %w", option.name, err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, o.ReceiveBuffer); err != nil {
		// Without CAP_NET_ADMIN: as much as net.core.rmem_max allows.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReceiveBuffer); err != nil {
			return fmt.Errorf("setting SO_RCVBUF: %w", err)
		}
	}
	if o.IP {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
			return fmt.Errorf("setting PACKET_VNET_HDR: %w", err)
		}
		return attachFilter(fd, unix.ETH_P_ARP, unix.ETH_P_IP)
	}
	return attachFilter(fd, o.Protocol)
}

// Close closes the socket and wakes the reader.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return fmt.Errorf("closing a packet socket: %w", net.ErrClosed)
	}
	return c.file.Close()
}

// failed wraps an error of what the connection was doing.
func (c *Conn) failed(doing string, err error) error {
	if c.closed.Load() {
		err = net.ErrClosed // the poller has its own word for it
	}
	return fmt.Errorf("%s interface %d: %w", doing, c.index, err)
}

// gone reports whether the interface of the socket has been deleted or has left
// the network namespace: the kernel then sets the index of the socket to -1, for
// good (tried).
func (c *Conn) gone() bool {
	gone := false
	err := c.raw.Control(func(fd uintptr) {
		if address, err := unix.Getsockname(int(fd)); err == nil {
			link, ok := address.(*unix.SockaddrLinklayer)
			gone = ok && link.Ifindex != c.index
		}
	})
	return err == nil && gone
}
