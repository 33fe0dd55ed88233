package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/lab/netns"
)

// Datagrams says how a program sends UDP.
type Datagrams uint8

// The ways, which Linux tells different things (ip(7), IP_RECVERR).
const (
	Connected Datagrams = iota // by connect(2): it is told of errors that are final
	Queued                     // with IP_RECVERR, not connected: it is told of all
)

// Send sends datagrams from ns to addr at an interval, until the program is told
// an error, which it returns. It returns nil when ctx ends first.
func (d Datagrams) Send(ctx context.Context, ns *netns.NS, addr netip.AddrPort, interval time.Duration) error {
	var conn *net.UDPConn
	var send func() error
	err := ns.Do(func() (err error) {
		if d == Connected {
			conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(addr))
			send = func() error { _, err := conn.Write([]byte{0}); return err }
			return err
		}
		conn, err = net.ListenUDP("udp4", nil)
		send = func() error { _, err := conn.WriteToUDPAddrPort([]byte{0}, addr); return err }
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	if d == Queued {
		if err := queueErrors(conn); err != nil {
			return err
		}
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		// What became of one datagram is the error of the next.
		if err := send(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func queueErrors(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVERR, 1) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("setting IP_RECVERR: %w", err)
	}
	return nil
}
