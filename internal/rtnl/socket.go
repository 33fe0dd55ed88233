//go:build linux

package rtnl

import (
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Config says how to open a socket. The zero Config is right for most.
type Config struct {
	// NetNS is a file descriptor of the network namespace to open the socket in;
	// 0: that of the calling thread. It is not kept.
	NetNS int
	// ReadBuffer is the room in bytes for what the kernel sends before it is
	// read, of which the kernel doubles the number and uses half for its own
	// structures (socket(7), SO_RCVBUF); 0: a default. With CAP_NET_ADMIN it may
	// exceed net.core.rmem_max. The kernel raises tiny sizes to about 2 kB.
	ReadBuffer int
}

const (
	// datagramLen is enough for what the kernel puts into one datagram: dumps
	// come in up to 32 kB (netlink_recvmsg in net/netlink/af_netlink.c), single
	// messages are far below when no IFLA_EXT_MASK asks for more.
	datagramLen = 64 << 10

	// requestBuffer holds an error for each message of a batch, about 1 kB each.
	requestBuffer = 1 << 20

	// monitorBuffer holds a burst of some ten thousand notifications.
	monitorBuffer = 8 << 20
)

// socket is a netlink socket that reads and writes whole datagrams in buffers of
// the caller, without an allocation each, which netlink.Conn does not. That one
// opens and owns the descriptor.
//
// Senders of a datagram are not checked: NETLINK_ROUTE takes messages to other
// than the kernel only from processes with CAP_NET_ADMIN (netlink_sendmsg).
type socket struct {
	conn   *netlink.Conn
	raw    syscall.RawConn
	closed atomic.Bool

	// Arguments and results of the closures below, made once because a closure
	// made at each call would be an allocation. One reader and one writer.
	in, out             []byte
	n                   int
	readErr, writeErr   error
	wait                bool
	readable, writeable func(fd uintptr) bool
}

func openSocket(c Config, readBuffer int) (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: c.NetNS, Strict: true})
	if err != nil {
		return nil, fmt.Errorf("opening rtnetlink socket: %w", err)
	}
	s := &socket{conn: conn}
	s.readable, s.writeable = s.recv, s.send
	if c.ReadBuffer > 0 {
		readBuffer = c.ReadBuffer
	}
	if s.raw, err = conn.SyscallConn(); err == nil {
		if err = conn.SetOption(netlink.CapAcknowledge, true); err == nil { // errors need not repeat the request
			err = conn.SetReadBuffer(readBuffer) // tries SO_RCVBUFFORCE, then SO_RCVBUF
		}
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("preparing rtnetlink socket: %w", err)
	}
	return s, nil
}

// subscribe joins groups after the filter is in place, so that nothing passes by
// it.
func (s *socket) subscribe(filter []bpf.Instruction, groups ...uint32) error {
	program, err := bpf.Assemble(filter)
	if err != nil {
		return fmt.Errorf("assembling socket filter: %w", err)
	}
	if err := s.conn.SetBPF(program); err != nil {
		return fmt.Errorf("attaching socket filter: %w", err)
	}
	for _, g := range groups {
		if err := s.conn.JoinGroup(g); err != nil {
			return fmt.Errorf("joining rtnetlink group %d: %w", g, err)
		}
	}
	return nil
}

// close wakes a reader.
func (s *socket) close() error {
	s.closed.Store(true)
	return s.conn.Close()
}

func (s *socket) setDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// read reads one datagram into b. It waits for one if wait is set, else returns
// an error that is EAGAIN when there is none. After close it returns an error
// that is net.ErrClosed, after the deadline one that is os.ErrDeadlineExceeded.
func (s *socket) read(b []byte, wait bool) (int, error) {
	s.in, s.wait = b, wait
	err := s.raw.Read(s.readable)
	s.in = nil
	if err != nil {
		return 0, s.failed("reading", err)
	}
	if s.readErr == unix.EAGAIN { // bare and not wrapped: it ends every burst
		return 0, unix.EAGAIN
	}
	if s.readErr != nil {
		return 0, fmt.Errorf("reading rtnetlink socket: %w", s.readErr)
	}
	return s.n, nil
}

func (s *socket) recv(fd uintptr) bool {
	for {
		s.n, s.readErr = unix.Read(int(fd), s.in)
		if s.readErr != unix.EINTR {
			return s.readErr != unix.EAGAIN || !s.wait
		}
	}
}

// write sends one datagram to the kernel, which has acted on it when write
// returns.
func (s *socket) write(b []byte) error {
	s.out = b
	err := s.raw.Write(s.writeable)
	s.out = nil
	if err != nil {
		return s.failed("writing", err)
	}
	if s.writeErr != nil {
		return fmt.Errorf("writing rtnetlink socket: %w", s.writeErr)
	}
	return nil
}

func (s *socket) send(fd uintptr) bool {
	for {
		_, s.writeErr = unix.Write(int(fd), s.out)
		if s.writeErr != unix.EINTR {
			return s.writeErr != unix.EAGAIN
		}
	}
}

// failed names what failed. Of a closed descriptor each layer below has an error
// of its own.
func (s *socket) failed(what string, err error) error {
	if s.closed.Load() {
		err = net.ErrClosed
	}
	return fmt.Errorf("%s rtnetlink socket: %w", what, err)
}
