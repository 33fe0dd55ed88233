package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/lab/netns"
)

// Stream is a TCP connection between two namespaces over which small messages
// flow at a steady pace. Its methods are safe for concurrent use.
type Stream struct {
	near, far *net.TCPConn

	mu       sync.Mutex
	received int
	last     time.Time // of the latest arrival
	gap      time.Duration
}

// Progress is what a [Stream] did so far.
type Progress struct {
	Bytes       int           // arrived
	LongestGap  time.Duration // between two arrivals, the one not over yet included
	Retransmits uint32        // segments that TCP had to send again: lost on the way
}

// streamMessage is one message: small, so that each is a segment of its own.
const streamMessage = 64

// NewStream connects from namespace from to the address addr of namespace to,
// where it listens on a free port. Connecting fails with what connect(2) says, or
// when ctx ends. The caller closes the stream.
func NewStream(ctx context.Context, from, to *netns.NS, addr netip.Addr) (*Stream, error) {
	var listener *net.TCPListener
	err := to.Do(func() (err error) {
		listener, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listening on %v: %w", addr, err)
	}
	defer listener.Close()
	s := &Stream{}
	if s.near, err = Connect(ctx, from, netip.MustParseAddrPort(listener.Addr().String())); err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = listener.SetDeadline(deadline)
	}
	if s.far, err = listener.AcceptTCP(); err != nil {
		s.near.Close()
		return nil, fmt.Errorf("accepting on %v: %w", addr, err)
	}
	return s, nil
}

// Connect opens a TCP connection from ns to addr.
func Connect(ctx context.Context, ns *netns.NS, addr netip.AddrPort) (*net.TCPConn, error) {
	var conn net.Conn
	err := ns.Do(func() (err error) {
		// One address given as a number: the dialer stays on this goroutine and
		// hence in this namespace.
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", addr.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// Run sends a message at every interval until ctx ends. It returns nil unless the
// connection breaks. It can be called once.
func (s *Stream) Run(ctx context.Context, interval time.Duration) error {
	s.mu.Lock()
	s.last = time.Now()
	s.mu.Unlock()
	reader := make(chan error, 1)
	go func() { reader <- s.receive() }()

	tick := time.NewTicker(interval)
	defer tick.Stop()
	var broken error
	for broken == nil && ctx.Err() == nil {
		select {
		case <-tick.C:
			_, broken = s.near.Write(make([]byte, streamMessage))
		case <-ctx.Done():
		}
	}
	s.far.SetReadDeadline(time.Now()) // wakes the reader
	if err := <-reader; broken == nil && !isTimeout(err) {
		broken = err
	}
	return broken
}

// receive counts what arrives until reading fails.
func (s *Stream) receive() error {
	var buf [16 * streamMessage]byte
	for {
		n, err := s.far.Read(buf[:])
		now := time.Now()
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.received += n
		s.gap = max(s.gap, now.Sub(s.last))
		s.last = now
		s.mu.Unlock()
	}
}

// Progress returns what happened so far.
func (s *Stream) Progress() (Progress, error) {
	s.mu.Lock()
	p := Progress{Bytes: s.received, LongestGap: s.gap}
	if !s.last.IsZero() {
		p.LongestGap = max(s.gap, time.Since(s.last))
	}
	s.mu.Unlock()

	raw, err := s.near.SyscallConn()
	if err != nil {
		return p, err
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO)
	})
	if err = errors.Join(err, failed); err != nil {
		return p, fmt.Errorf("reading TCP_INFO: %w", err)
	}
	p.Retransmits = info.Total_retrans
	return p, nil
}

// Close closes both ends.
func (s *Stream) Close() error { return errors.Join(s.near.Close(), s.far.Close()) }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
