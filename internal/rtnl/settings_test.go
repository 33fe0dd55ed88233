//go:build linux

package rtnl_test

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"

	"github.com/isat-project/isat/internal/rtnl"
)

// paramUnits has all parameters with the milliseconds of one unit of the file in
// /proc/sys, 1 for those that are no times.
var paramUnits = map[rtnl.NeighParam]uint64{
	rtnl.ParamBaseReachableTime: 1,
	rtnl.ParamRetransTime:       1,
	rtnl.ParamGCStaleTime:       1000,
	rtnl.ParamDelayProbeTime:    1000,
	rtnl.ParamQueueLen:          1,
	rtnl.ParamAppProbes:         1,
	rtnl.ParamUcastProbes:       1,
	rtnl.ParamMcastProbes:       1,
	rtnl.ParamProxyDelay:        10, // USER_HZ
	rtnl.ParamProxyQueueLen:     1,
	rtnl.ParamLockTime:          10, // USER_HZ
	rtnl.ParamQueueLenBytes:     1,
	rtnl.ParamMcastReprobes:     1,
}

// checkParams compares what NeighParams gives with /proc/sys.
func checkParams(t *testing.T, c *rtnl.Conn, index int, name string) rtnl.NeighParams {
	t.Helper()
	got, err := c.NeighParams(index)
	if err != nil {
		t.Fatal(err)
	}
	for p, unit := range paramUnits {
		want, err := strconv.ParseUint(proc(t, "neigh/"+name+"/"+p.String()), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got[p] != want*unit {
			t.Errorf("%v of %s is %d, /proc/sys has %d in units of %d", p, name, got[p], want, unit)
		}
	}
	return got
}

func TestNeighParams(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	before := checkParams(t, c, e0, "e0")
	other := checkParams(t, c, index(t, "e1"), "e1")
	for p, unit := range paramUnits {
		// Twice as much of each alone, which also proves that no other changes.
		if p == rtnl.ParamQueueLen {
			continue // is what ParamQueueLenBytes has room for
		}
		v := before[p] + 20*unit
		if err := c.SetNeighParams(e0, map[rtnl.NeighParam]uint64{p: v}); err != nil {
			t.Fatal(err)
		}
		after := checkParams(t, c, e0, "e0")
		want := before
		want[p] = v
		if p == rtnl.ParamQueueLenBytes {
			want[rtnl.ParamQueueLen] = after[rtnl.ParamQueueLen]
		}
		if after != want {
			t.Errorf("after setting %v to %d: %v, want %v", p, v, after, want)
		}
		before = after
	}
	if checkParams(t, c, index(t, "e1"), "e1") != other {
		t.Error("parameters of e1 changed too")
	}
	if err := c.SetNeighParams(e0, map[rtnl.NeighParam]uint64{rtnl.ParamAppProbes: 1, rtnl.ParamUcastProbes: 0, rtnl.ParamQueueLen: 7}); err != nil {
		t.Fatal(err)
	}
	if a, u, q := proc(t, "neigh/e0/app_solicit"), proc(t, "neigh/e0/ucast_solicit"), proc(t, "neigh/e0/unres_qlen"); a != "1" || u != "0" || q != "7" {
		t.Errorf("several at once: app_solicit=%s ucast_solicit=%s unres_qlen=%s", a, u, q)
	}
	if _, err := c.NeighParams(9999); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("no interface: %v, want ENODEV", err)
	}
	if err := c.SetNeighParams(9999, map[rtnl.NeighParam]uint64{rtnl.ParamAppProbes: 1}); !rtnl.IsNotExist(err) {
		t.Errorf("setting of no interface: %v", err)
	}
}

var confKeys = []rtnl.ConfKey{
	rtnl.ConfForwarding, rtnl.ConfProxyARP, rtnl.ConfAcceptRedirects, rtnl.ConfSendRedirects, rtnl.ConfSharedMedia, rtnl.ConfRPFilter, rtnl.ConfARPFilter,
	rtnl.ConfMediumID, rtnl.ConfARPAnnounce, rtnl.ConfARPIgnore, rtnl.ConfPromoteSecondaries, rtnl.ConfARPAccept, rtnl.ConfARPNotify, rtnl.ConfAcceptLocal,
	rtnl.ConfProxyARPPVLAN, rtnl.ConfRouteLocalnet, rtnl.ConfDropGratuitousARP, rtnl.ConfARPEvictNoCarrier,
}

// checkConf compares every key of a configuration with /proc/sys.
func checkConf(t *testing.T, c *rtnl.InetConf, name string) {
	t.Helper()
	for _, k := range confKeys {
		if want := proc(t, fmt.Sprintf("conf/%s/%v", name, k)); fmt.Sprint(c[k]) != want {
			t.Errorf("%v of %s is %d, /proc/sys has %s", k, name, c[k], want)
		}
	}
}

func TestInetConf(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	for _, k := range confKeys {
		v := 1 - proc(t, fmt.Sprintf("conf/e0/%v", k))[0]&1 // the other of 0 and 1
		if err := c.SetInetConf(e0, map[rtnl.ConfKey]int32{k: int32(v & 1)}); err != nil {
			t.Fatal(err)
		}
		if got := proc(t, fmt.Sprintf("conf/e0/%v", k)); got != fmt.Sprint(v&1) {
			t.Errorf("%v set to %d is %s in /proc/sys", k, v&1, got)
		}
	}
	if err := c.SetInetConf(e0, map[rtnl.ConfKey]int32{rtnl.ConfARPIgnore: 8, rtnl.ConfRPFilter: 2, rtnl.ConfARPAnnounce: 2}); err != nil {
		t.Fatal(err)
	}
	l, err := c.Link(e0)
	if err != nil || l.IPv4 == nil {
		t.Fatalf("link is %+v, %v", l, err)
	}
	checkConf(t, l.IPv4, "e0")
	if l.IPv4[rtnl.ConfARPIgnore] != 8 || l.IPv4[rtnl.ConfRPFilter] != 2 {
		t.Errorf("arp_ignore=%d rp_filter=%d, want 8 and 2", l.IPv4[rtnl.ConfARPIgnore], l.IPv4[rtnl.ConfRPFilter])
	}
	changes := dialChanges(t, rtnl.Config{})
	if err := c.SetInetConf(e0, map[rtnl.ConfKey]int32{rtnl.ConfARPIgnore: 1}); err != nil {
		t.Fatal(err)
	}
	changes.SetDeadline(soon())
	batch, err := changes.Receive()
	if err != nil || len(batch) != 1 {
		t.Fatal(batch, err)
	}
	if l, ok := batch[0].(rtnl.LinkChange); !ok || l.Link.IPv4 == nil || l.Link.IPv4[rtnl.ConfARPIgnore] != 1 {
		t.Errorf("setting arp_ignore was told as %+v, want a LinkChange with the new value", batch[0])
	}
	setProc(t, "conf/all/arp_ignore", "2")
	setProc(t, "conf/all/proxy_arp", "1")
	all, err := rtnl.AllInetConf()
	if err != nil {
		t.Fatal(err)
	}
	checkConf(t, &all, "all")
	if all[rtnl.ConfARPIgnore] != 2 || all[rtnl.ConfProxyARP] != 1 {
		t.Errorf("of all: arp_ignore=%d proxy_arp=%d, want 2 and 1", all[rtnl.ConfARPIgnore], all[rtnl.ConfProxyARP])
	}
	if err := c.SetInetConf(9999, map[rtnl.ConfKey]int32{rtnl.ConfProxyARP: 1}); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("no interface: %v, want ENODEV", err)
	}
}

func TestEffectiveConf(t *testing.T) {
	for _, test := range []struct {
		key       rtnl.ConfKey
		all, link int32
		want      int32
	}{
		{rtnl.ConfARPIgnore, 2, 1, 2},
		{rtnl.ConfARPIgnore, 0, 1, 1},
		{rtnl.ConfRPFilter, 1, 2, 2},
		{rtnl.ConfARPAccept, 0, 2, 2},
		{rtnl.ConfProxyARP, 0, 1, 1},
		{rtnl.ConfProxyARP, 1, 0, 1},
		{rtnl.ConfProxyARP, 0, 0, 0},
		{rtnl.ConfProxyARPPVLAN, 1, 0, 1},
		{rtnl.ConfDropGratuitousARP, 1, 0, 1},
		{rtnl.ConfARPEvictNoCarrier, 1, 0, 0},
		{rtnl.ConfARPEvictNoCarrier, 0, 1, 0},
		{rtnl.ConfARPEvictNoCarrier, 1, 1, 1},
		{rtnl.ConfForwarding, 1, 0, 0},
		{rtnl.ConfForwarding, 0, 1, 1},
		{rtnl.ConfMediumID, 5, -1, -1},
		{rtnl.ConfAcceptRedirects, 1, 0, 1},
	} {
		var all, link rtnl.InetConf
		all[test.key], link[test.key] = test.all, test.link
		if got := rtnl.EffectiveConf(test.key, &all, &link); got != test.want {
			t.Errorf("%v with all=%d and %d of the interface is %d, want %d", test.key, test.all, test.link, got, test.want)
		}
	}
	var all, link rtnl.InetConf
	all[rtnl.ConfAcceptRedirects], link[rtnl.ConfForwarding] = 1, 1
	if got := rtnl.EffectiveConf(rtnl.ConfAcceptRedirects, &all, &link); got != 0 {
		t.Errorf("accept_redirects of all alone on a router is %d, want 0", got)
	}
}
