//go:build linux

package rtnl_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/rtnl"
)

// enterRouter adds to the namespace of enter a second network, with forwarding on:
//
//	e0 192.0.2.1/24 ─── e1     r0 198.51.100.1/24 ─── r1
func enterRouter(t testing.TB) (e0, r0 int) {
	t.Helper()
	e0 = enter(t)
	ip(t, "link", "add", "r0", "type", "veth", "peer", "name", "r1")
	ip(t, "link", "set", "r0", "up")
	ip(t, "link", "set", "r1", "up")
	ip(t, "address", "add", "198.51.100.1/24", "dev", "r0")
	setProc(t, "ip_forward", "1")
	i, err := net.InterfaceByName("r0")
	if err != nil {
		t.Fatal(err)
	}
	return e0, i.Index
}

// TestRouteForward asks where packets that come in are forwarded to.
func TestRouteForward(t *testing.T) {
	e0, r0 := enterRouter(t)
	c := dial(t)
	for _, a := range [][]string{
		{"route", "add", "blackhole", "10.0.0.0/8"}, {"route", "add", "unreachable", "11.0.0.0/8"},
		{"route", "add", "prohibit", "12.0.0.0/8"}, {"route", "add", "throw", "13.0.0.0/8"},
		{"rule", "add", "from", "192.0.2.7", "lookup", "77"}, {"route", "add", "198.51.100.9", "dev", "e0", "table", "77"},
	} {
		ip(t, a...)
	}
	for _, test := range []struct {
		name, dst, src string
		typ            rtnl.RouteType
		oif            int
		errs           []error // one of them
	}{
		{name: "forwarded", dst: "198.51.100.9", src: "192.0.2.9", typ: rtnl.RouteUnicast, oif: r0},
		{name: "by a rule", dst: "198.51.100.9", src: "192.0.2.7", typ: rtnl.RouteUnicast, oif: e0},
		{name: "back", dst: "192.0.2.8", src: "192.0.2.9", typ: rtnl.RouteUnicast, oif: e0},
		{name: "of this host", dst: "198.51.100.1", src: "192.0.2.9", typ: rtnl.RouteLocal, oif: 1},
		{name: "broadcast", dst: "198.51.100.255", src: "192.0.2.9", typ: rtnl.RouteBroadcast, oif: 1},
		{name: "no route", dst: "203.0.113.9", src: "192.0.2.9", errs: []error{syscall.ENETUNREACH}},
		{name: "blackhole", dst: "10.0.0.1", src: "192.0.2.9", errs: []error{syscall.EINVAL}},
		{name: "unreachable", dst: "11.0.0.1", src: "192.0.2.9", errs: []error{syscall.EHOSTUNREACH}},
		{name: "prohibit", dst: "12.0.0.1", src: "192.0.2.9", errs: []error{syscall.EACCES}},
		{name: "throw", dst: "13.0.0.1", src: "192.0.2.9", errs: []error{syscall.ENETUNREACH}},
		{name: "own source", dst: "198.51.100.9", src: "192.0.2.1", errs: []error{syscall.EINVAL, syscall.EXDEV}},
		{name: "no source", dst: "198.51.100.9", src: "0.0.0.0", errs: []error{syscall.EINVAL, syscall.EXDEV}},
		{name: "IPv6", dst: "198.51.100.9", src: "2001:db8::1", errs: []error{syscall.EAFNOSUPPORT}},
	} {
		checkForward(t, c, e0, test.name, test.dst, test.src, test.typ, test.oif, test.errs)
	}
	setProc(t, "conf/e0/rp_filter", "1")
	checkForward(t, c, e0, "strict rp_filter", "198.51.100.9", "203.0.113.9", 0, 0, []error{syscall.EINVAL, syscall.EXDEV})
	setProc(t, "conf/e0/forwarding", "0")
	checkForward(t, c, e0, "not forwarding", "198.51.100.9", "192.0.2.9", 0, 0, []error{syscall.EHOSTUNREACH})
}

func checkForward(t *testing.T, c *rtnl.Conn, iif int, name, dst, src string, typ rtnl.RouteType, oif int, errs []error) {
	t.Helper()
	r, err := c.RouteForward(address(dst), address(src), iif)
	if errs == nil {
		if err != nil || r.Type != typ || r.OIF != oif || r.Dst.Addr() != address(dst) {
			t.Errorf("%s: %+v, %v, want type %d by link %d", name, r, err, typ, oif)
		}
		return
	}
	for _, want := range errs {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("%s: %+v, %v, want one of %v", name, r, err, errs)
}

// TestDefaultRoute relies on it that 0.0.0.1, an address of no host, is where the
// default route shows.
func TestDefaultRoute(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	if r, err := c.RouteGet(address("0.0.0.1"), 0); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("without a default route: %+v, %v", r, err)
	}
	ip(t, "route", "add", "default", "via", "192.0.2.9")
	if r, err := c.RouteGet(address("0.0.0.1"), 0); err != nil || r.OIF != e0 {
		t.Errorf("with a default route: %+v, %v", r, err)
	}
}

// TestRouting changes what routing decisions follow from, one thing after the
// other, and lets notifications be lost: the socket tells that something changed.
func TestRouting(t *testing.T) {
	e0 := enter(t)
	r, err := rtnl.DialRouting(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan error)
	go func() {
		for err == nil {
			err = r.Wait()
			woken <- err
		}
		close(woken)
	}()
	expect := func(what string) {
		t.Helper()
		select {
		case err := <-woken:
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		case <-time.After(time.Until(soon())):
			t.Fatalf("the socket does not tell of: %s", what)
		}
	}
	for _, a := range [][]string{
		{"route", "add", "198.51.100.0/24", "via", "192.0.2.9"},
		{"route", "del", "198.51.100.0/24"},
		{"rule", "add", "from", "192.0.2.7", "lookup", "77"},
		{"nexthop", "add", "id", "7", "via", "192.0.2.9", "dev", "e0"},
	} {
		ip(t, a...)
		expect("ip " + a[0] + " " + a[1])
	}
	// More than the socket has room for, while nobody reads beyond the first.
	c := dial(t)
	const routes = 2000
	for i := range routes {
		if err := c.AddRoute(rtnl.Route{Dst: netip.PrefixFrom(nth(i), 32), NextHop: rtnl.NextHop{OIF: e0}, Scope: rtnl.ScopeLink}); err != nil {
			t.Fatal(err)
		}
	}
	expect("many routes")
	r.Close()
	for err := range woken {
		if err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// BenchmarkRouteForward is half of a routing decision for proxy ARP.
func BenchmarkRouteForward(b *testing.B) {
	e0, _ := enterRouter(b)
	c := dial(b)
	dst, src := address("198.51.100.9"), address("192.0.2.9")
	for b.Loop() {
		if _, err := c.RouteForward(dst, src, e0); err != nil {
			b.Fatal(err)
		}
	}
}
