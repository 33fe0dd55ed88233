package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/isat-project/isat/event"
)

// Time limits. Answers that wait, events and resolutions, have none of their own.
const (
	headerTimeout = 5 * time.Second  // for the header of a request
	bodyTimeout   = 10 * time.Second // for its body
	drainTimeout  = time.Second      // for a body that nobody reads
	writeTimeout  = 30 * time.Second // for an answer to be read
	idleTimeout   = 2 * time.Minute  // between requests of a connection
	grace         = 2 * time.Second  // for answers under way when the daemon stops
)

// maxHeader bounds a request's header: paths here are short.
const maxHeader = 16 << 10

// Config is what a server is made of.
type Config struct {
	Backend Backend
	Events  *event.Ring
	Rights  Rights
	Log     *slog.Logger // nil: [slog.Default]

	// Peer finds out who connected; nil is [PeerCredentials]. Whoever it fails
	// for may do what anybody may.
	Peer func(net.Conn) (Credentials, error)
}

// Server answers requests on any number of listeners. Its methods are safe for
// concurrent use.
type Server struct {
	backend Backend
	events  *event.Ring
	log     *slog.Logger
	peer    func(net.Conn) (Credentials, error)
	rights  atomic.Pointer[Rights]
}

// New returns a server. It listens to nothing before Serve.
func New(c Config) *Server {
	s := &Server{backend: c.Backend, events: c.Events, log: c.Log, peer: c.Peer}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.peer == nil {
		s.peer = PeerCredentials
	}
	s.SetRights(c.Rights)
	return s
}

// SetRights changes who may do what, from the next request on.
func (s *Server) SetRights(r Rights) { s.rights.Store(&r) }

// Serve answers on a Unix socket, such as [Listen] makes, until ctx is done. Then
// it ends event streams after what is in them, gives other answers a moment, and
// returns nil. It closes l in any case.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, newLimiter(l, s.identify, s.trusts), s.unixHandler())
}

// ServeTCP answers on TCP like Serve, to anybody but only what reads: no
// changes, no events. The host is what the configuration calls this listener,
// "" or an address included; requests for other names are refused.
func (s *Server) ServeTCP(ctx context.Context, l net.Listener, host string) error {
	anybody := func(net.Conn) caller { return caller{tcp: true} }
	return s.serve(ctx, newLimiter(l, anybody, s.trusts), s.tcpHandler(host))
}

func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		// No ReadTimeout: it would end the context of a long answer. Handlers
		// set deadlines for bodies and answers.
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, callerKey{}, c.(*limitedConn).caller)
		},
		// What is under way may finish; what waits asks stopping.
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), stopKey{}, ctx)
		},
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(limit) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if stop() {
		server.Close()
		return fmt.Errorf("serving the API at %v: %w", l.Addr(), err)
	}
	<-closed
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the API at %v: %w", l.Addr(), err)
	}
	return nil
}

func (s *Server) trusts(c caller) bool { return s.rights.Load().trusts(c) }

// identify asks who connected to the Unix socket.
func (s *Server) identify(c net.Conn) caller {
	cred, err := s.peer(c)
	if err != nil {
		s.log.Debug("API: a caller is not known and may only read", "error", err)
	}
	return caller{Credentials: cred}
}

type (
	callerKey struct{} // of the caller in a connection's context
	stopKey   struct{} // of the context of Serve in a request's
)

// errStopping is what a caller hears whose answer was being waited for.
var errStopping = fmt.Errorf("the daemon is stopping: %w", errShutdown)

// waiting returns a context for an answer that waits: it ends with the request
// and, with the cause errStopping, with the server.
func waiting(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := func() bool { return true }
	if served, ok := r.Context().Value(stopKey{}).(context.Context); ok {
		stop = context.AfterFunc(served, func() { cancel(errStopping) })
	}
	return ctx, func() { stop(); cancel(nil) }
}
