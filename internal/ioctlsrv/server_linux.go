package ioctlsrv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/internal/unixsocket"
	"github.com/isat-project/isat/ioctl"
)

// Time limits of a connection.
const (
	idleTimeout  = time.Minute     // between requests
	writeTimeout = 5 * time.Second // for an answer to be read
)

// Bounds of connections at one time. Root and the daemon's user have a share of
// their own, so that others cannot use it up. A connection beyond them is closed.
const (
	maxTrusted = 256
	maxOthers  = 256
	maxUser    = 64 // one of the others
)

// socketMode lets everybody connect: who may do what is decided by credentials.
const socketMode = 0o666

// Listen makes the socket at path by the rules of [unixsocket.Listen].
func Listen(path string) (*unixsocket.Listener, error) {
	return unixsocket.Listen("unixpacket", path, socketMode)
}

// Config is what a server is made of.
type Config struct {
	Backend Backend
	Rights  httpapi.Rights
	Log     *slog.Logger
}

// Server answers ARP ioctls. Its methods are safe for concurrent use.
type Server struct {
	decider decider
	log     *slog.Logger
	rights  atomic.Pointer[httpapi.Rights]
}

// New returns a server. It listens to nothing before Serve.
func New(c Config) *Server {
	s := &Server{log: c.Log}
	s.decider = decider{backend: c.Backend, rights: func() httpapi.Rights { return *s.rights.Load() }}
	s.SetRights(c.Rights)
	return s
}

// SetRights changes who may do what, from the next request on.
func (s *Server) SetRights(r httpapi.Rights) { s.rights.Store(&r) }

// Serve answers on a socket that [Listen] made until ctx is done, and returns nil
// then. It closes l and all connections.
func (s *Server) Serve(ctx context.Context, l *unixsocket.Listener) error {
	here, err := namespaceOf(l)
	if err != nil {
		s.log.Debug("ioctl.sock: the system does not tell namespaces apart; all callers count as of ours", "error", err)
	}
	open := connections{all: make(map[io.Closer]bool), count: make(map[uint32]int)}
	stop := context.AfterFunc(ctx, func() { l.Close(); open.close() })
	defer stop()
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		c, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ECONNABORTED):
			time.Sleep(10 * time.Millisecond) // others may close some
			continue
		case err != nil:
			l.Close()
			open.close()
			return fmt.Errorf("accepting at %v: %w", l.Addr(), err)
		}
		who := s.identify(c, here)
		trusted := s.decider.rights().MayChange(who.Credentials) == nil
		if !open.add(c, who, trusted) {
			c.Close()
			continue
		}
		serving.Go(func() {
			defer open.remove(c, who, trusted)
			s.serve(c, who)
		})
	}
}

// identify asks the kernel who connected, and from which namespace: a connection
// is of that of the one who connected, not of the one who listens.
func (s *Server) identify(c *net.UnixConn, here uint64) caller {
	cred, err := httpapi.PeerCredentials(c)
	if err != nil {
		s.log.Debug("ioctl.sock: a caller is not known and may only read", "error", err)
	}
	there, err := namespaceOf(c)
	return caller{Credentials: cred, elsewhere: err == nil && here != 0 && there != here}
}

// namespaceOf returns the cookie of the network namespace of a socket (Linux 5.14,
// SO_NETNS_COOKIE), which is not 0.
func namespaceOf(c syscall.Conn) (cookie uint64, err error) {
	r, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var inner error
	err = r.Control(func(fd uintptr) {
		cookie, inner = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	})
	return cookie, errors.Join(err, inner)
}

// serve answers the packets of a connection until its end.
func (s *Server) serve(c *net.UnixConn, who caller) {
	var t table
	b := make([]byte, ioctl.MaxRequest)
	for {
		c.SetReadDeadline(time.Now().Add(idleTimeout))
		n, _, flags, _, err := c.ReadMsgUnix(b, nil)
		if err != nil && !(errors.Is(err, io.EOF) && !hungUp(c)) { // an empty packet is no end
			return
		}
		packet := b[:n]
		answer := ioctl.Answer{Errno: unix.EINVAL}
		if flags&unix.MSG_TRUNC == 0 {
			answer = s.decider.answer(who, packet, &t)
		} else if r, err := ioctl.ParseRequest(packet); err == nil {
			// Too long, but privilege comes first.
			r.Arg = nil
			if a := s.decider.answer(who, r.AppendTo(nil), &table{}); a.Errno != 0 {
				answer = a
			}
		}
		c.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := c.Write(answer.AppendTo(nil)); err != nil {
			return
		}
	}
}

// hungUp reports whether the other end of a connection is closed: reading gives 0
// bytes then, as it does of an empty packet.
func hungUp(c *net.UnixConn) (yes bool) {
	yes = true
	if r, err := c.SyscallConn(); err == nil {
		_ = r.Control(func(fd uintptr) {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
			n, err := unix.Poll(p, 0)
			yes = err != nil || n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
		})
	}
	return yes
}
