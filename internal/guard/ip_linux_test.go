//go:build linux

package guard_test

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

const ipRuleset = `table ip isat { # progname ...
	flags owner

	set guarded {
		type ifname
		timeout 3s
		elements = { "e0" }
	}

	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		iifname @guarded counter packets 0 bytes 0 drop
	}
}
`

// The table for IPv4 stands beside that for ARP and ends by itself.
func TestIPTable(t *testing.T) {
	ns := testns.New(t)
	open(t, ns)
	var g *guard.Guard[string]
	if err := ns.Do(func() (err error) { g, err = guard.OpenIP(); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	refresh(t, g, "e0")
	out, err := nft(t, ns, "list", "table", "ip", "isat")
	if err != nil {
		t.Fatal(err, out)
	}
	if diff := cmp.Diff(ipRuleset, normalize(out)); diff != "" {
		t.Errorf("nft list table (-want +got):\n%s", diff)
	}
	if err := g.Remove("e0"); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if out, err := nft(t, ns, "list", "table", "ip", "isat"); err == nil {
		t.Errorf("after Close there is\n%s", out)
	}
}

// What comes in by a guarded interface the kernel does not see, and what comes in
// by another it does.
func TestIPIsDropped(t *testing.T) {
	ns := testns.New(t)
	var g *guard.Guard[string]
	if err := ns.Do(func() (err error) { g, err = guard.OpenIP(); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	ping := func() error { return ns.Do(func() error { return pingLoopback(t) }) }
	if err := ping(); err != nil {
		t.Fatalf("before the guard: %v", err)
	}
	refresh(t, g, "e9")
	if err := ping(); err != nil {
		t.Errorf("with another interface guarded: %v", err)
	}
	refresh(t, g, "lo")
	if err := ping(); err == nil {
		t.Error("a packet came in by the guarded interface")
	}
	c, err := g.Counters()
	if err != nil || c.In.Packets == 0 || c.Out != (guard.Count{}) {
		t.Errorf("counters %+v, %v", c, err)
	}
	// Nobody refreshes it any more.
	for end := time.Now().Add(30 * time.Second); ping() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the guard does not time out")
		}
	}
}

// pingLoopback sends one datagram to a socket in the present namespace.
func pingLoopback(t *testing.T) error {
	t.Helper()
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.WriteTo([]byte("x"), s.LocalAddr()); err != nil {
		return err
	}
	s.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, _, err = s.ReadFrom(make([]byte, 8))
	return err
}
