package httpapi

import (
	"bufio"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// One user's connections do not keep another from connecting, and root least.
func TestConnectionLimits(t *testing.T) {
	var who atomic.Pointer[Credentials]
	who.Store(&stranger)
	r := startAs(t, func(net.Conn) (Credentials, error) { return *who.Load(), nil }, filepath.Join(t.TempDir(), "s"))
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	// ask connects and returns the status of an answer; the connection stays.
	ask := func() int {
		t.Helper()
		c, err := net.Dial("unix", r.path)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		c.SetDeadline(time.Now().Add(30 * time.Second))
		// A connection that is refused may be closed before this is written.
		c.Write([]byte("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"))
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		return a.StatusCode
	}
	for i := range maxUser {
		if status := ask(); status != http.StatusOK {
			t.Fatalf("connection %d: status %d", i, status)
		}
	}
	if status := ask(); status != http.StatusServiceUnavailable {
		t.Errorf("connection %d of a user: status %d, want 503", maxUser, status)
	}
	who.Store(&member)
	if status := ask(); status != http.StatusOK {
		t.Errorf("another user: status %d", status)
	}
	who.Store(&root)
	for range maxUser + 1 {
		if status := ask(); status != http.StatusOK {
			t.Fatalf("root: status %d", status)
		}
	}
	// A place is free again when its connection is closed.
	who.Store(&stranger)
	open[0].Close()
	for ask() != http.StatusOK { // the server sees the end some time later
		time.Sleep(time.Millisecond)
	}
}

func TestShares(t *testing.T) {
	l := newLimiter(nil, nil, testRights.trusts)
	anonymous, user := caller{tcp: true}, caller{Credentials: stranger}
	fill := func(who caller, want int) {
		t.Helper()
		n := 0
		for l.take(l.sharesOf(who)) {
			n++
		}
		if n != want {
			t.Errorf("%v: %d connections, want %d", who, n, want)
		}
	}
	fill(user, maxUser)
	fill(anonymous, maxOthers-maxUser)
	fill(caller{Credentials: member}, 0)
	fill(caller{Credentials: owner}, maxTrusted)
	for range maxUser {
		l.give(l.sharesOf(user))
	}
	fill(caller{Credentials: member}, maxUser)
	if n := len(l.count); n != 3 { // the user without connections is forgotten
		t.Errorf("%d shares are counted: %v", n, l.count)
	}
}
