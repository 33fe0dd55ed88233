package httpapi

import (
	"net"
	"sync"
	"time"
)

// Bounds of connections at one time. The Unix socket is open to every local
// user, so that none may use up what root needs: root and the daemon's user have
// a share of their own, others have one together and each of them a part of it.
const (
	maxTrusted = 256 // root and the daemon's user
	maxOthers  = 256 // everybody else, and everybody over TCP
	maxUser    = 64  // one of them
)

// limiter is a listener that knows its callers and bounds their connections.
// What is too many gets status 503 and is closed.
type limiter struct {
	net.Listener
	identify func(net.Conn) caller
	trusts   func(caller) bool

	mu    sync.Mutex
	count map[share]int
}

// share is what connections are counted by: those of the trusted,
// those of others together, and those of each other user.
type share struct {
	kind shareKind
	uid  uint32
}

type shareKind uint8

const (
	trustedShare shareKind = iota
	othersShare
	userShare
)

func newLimiter(l net.Listener, identify func(net.Conn) caller, trusts func(caller) bool) *limiter {
	return &limiter{Listener: l, identify: identify, trusts: trusts, count: map[share]int{}}
}

// limitedConn is a connection with its caller. Closing gives its place back.
type limitedConn struct {
	net.Conn
	caller  caller
	release func()
}

func (c *limitedConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// tooMany is the whole answer to a connection beyond the bounds.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" +
	`{"error":"too many connections","errno":"EAGAIN"}` + "\n"

// Accept implements [net.Listener].
func (l *limiter) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who := l.identify(c)
		shares := l.sharesOf(who)
		if !l.take(shares) {
			// It fits the socket's buffer; the deadline is for the case that not.
			c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			c.Write([]byte(tooMany))
			c.Close()
			continue
		}
		return &limitedConn{c, who, sync.OnceFunc(func() { l.give(shares) })}, nil
	}
}

// sharesOf returns what a connection of who counts for.
func (l *limiter) sharesOf(who caller) []share {
	switch {
	case l.trusts(who):
		return []share{{kind: trustedShare}}
	case who.Known:
		return []share{{kind: othersShare}, {userShare, who.UID}}
	}
	return []share{{kind: othersShare}}
}

func (l *limiter) take(shares []share) bool {
	most := [...]int{trustedShare: maxTrusted, othersShare: maxOthers, userShare: maxUser}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range shares {
		if l.count[s] >= most[s.kind] {
			return false
		}
	}
	for _, s := range shares {
		l.count[s]++
	}
	return true
}

func (l *limiter) give(shares []share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range shares {
		if l.count[s]--; l.count[s] == 0 {
			delete(l.count, s)
		}
	}
}
