package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/internal/lab/netns"
)

// Echo is one echo request and what became of it. Done, RTT and Err are zero as
// long as nothing did.
type Echo struct {
	Sent time.Time
	Done time.Time     // when RTT or Err became known
	RTT  time.Duration // of the reply
	Err  error         // an errno: EHOSTUNREACH and the like, by ICMP or from sending
}

// Answered reports whether the reply came.
func (e Echo) Answered() bool { return e.RTT > 0 }

// Pinger sends ICMP echo requests (RFC 792) to one address from a namespace. It
// uses a raw socket, because net.ipv4.ping_group_range of a new namespace forbids
// the other kind, and so needs CAP_NET_RAW there. Its methods are safe for
// concurrent use.
type Pinger struct {
	conn *net.IPConn
	dst  *net.IPAddr
	id   uint16 // tells our replies from those to other raw sockets of the namespace

	mu     sync.Mutex
	echoes []Echo // by sequence number, from 0
}

// NewPinger opens a pinger in ns for dst, an IPv4 address. It sends nothing yet.
// The caller closes it.
func NewPinger(ns *netns.NS, dst netip.Addr) (*Pinger, error) {
	p := &Pinger{dst: &net.IPAddr{IP: dst.AsSlice()}, id: uint16(rand.Uint32())}
	err := ns.Do(func() (err error) {
		p.conn, err = net.ListenIP("ip4:icmp", nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a raw ICMP socket: %w", err)
	}
	return p, nil
}

// Close closes the socket.
func (p *Pinger) Close() error { return p.conn.Close() }

// Ping sends one request from ns to dst and waits for its reply at most timeout.
// The error wraps the errno that the network reported, such as EHOSTUNREACH, or
// [os.ErrDeadlineExceeded].
func Ping(ctx context.Context, ns *netns.NS, dst netip.Addr, timeout time.Duration) (time.Duration, error) {
	p, err := NewPinger(ns, dst)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(time.Now()) })
	defer stop()
	if err := p.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	p.send()
	for {
		switch e := p.Echoes()[0]; {
		case e.Answered():
			return e.RTT, nil
		case e.Err != nil:
			return 0, fmt.Errorf("pinging %v: %w", dst, e.Err)
		}
		if err := p.receive(); err != nil {
			return 0, fmt.Errorf("pinging %v: %w", dst, err)
		}
	}
}

// Run sends a request now and at every interval until ctx ends, and then waits
// for missing replies at most grace. [Pinger.Echoes] tells at any time how it is
// going. It returns nil unless the socket fails. It can be called once.
func (p *Pinger) Run(ctx context.Context, interval, grace time.Duration) error {
	reader := make(chan error, 1)
	go func() {
		for {
			if err := p.receive(); err != nil {
				reader <- err
				return
			}
			if ctx.Err() != nil && p.pending() == 0 {
				reader <- os.ErrDeadlineExceeded
				return
			}
		}
	}()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		p.send()
		select {
		case <-tick.C:
			continue
		case err := <-reader: // perhaps of the end, of which it may hear first
			return ended(err)
		case <-ctx.Done():
		}
		if p.pending() == 0 {
			grace = 0
		}
		_ = p.conn.SetReadDeadline(time.Now().Add(grace))
		return ended(<-reader)
	}
}

// ended returns nil for the error by which a reader ends that was told to.
func ended(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// Echoes returns the requests so far, oldest first.
func (p *Pinger) Echoes() []Echo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Echo(nil), p.echoes...)
}

// pending counts the requests that wait for a reply.
func (p *Pinger) pending() (n int) {
	for _, e := range p.Echoes() {
		if e.Done.IsZero() {
			n++
		}
	}
	return n
}

// send sends the next request. An error of sendto(2) settles it.
func (p *Pinger) send() {
	p.mu.Lock()
	seq := uint16(len(p.echoes))
	p.echoes = append(p.echoes, Echo{Sent: time.Now()})
	p.mu.Unlock()
	if _, err := p.conn.WriteToIP(echoRequest(p.id, seq), p.dst); err != nil {
		p.settle(seq, time.Now(), err)
	}
}

// receive waits for one ICMP message and settles the request it belongs to, if
// any. An error is of the socket: [os.ErrDeadlineExceeded] or worse.
func (p *Pinger) receive() error {
	var buf [1500]byte
	n, _, err := p.conn.ReadFromIP(buf[:])
	now := time.Now()
	if err != nil {
		return err
	}
	id, seq, errno, ok := parseAnswer(buf[:n])
	if !ok || id != p.id {
		return nil
	}
	if errno != 0 {
		err = errno
	}
	p.settle(seq, now, err)
	return nil
}

// settle notes what became of a request: its reply came, or err. The first word
// holds.
func (p *Pinger) settle(seq uint16, now time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(seq) >= len(p.echoes) {
		return
	}
	switch e := &p.echoes[seq]; {
	case !e.Done.IsZero():
	case err != nil:
		e.Done, e.Err = now, err
	default:
		e.Done, e.RTT = now, max(now.Sub(e.Sent), 1)
	}
}

// The parts of ICMP used here (RFC 792).
const (
	icmpEchoReply   = 0
	icmpUnreachable = 3
	icmpEcho        = 8
	icmpHeaderLen   = 8
)

// echoRequest returns an echo request with 48 bytes of data, 56 in all.
func echoRequest(id, seq uint16) []byte {
	b := make([]byte, icmpHeaderLen+48)
	b[0] = icmpEcho
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// parseAnswer reads an ICMP message: an echo reply, or the report that a request
// could not be delivered, with its errno.
func parseAnswer(b []byte) (id, seq uint16, errno syscall.Errno, ok bool) {
	if len(b) < icmpHeaderLen {
		return 0, 0, 0, false
	}
	switch b[0] {
	case icmpEchoReply:
	case icmpUnreachable:
		errno = unreachableErrno(b[1])
		b = b[icmpHeaderLen:]
		if len(b) < 1 || len(b) < int(b[0]&15)*4+icmpHeaderLen { // IPv4 header of IHL words (RFC 791)
			return 0, 0, 0, false
		}
		b = b[int(b[0]&15)*4:]
		if b[0] != icmpEcho {
			return 0, 0, 0, false
		}
	default:
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), errno, true
}

// unreachableErrno is the kernel's icmp_err_convert (net/ipv4/icmp.c) for the
// codes a next hop that is silent can cause.
func unreachableErrno(code byte) syscall.Errno {
	switch code {
	case 0, 6:
		return syscall.ENETUNREACH
	case 7:
		return syscall.EHOSTDOWN
	}
	return syscall.EHOSTUNREACH
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
