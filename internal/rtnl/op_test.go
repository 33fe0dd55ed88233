//go:build linux

package rtnl_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/internal/rtnl"
)

func addrOf(index int, prefix string) rtnl.Addr {
	p := netip.MustParsePrefix(prefix)
	return rtnl.Addr{Index: index, Local: p.Addr(), Prefix: p.Masked()}
}

// Changes of several kinds go in one datagram, in order; one that is refused does
// not keep the others.
func TestApply(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	if err := c.Apply(); err != nil {
		t.Errorf("nothing: %v", err)
	}
	promote := func(v int32) rtnl.Op {
		return rtnl.SetInetConfOp(e0, map[rtnl.ConfKey]int32{rtnl.ConfPromoteSecondaries: v})
	}
	before := proc(t, "conf/e0/promote_secondaries")
	err := c.Apply(
		rtnl.AddAddrOp(addrOf(e0, "192.0.2.2/24")),
		promote(1),
		rtnl.DeleteAddrOp(addrOf(e0, "192.0.2.9/24")), // there is none
		rtnl.DeleteAddrOp(addrOf(e0, "192.0.2.1/24")), // without promotion both would go
		promote(0),
		rtnl.AddRouteOp(rtnl.Route{Dst: netip.MustParsePrefix("203.0.113.0/24"), NextHop: rtnl.NextHop{Gateway: address("192.0.2.254")}}),
		rtnl.AddAddrOp(addrOf(e0, "192.0.2.2/24")),
	)
	var batch *rtnl.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 2 || batch.Failed[0].Index != 2 || batch.Failed[1].Index != 6 ||
		!errors.Is(batch.Failed[0].Err, syscall.EADDRNOTAVAIL) || !errors.Is(batch.Failed[1].Err, syscall.EEXIST) {
		t.Errorf("error %v", err)
	}
	all, err := c.Addrs(e0)
	if err != nil || len(all) != 1 || all[0].Local != address("192.0.2.2") || all[0].Flags&rtnl.AddrSecondary != 0 {
		t.Errorf("addresses are %+v, %v", all, err)
	}
	if got := ip(t, "route", "show", "203.0.113.0/24"); !strings.Contains(got, "via 192.0.2.254 dev e0") {
		t.Errorf("the route is %q", got)
	}
	if got := proc(t, "conf/e0/promote_secondaries"); got != "0" {
		t.Errorf("promote_secondaries is %s, was %s", got, before)
	}
	err = c.Apply(rtnl.DeleteAddrOp(addrOf(e0, "192.0.2.2/24")), rtnl.AddAddrOp(rtnl.Addr{}))
	if !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("with one that makes no sense: %v", err)
	}
	if all, err := c.Addrs(e0); err != nil || len(all) != 1 {
		t.Errorf("something was done even so: %+v, %v", all, err)
	}
}

// A route that is deleted and added again from its image is what it was, for
// everything ip(8) knows to say of it.
func TestRouteImages(t *testing.T) {
	enter(t)
	c := dial(t)
	routes := []string{
		"default via 192.0.2.254 dev e0 proto static metric 7 mtu 1400 advmss 1300 quickack 1",
		"203.0.113.0/24 via 192.0.2.253 dev e0 src 192.0.2.1 table 100 tos 0x10",
		"198.51.100.0/24 nexthop via 192.0.2.3 dev e0 weight 3 nexthop via 192.0.2.4 dev e0 onlink",
		"198.51.100.7 dev e0 scope link congctl reno initcwnd 20 realms 3",
		"100.64.0.0/10 via inet6 fe80::1 dev e0",
		"unreachable 10.9.0.0/16 metric 4278198272",
		"10.8.0.0/16 nhid 5",
	}
	ip(t, "nexthop", "add", "id", "5", "via", "192.0.2.250", "dev", "e0")
	for _, route := range routes {
		ip(t, append([]string{"route", "add"}, strings.Fields(route)...)...)
	}
	shown := func() string { return ip(t, "-d", "-4", "route", "show", "table", "all") }
	want := shown()
	before, err := c.RouteImages()
	if err != nil {
		t.Fatal(err)
	}
	var ops []rtnl.Op
	for _, image := range before {
		if image.Route().Protocol != rtnl.ProtocolKernel {
			ops = append(ops, rtnl.AddImageOp(image))
		}
	}
	for _, route := range routes {
		ip(t, append([]string{"route", "delete"}, strings.Fields(route)...)...)
	}
	if len(ops) != len(routes) || shown() == want {
		t.Fatalf("%d routes were deleted, there are\n%s", len(ops), shown())
	}
	if err := c.Apply(ops...); err != nil {
		t.Error(err)
	}
	if got := shown(); got != want {
		t.Errorf("there are\n%s\nwant\n%s", got, want)
	}
	after, err := c.RouteImages()
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range before {
		if !slices.Contains(after, image) {
			t.Errorf("the image of the route to %v is another now", image.Route().Dst)
		}
	}
	if err := c.Apply(ops[0]); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("once more: %v, want EEXIST", err)
	}
	if err := c.Apply(rtnl.AddImageOp("nonsense")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("what is no image: %v, want EINVAL", err)
	}
}
