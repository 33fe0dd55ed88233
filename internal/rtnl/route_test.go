//go:build linux

package rtnl_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/rtnl"
)

var network = netip.MustParsePrefix

func TestRoutes(t *testing.T) {
	e0 := enter(t)
	ip(t, "route", "add", "100.64.0.1", "dev", "e0", "scope", "link")
	ip(t, "route", "add", "default", "via", "100.64.0.1", "metric", "50", "proto", "static")
	ip(t, "route", "add", "198.51.100.0/24", "via", "203.0.113.9", "dev", "e0", "onlink", "src", "192.0.2.1", "proto", "82")
	ip(t, "route", "add", "203.0.113.0/24", "proto", "boot", "nexthop", "via", "192.0.2.8", "weight", "3", "nexthop", "via", "192.0.2.9", "dev", "e0", "onlink")
	ip(t, "route", "add", "198.18.0.0/15", "via", "inet6", "fe80::1", "dev", "e0", "proto", "boot")
	ip(t, "route", "add", "unreachable", "198.51.101.0/24", "table", "1000", "proto", "boot")
	c := dial(t)
	got, err := c.Routes(rtnl.TableMain)
	if err != nil {
		t.Fatal(err)
	}
	gw := address
	main := rtnl.TableMain
	hops := []rtnl.NextHop{{OIF: e0, Gateway: gw("192.0.2.8"), Weight: 3}, {OIF: e0, Gateway: gw("192.0.2.9"), Flags: rtnl.HopOnlink, Weight: 1}}
	want := []rtnl.Route{
		{Dst: network("0.0.0.0/0"), NextHop: rtnl.NextHop{OIF: e0, Gateway: gw("100.64.0.1")}, Table: main, Protocol: rtnl.ProtocolStatic, Type: rtnl.RouteUnicast, Metric: 50},
		{Dst: network("100.64.0.1/32"), NextHop: rtnl.NextHop{OIF: e0}, Table: main, Protocol: rtnl.ProtocolBoot, Scope: rtnl.ScopeLink, Type: rtnl.RouteUnicast},
		{Dst: network("192.0.2.0/24"), NextHop: rtnl.NextHop{OIF: e0}, Table: main, Protocol: rtnl.ProtocolKernel, Scope: rtnl.ScopeLink, Type: rtnl.RouteUnicast, PrefSrc: gw("192.0.2.1")},
		{Dst: network("198.18.0.0/15"), NextHop: rtnl.NextHop{OIF: e0, Gateway: gw("fe80::1")}, Table: main, Protocol: rtnl.ProtocolBoot, Type: rtnl.RouteUnicast},
		{Dst: network("198.51.100.0/24"), NextHop: rtnl.NextHop{OIF: e0, Gateway: gw("203.0.113.9"), Flags: rtnl.HopOnlink}, Table: main, Protocol: rtnl.ProtocolISAT, Type: rtnl.RouteUnicast, PrefSrc: gw("192.0.2.1")},
		{Dst: network("203.0.113.0/24"), NextHop: hops[0], Hops: hops, Table: main, Protocol: rtnl.ProtocolBoot, Type: rtnl.RouteUnicast},
	}
	if d := cmp.Diff(want, got, values); d != "" {
		t.Errorf("main table (-want +got):\n%s", d)
	}
	other, err := c.Routes(1000)
	if err != nil || len(other) != 1 || other[0].Type != rtnl.RouteUnreachable || other[0].Table != 1000 {
		t.Errorf("table 1000: %+v, %v", other, err)
	}
	if none, err := c.Routes(1001); err != nil || len(none) != 0 {
		t.Errorf("a table that does not exist: %+v, %v", none, err)
	}
	all, err := c.Routes(0)
	if err != nil || len(all) < len(want)+4 { // those of table local
		t.Errorf("all tables have %d routes, %v", len(all), err)
	}

	// What was listed can be deleted and added again, and is as before.
	for _, r := range want {
		if err := c.DeleteRoute(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{1, 2, 0, 3, 4, 5} { // what gateways need first
		if err := c.AddRoute(want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if got, err = c.Routes(rtnl.TableMain); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, values); d != "" {
		t.Errorf("routes added again (-want +got):\n%s", d)
	}
}

func TestWriteRoutes(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	r := rtnl.Route{Dst: network("198.51.100.0/24"), NextHop: rtnl.NextHop{OIF: e0}, Scope: rtnl.ScopeLink, Protocol: rtnl.ProtocolISAT, Metric: 9999}
	if err := c.AddRoute(r); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "route", "show", "198.51.100.0/24"); !strings.Contains(got, "dev e0 proto 82 scope link metric 9999") {
		t.Errorf("ip(8) shows %q", got)
	}
	if err := c.AddRoute(r); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("added again: %v, want EEXIST", err)
	}
	r.PrefSrc = address("192.0.2.1")
	if err := c.ReplaceRoute(r); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "route", "show", "198.51.100.0/24"); !strings.Contains(got, "src 192.0.2.1") {
		t.Errorf("after the replacement ip(8) shows %q", got)
	}
	wrong := r
	wrong.Gateway = address("203.0.113.77")
	if err := c.AddRoute(wrong); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENETUNREACH) || !strings.Contains(err.Error(), "exthop has invalid gateway") {
		t.Errorf("gateway that is not on a link: %v, want the kernel's words", err)
	}
	if err := c.DeleteRoute(rtnl.Route{Dst: r.Dst, Scope: rtnl.ScopeNowhere}); err != nil {
		t.Errorf("deleting by Dst alone: %v", err)
	}
	if err := c.DeleteRoute(r); !errors.Is(err, syscall.ESRCH) || !rtnl.IsNotExist(err) {
		t.Errorf("deleted again: %v, want ESRCH", err)
	}
	if err := c.AddRoute(rtnl.Route{Dst: network("2001:db8::/32")}); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("IPv6: %v, want EAFNOSUPPORT", err)
	}
}

func TestRouteGet(t *testing.T) {
	e0 := enter(t)
	ip(t, "address", "add", "192.0.2.77/24", "dev", "e0")
	ip(t, "route", "add", "198.51.100.0/24", "via", "192.0.2.9", "src", "192.0.2.77")
	ip(t, "route", "add", "prohibit", "198.51.101.0/24")
	ip(t, "link", "set", "e1", "up")
	c := dial(t)
	for _, test := range []struct {
		name, dst, gateway, src string
		oif, wantOIF            int
		table                   uint32
		err                     error
	}{
		{name: "on the link", dst: "192.0.2.9", src: "192.0.2.1", wantOIF: e0, table: rtnl.TableMain},
		{name: "by a gateway", dst: "198.51.100.9", gateway: "192.0.2.9", src: "192.0.2.77", wantOIF: e0, table: rtnl.TableMain},
		{name: "by a gateway, interface given", dst: "198.51.100.9", oif: e0, gateway: "192.0.2.9", src: "192.0.2.77", wantOIF: e0, table: rtnl.TableMain},
		{name: "other interface, no route there", dst: "198.51.100.9", oif: index(t, "e1"), src: "192.0.2.1", wantOIF: index(t, "e1")},
		{name: "no route, interface given", dst: "203.0.113.9", oif: e0, src: "192.0.2.1", wantOIF: e0},
		{name: "no route", dst: "203.0.113.9", err: syscall.ENETUNREACH},
		{name: "prohibited", dst: "198.51.101.9", err: syscall.EACCES},
		{name: "IPv6", dst: "2001:db8::1", err: syscall.EAFNOSUPPORT},
	} {
		r, err := c.RouteGet(address(test.dst), test.oif)
		if test.err != nil {
			if !errors.Is(err, test.err) {
				t.Errorf("%s: %v, want %v", test.name, err, test.err)
			}
			continue
		}
		gateway := ""
		if r.Gateway.IsValid() {
			gateway = r.Gateway.String()
		}
		if err != nil || gateway != test.gateway || r.PrefSrc != address(test.src) || r.OIF != test.wantOIF || r.Table != test.table || !r.Cloned || r.Dst.Addr() != address(test.dst) {
			t.Errorf("%s: %+v, %v, want %+v", test.name, r, err, test)
		}
	}
}
