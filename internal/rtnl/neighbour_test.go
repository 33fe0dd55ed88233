//go:build linux

package rtnl_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
)

// neighbours returns what ip(8) says of e0's neighbours, one line each.
func neighbours(t *testing.T) map[string]string {
	t.Helper()
	m := map[string]string{}
	for line := range strings.Lines(ip(t, "-d", "neigh", "show", "dev", "e0")) {
		address, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		m[address] = strings.Join(strings.Fields(rest), " ")
	}
	return m
}

func TestWriteNeighboursInOrder(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	op := func(a rtnl.Action, ip, m string, s rtnl.State, f rtnl.NeighbourFlags) rtnl.NeighbourOp {
		op := rtnl.NeighbourOp{Action: a, Index: e0, IP: address(ip), State: s, Flags: f, Protocol: rtnl.ProtocolISAT}
		if m != "" {
			op.MAC = mac(m)
		}
		return op
	}
	err := c.WriteNeighbours([]rtnl.NeighbourOp{
		op(rtnl.Put, "192.0.2.2", "02:00:00:00:02:01", rtnl.StateReachable, 0),
		op(rtnl.Put, "192.0.2.2", "02:00:00:00:02:02", rtnl.StateStale, rtnl.FlagExtLearned),
		op(rtnl.Add, "192.0.2.3", "02:00:00:00:03:01", rtnl.StatePermanent, rtnl.FlagRouter),
		op(rtnl.Add, "192.0.2.4", "02:00:00:00:04:01", rtnl.StatePermanent, 0),
		op(rtnl.Delete, "192.0.2.4", "", 0, 0),
		op(rtnl.Add, "192.0.2.5", "02:00:00:00:05:01", rtnl.StateStale, 0),
		op(rtnl.Update, "192.0.2.5", "02:00:00:00:05:02", rtnl.StatePermanent, 0),
		op(rtnl.Put, "192.0.2.6", "", rtnl.StateFailed, rtnl.FlagExtLearned),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"192.0.2.2": "lladdr 02:00:00:00:02:02 extern_learn STALE proto 82",
		"192.0.2.3": "lladdr 02:00:00:00:03:01 router PERMANENT proto 82",
		"192.0.2.5": "lladdr 02:00:00:00:05:02 PERMANENT proto 82",
		"192.0.2.6": "extern_learn FAILED proto 82",
	}
	if d := cmp.Diff(want, neighbours(t)); d != "" {
		t.Errorf("ip(8) shows (-want +got):\n%s", d)
	}

	all, err := c.AppendNeighbours(nil, e0)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		// What of an entry ip(8) prints, in its order.
		s := fmt.Sprintf("%v %v", n.Flags, n.State)
		if n.MAC.IsValid() {
			s = fmt.Sprintf("lladdr %v %s", n.MAC, s)
		}
		s = strings.Join(strings.Fields(fmt.Sprintf("%s proto %d", s, n.Protocol)), " ")
		if want[n.IP.String()] != s {
			t.Errorf("dump has %v %q, want %q", n.IP, s, want[n.IP.String()])
		}
		one, err := c.Neighbour(e0, n.IP)
		if err != nil || one.MAC != n.MAC || one.State != n.State || one.Flags != n.Flags || one.Protocol != n.Protocol {
			t.Errorf("Neighbour(%v) = %+v, %v, want %+v", n.IP, one, err, n)
		}
	}
	if len(all) != len(want) {
		t.Errorf("dump has %d entries, want %d", len(all), len(want))
	}
	if _, err := c.Neighbour(e0, address("192.0.2.99")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("asking for a neighbour that is not there: %v, want ENOENT", err)
	}
}

func TestDumpIsOfOneInterface(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	ip(t, "neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:02:01", "dev", "e0")
	ip(t, "neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:02:02", "dev", "e1")
	ip(t, "neigh", "add", "2001:db8::1", "lladdr", "02:00:00:00:02:02", "dev", "e0")
	ip(t, "neigh", "add", "proxy", "192.0.2.7", "dev", "e0")
	one, err := c.AppendNeighbours(nil, e0)
	if err != nil || len(one) != 1 || one[0].Index != e0 || one[0].MAC != mac("02:00:00:00:02:01") {
		t.Errorf("dump of e0: %+v, %v", one, err)
	}
	all, err := c.AppendNeighbours(one, 0)
	if err != nil || len(all) != 3 {
		t.Errorf("dump of all appended to one: %+v, %v, want three", all, err)
	}
	proxies, err := c.AppendProxies(nil, e0)
	want := []rtnl.Neighbour{{Index: e0, IP: address("192.0.2.7"), Flags: rtnl.FlagProxy}}
	if d := cmp.Diff(want, proxies, cmp.Comparer(func(a, b rtnl.Neighbour) bool {
		return a.Index == b.Index && a.IP == b.IP && a.Flags == b.Flags
	})); d != "" || err != nil {
		t.Errorf("proxies (%v):\n%s", err, d)
	}
}

func TestProxyWrites(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	p := rtnl.NeighbourOp{Action: rtnl.AddProxy, Index: e0, IP: address("192.0.2.8"), Protocol: rtnl.ProtocolISAT}
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{p}); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "-d", "neigh", "show", "proxy"); !strings.Contains(got, "192.0.2.8 dev e0 proxy proto 82") {
		t.Errorf("ip(8) shows proxies %q", got)
	}
	p.Action = rtnl.DeleteProxy
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{p}); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "neigh", "show", "proxy"); got != "" {
		t.Errorf("after the deletion ip(8) shows proxies %q", got)
	}
}

// TestBatchErrors has failures in more than one datagram, the last operation of
// the first datagram (the one acknowledged) among them.
func TestBatchErrors(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	ops := make([]rtnl.NeighbourOp, 300)
	for i := range ops {
		ops[i] = rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: nth(i), MAC: mac("02:00:00:00:00:09"), State: rtnl.StatePermanent}
	}
	ops[3] = rtnl.NeighbourOp{Action: rtnl.Add, Index: e0, IP: nth(2), MAC: mac("02:00:00:00:00:08"), State: rtnl.StatePermanent}
	ops[127] = rtnl.NeighbourOp{Action: rtnl.Delete, Index: e0, IP: nth(127)}
	ops[128].MAC = mac("02:09") // too short for Ethernet
	ops[200].Index = 9999
	ops[299] = rtnl.NeighbourOp{Action: rtnl.Claim, Index: e0, IP: nth(299), Protocol: rtnl.ProtocolISAT}
	want := map[int]error{3: syscall.EEXIST, 127: syscall.ENOENT, 128: syscall.EINVAL, 200: syscall.ENODEV, 299: syscall.ENOENT}

	err := c.WriteNeighbours(ops)
	var batch *rtnl.BatchError
	if !errors.As(err, &batch) || batch.Total != len(ops) || len(batch.Failed) != len(want) {
		t.Fatalf("error is %v, want a BatchError with %d failures of %d", err, len(want), len(ops))
	}
	for i, f := range batch.Failed {
		if !errors.Is(f.Err, want[f.Index]) || i > 0 && batch.Failed[i-1].Index >= f.Index {
			t.Errorf("failure %d is of operation %d: %v, want %v", i, f.Index, f.Err, want[f.Index])
		}
	}
	if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "Invalid link address") {
		t.Errorf("error does not have the kernel's words for the short address: %v", err)
	}
	all, err := c.AppendNeighbours(nil, e0)
	if err != nil || len(all) != len(ops)-len(want) {
		t.Errorf("%d entries, %v, want all that did not fail: %d", len(all), err, len(ops)-len(want))
	}
}

func TestWriteWithoutIPv4Address(t *testing.T) {
	e0 := enter(t)
	err := dial(t).WriteNeighbours([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: e0, IP: address("2001:db8::1"), State: rtnl.StateFailed}})
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("IPv6 address: %v, want EINVAL", err)
	}
}

func TestThousandEntries(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	ops := make([]rtnl.NeighbourOp, 1000)
	for i := range ops {
		ops[i] = rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: nth(i), MAC: mac("02:00:00:00:00:09"),
			State: rtnl.StateStale, Flags: rtnl.FlagExtLearned, Protocol: rtnl.ProtocolISAT}
	}
	if err := c.WriteNeighbours(ops); err != nil {
		t.Fatal(err)
	}
	all, err := c.AppendNeighbours(nil, e0)
	if err != nil || len(all) != len(ops) || len(ipJSON(t, "neigh", "show", "dev", "e0")) != len(ops) {
		t.Fatalf("%d entries, %v, want %d", len(all), err, len(ops))
	}
	allocs := testing.AllocsPerRun(5, func() {
		if all, err = c.AppendNeighbours(all[:0], e0); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 20 {
		t.Errorf("a dump of 1,000 entries into a slice with room has %v allocations", allocs)
	}
	if allocs := testing.AllocsPerRun(5, func() {
		if err = c.WriteNeighbours(ops); err != nil {
			t.Fatal(err)
		}
	}); allocs > 20 {
		t.Errorf("a batch of 1,000 entries has %v allocations", allocs)
	}
	for i := range ops {
		ops[i].Action = rtnl.Delete
	}
	if err := c.WriteNeighbours(ops); err != nil {
		t.Fatal(err)
	}
	if all, err = c.AppendNeighbours(nil, e0); err != nil || len(all) != 0 {
		t.Errorf("after the deletion %d entries, %v", len(all), err)
	}
}

// TestClaim pins what the comment of [rtnl.Claim] tells.
func TestClaim(t *testing.T) {
	e0 := enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	setProc(t, "neigh/e0/ucast_solicit", "0")
	setProc(t, "neigh/e0/mcast_solicit", "20")
	c := dial(t)
	send(t, "192.0.2.9") // INCOMPLETE
	put := func(ip, m string, s rtnl.State) rtnl.NeighbourOp {
		op := rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: address(ip), State: s}
		if m != "" {
			op.MAC = mac(m)
		}
		return op
	}
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{
		put("192.0.2.10", "02:00:00:00:00:10", rtnl.StateReachable),
		put("192.0.2.11", "02:00:00:00:00:11", rtnl.StateStale),
		put("192.0.2.12", "", rtnl.StateFailed),
		put("192.0.2.13", "02:00:00:00:00:13", rtnl.StateNoARP),
		put("192.0.2.14", "02:00:00:00:00:14", rtnl.StatePermanent),
	}); err != nil {
		t.Fatal(err)
	}
	misses := dialMisses(t, rtnl.Config{})
	var ops []rtnl.NeighbourOp
	for i := 9; i <= 14; i++ {
		ops = append(ops, rtnl.NeighbourOp{Action: rtnl.Claim, Index: e0, IP: address(fmt.Sprintf("192.0.2.%d", i)), Protocol: rtnl.ProtocolISAT})
	}
	if err := c.WriteNeighbours(ops); err != nil {
		t.Fatal(err)
	}
	got := neighbours(t)
	noarp, err := c.Neighbour(e0, address("192.0.2.13")) // ip(8) does not list these
	if err != nil {
		t.Fatal(err)
	}
	got["192.0.2.13"] = fmt.Sprintf("lladdr %v %v %v proto %d", noarp.MAC, noarp.Flags, noarp.State, noarp.Protocol)
	want := map[string]string{
		"192.0.2.9":  "extern_learn INCOMPLETE proto 82",
		"192.0.2.10": "lladdr 02:00:00:00:00:10 extern_learn REACHABLE proto 82",
		"192.0.2.11": "lladdr 02:00:00:00:00:11 extern_learn DELAY proto 82",
		"192.0.2.12": "extern_learn INCOMPLETE proto 82",
		"192.0.2.13": "lladdr 02:00:00:00:00:13 extern_learn NOARP proto 82",
		"192.0.2.14": "extern_learn INCOMPLETE proto 82",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ip(8) shows (-want +got):\n%s", d)
	}

	// FAILED and PERMANENT are resolved anew; INCOMPLETE is not.
	missed := map[string]int{}
	misses.SetDeadline(soon())
	for len(missed) < 2 {
		batch, err := misses.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range batch {
			missed[m.IP.String()]++
		}
	}
	if d := cmp.Diff(map[string]int{"192.0.2.12": 1, "192.0.2.14": 1}, missed); d != "" {
		t.Errorf("misses (-want +got):\n%s", d)
	}

	// The queue was kept: the datagram goes out when the answer is installed.
	before := received(t)
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: e0, IP: address("192.0.2.9"), MAC: mac(e1MAC), State: rtnl.StateReachable}}); err != nil {
		t.Fatal(err)
	}
	if now := received(t); now <= before {
		t.Errorf("e1 received %v frames before the answer and %v after", before, now)
	}
}

// TestFlagsAreReplaced: a write without FlagExtLearned gives a claimed entry back
// to the kernel's garbage collection, but leaves it its protocol.
func TestFlagsAreReplaced(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	op := rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: address("192.0.2.9"), MAC: mac(e1MAC),
		State: rtnl.StateReachable, Flags: rtnl.FlagExtLearned, Protocol: rtnl.ProtocolISAT}
	without := op
	without.Flags, without.Protocol = 0, 0
	for _, test := range []struct {
		op   rtnl.NeighbourOp
		want string
	}{
		{op, "lladdr " + e1MAC + " extern_learn REACHABLE proto 82"},
		{without, "lladdr " + e1MAC + " REACHABLE proto 82"},
	} {
		if err := c.WriteNeighbours([]rtnl.NeighbourOp{test.op}); err != nil {
			t.Fatal(err)
		}
		if got := neighbours(t)["192.0.2.9"]; got != test.want {
			t.Errorf("after %+v ip(8) shows %q, want %q", test.op, got, test.want)
		}
	}
}

// received returns how many packets e1 received.
func received(t *testing.T) float64 {
	t.Helper()
	stats := ipJSON(t, "-s", "link", "show", "e1")[0]["stats64"].(map[string]any)
	return stats["rx"].(map[string]any)["packets"].(float64)
}

func TestClosedAndForeignNamespace(t *testing.T) {
	ns := testns.New(t)
	if err := ns.Do(func() error { ip(t, "link", "add", "only", "type", "bridge"); return nil }); err != nil {
		t.Fatal(err)
	}
	c, err := rtnl.Dial(rtnl.Config{NetNS: ns.FD()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.LinkByName("only"); err != nil {
		t.Errorf("a socket dialled in another namespace does not see its link: %v", err)
	}
	if _, err := c.LinkByName("other"); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("a link that is not there: %v, want ENODEV", err)
	}
	c.Close()
	if _, err := c.Links(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want net.ErrClosed", err)
	}
}
