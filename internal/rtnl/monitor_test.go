//go:build linux

package rtnl_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/rtnl"
)

// quiet is how long a test waits to see that nothing comes. It can be too short
// to catch a fault on a loaded machine, never too long for right code.
const quiet = 300 * time.Millisecond

func TestOneMiss(t *testing.T) {
	e0 := enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	setProc(t, "neigh/e0/ucast_solicit", "0")
	misses := dialMisses(t, rtnl.Config{})
	ip(t, "neigh", "add", "192.0.2.50", "lladdr", "02:00:00:00:00:50", "dev", "e0") // not a miss
	send(t, "192.0.2.9")
	misses.SetDeadline(soon())
	batch, err := misses.Receive()
	if err != nil {
		t.Fatal(err)
	}
	want := rtnl.Miss{Index: e0, IP: address("192.0.2.9"), State: rtnl.StateIncomplete}
	if len(batch) != 1 || batch[0] != want {
		t.Errorf("batch is %+v, want %+v alone", batch, want)
	}
	misses.SetDeadline(time.Now().Add(quiet))
	if batch, err = misses.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) || len(batch) != 0 {
		t.Errorf("then %+v, %v, want nothing until the deadline", batch, err)
	}
}

func TestMissOfProbe(t *testing.T) {
	e0 := enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	setProc(t, "neigh/e0/ucast_solicit", "0")
	setProc(t, "neigh/e0/delay_first_probe_time", "0")
	misses := dialMisses(t, rtnl.Config{})
	ip(t, "neigh", "add", "192.0.2.9", "lladdr", "02:00:00:00:00:09", "dev", "e0", "nud", "stale", "protocol", "82")
	send(t, "192.0.2.9")
	misses.SetDeadline(soon())
	batch, err := misses.Receive()
	if err != nil {
		t.Fatal(err)
	}
	want := rtnl.Miss{Index: e0, IP: address("192.0.2.9"), MAC: mac("02:00:00:00:00:09"), State: rtnl.StateProbe, Protocol: rtnl.ProtocolISAT}
	if len(batch) != 1 || batch[0] != want {
		t.Errorf("batch is %+v, want %+v alone", batch, want)
	}
}

func TestBurstIsOneBatch(t *testing.T) {
	enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	setProc(t, "neigh/e0/ucast_solicit", "0")
	misses := dialMisses(t, rtnl.Config{})
	misses.SetDeadline(soon())
	for round := range 3 {
		const n = 20
		for i := range n {
			send(t, fmt.Sprintf("192.0.2.%d", 10+round*n+i))
		}
		batch, err := misses.Receive()
		if err != nil || len(batch) != n {
			t.Errorf("batch has %d misses, %v, want %d", len(batch), err, n)
		}
	}
}

// TestMissesDoNotAllocate makes misses by claims of FAILED entries, which do not
// allocate either.
func TestMissesDoNotAllocate(t *testing.T) {
	e0 := enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	setProc(t, "neigh/e0/ucast_solicit", "0")
	c, misses := dial(t), dialMisses(t, rtnl.Config{})
	const n = 16
	fail, claim := entries(e0, n), entries(e0, n)
	for i := range n {
		fail[i].State = rtnl.StateFailed
		claim[i].Action = rtnl.Claim
	}
	misses.SetDeadline(soon())
	if allocs := testing.AllocsPerRun(10, func() {
		if err := c.WriteNeighbours(fail); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteNeighbours(claim); err != nil {
			t.Fatal(err)
		}
		if batch, err := misses.Receive(); err != nil || len(batch) != n {
			t.Fatal(len(batch), err)
		}
	}); allocs >= 1 {
		t.Errorf("%d misses have %v allocations", n, allocs)
	}
}

func TestOwnWritesAreNotSeen(t *testing.T) {
	e0 := enter(t)
	mine, other := dial(t), dial(t)
	changes := dialChanges(t, rtnl.Config{}, 12345, mine.PortID())
	op := func(a rtnl.Action, ip string) []rtnl.NeighbourOp {
		return []rtnl.NeighbourOp{{Action: a, Index: e0, IP: address(ip), MAC: mac("02:00:00:00:00:09"), State: rtnl.StateStale, Protocol: rtnl.ProtocolISAT}}
	}
	for _, err := range []error{
		mine.WriteNeighbours(op(rtnl.Put, "192.0.2.8")),
		other.WriteNeighbours(op(rtnl.Put, "192.0.2.9")),
		mine.WriteNeighbours(op(rtnl.Delete, "192.0.2.8")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	batch, err := receiveNeighbours(t, changes)
	if err != nil {
		t.Fatal(err)
	}
	if len(batch) != 2 {
		t.Fatalf("%d changes, want two: %+v", len(batch), batch)
	}
	n := batch[0]
	if n.Neighbour.IP != address("192.0.2.9") || n.PortID != other.PortID() || n.Deleted || n.Neighbour.Protocol != rtnl.ProtocolISAT {
		t.Errorf("first change is %+v, want the other's write", batch[0])
	}
	// Of a deletion the FAILED before it is filtered; the end of it is the kernel's.
	n = batch[1]
	if n.Neighbour.IP != address("192.0.2.8") || n.PortID != 0 || !n.Deleted {
		t.Errorf("second change is %+v, want the deletion with port id 0", batch[1])
	}
}

// TestDelayIsNotTold pins what NeighbourChange says of the kernel.
func TestDelayIsNotTold(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	op := rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: address("192.0.2.9"), MAC: mac("02:00:00:00:00:09"), State: rtnl.StateStale}
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{op}); err != nil {
		t.Fatal(err)
	}
	changes := dialChanges(t, rtnl.Config{})
	send(t, "192.0.2.9")
	if n, err := c.Neighbour(e0, op.IP); err != nil || n.State != rtnl.StateDelay {
		t.Fatalf("used, the entry is %+v, %v, want DELAY", n, err)
	}
	op.IP = address("192.0.2.10")
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{op}); err != nil {
		t.Fatal(err)
	}
	batch, err := receiveNeighbours(t, changes)
	if err != nil || len(batch) != 1 || batch[0].Neighbour.IP != op.IP {
		t.Errorf("changes are %+v, %v, want that of %v alone", batch, err, op.IP)
	}
}

// TestKindsOfChanges makes one change of each kind with ip(8), and others that
// must not come.
func TestKindsOfChanges(t *testing.T) {
	e0 := enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	changes := dialChanges(t, rtnl.Config{})
	send(t, "192.0.2.9") // a miss
	ip(t, "neigh", "add", "2001:db8::1", "lladdr", "02:00:00:00:02:02", "dev", "e0")
	ip(t, "neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:02:02", "dev", "e0", "nud", "permanent")
	ip(t, "address", "add", "192.0.2.77/32", "dev", "e0")
	ip(t, "address", "add", "2001:db8::7/64", "dev", "e0")
	ip(t, "route", "add", "198.51.100.0/24", "via", "192.0.2.2", "proto", "82")
	ip(t, "route", "del", "198.51.100.0/24")
	ip(t, "route", "add", "local", "198.51.100.0/24", "dev", "lo", "table", "1000")
	setProc(t, "conf/e0/proxy_arp", "1")
	ip(t, "link", "set", "e1", "down")
	var seen []string
	changes.SetDeadline(soon())
	for len(seen) == 0 || seen[len(seen)-1] != "no carrier" {
		batch, err := changes.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range batch {
			switch c := c.(type) {
			case rtnl.NeighbourChange:
				if c.Neighbour.State == rtnl.StatePermanent && !c.Deleted {
					seen = append(seen, "neighbour "+c.Neighbour.IP.String())
				} else if !c.Neighbour.IP.Is4() {
					t.Errorf("not of IPv4: %+v", c)
				}
			case rtnl.AddrChange:
				seen = append(seen, fmt.Sprintf("address %v", c.Addr.Prefix))
			case rtnl.RouteChange:
				if c.Route.Table != rtnl.TableLocal {
					seen = append(seen, fmt.Sprintf("route %v deleted=%v", c.Route.Dst, c.Deleted))
				}
			case rtnl.ConfChange:
				seen = append(seen, "conf")
			case rtnl.LinkChange:
				if c.Link.Index == e0 && c.Link.Name == "e0" && !c.Link.Carrier {
					seen = append(seen, "no carrier")
				}
			}
		}
	}
	want := []string{
		"neighbour 192.0.2.2",
		"address 192.0.2.77/32",
		"route 198.51.100.0/24 deleted=false",
		"conf",
		"no carrier",
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}

func TestOverrun(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	changes := dialChanges(t, rtnl.Config{ReadBuffer: 1}) // the kernel gives its least
	ops := make([]rtnl.NeighbourOp, 1000)
	for i := range ops {
		ops[i] = rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: nth(i), MAC: mac("02:00:00:00:00:09"), State: rtnl.StatePermanent}
	}
	if err := c.WriteNeighbours(ops); err != nil {
		t.Fatal(err)
	}
	batch, err := receiveNeighbours(t, changes)
	if !errors.Is(err, rtnl.ErrOverrun) || len(batch) >= len(ops) {
		t.Fatalf("batch of %d, %v, want ErrOverrun and some of %d", len(batch), err, len(ops))
	}
	for i, n := range batch {
		if n.Neighbour.IP != nth(i) {
			t.Errorf("change %d before the overrun is %+v, want %v", i, n, nth(i))
		}
	}
	// Nothing older comes once the overrun has been told, and the socket works.
	last := rtnl.NeighbourOp{Action: rtnl.Put, Index: e0, IP: address("192.0.2.9"), MAC: mac("02:00:00:00:00:09"), State: rtnl.StatePermanent}
	if err := c.WriteNeighbours([]rtnl.NeighbourOp{last}); err != nil {
		t.Fatal(err)
	}
	batch, err = receiveNeighbours(t, changes)
	if err != nil || len(batch) != 1 || batch[0].Neighbour.IP != last.IP {
		t.Errorf("after the overrun %+v, %v, want the write of %v alone", batch, err, last.IP)
	}
}

func TestMissesOverrun(t *testing.T) {
	e0 := enter(t)
	setProc(t, "neigh/e0/app_solicit", "1")
	setProc(t, "neigh/e0/ucast_solicit", "0")
	misses := dialMisses(t, rtnl.Config{ReadBuffer: 1})
	const n = 30
	for i := range n {
		send(t, fmt.Sprintf("192.0.2.%d", 10+i))
	}
	misses.SetDeadline(soon())
	batch, err := misses.Receive()
	if !errors.Is(err, rtnl.ErrOverrun) || len(batch) == 0 || len(batch) >= n {
		t.Fatalf("batch of %d, %v, want ErrOverrun and some of %d", len(batch), err, n)
	}
	// The table has those that were lost.
	all, err := dial(t).AppendNeighbours(nil, e0)
	if err != nil {
		t.Fatal(err)
	}
	incomplete := 0
	for _, e := range all {
		if e.State == rtnl.StateIncomplete {
			incomplete++
		}
	}
	if incomplete != n {
		t.Errorf("%d entries are INCOMPLETE, want %d", incomplete, n)
	}
}

func TestCloseWakesReader(t *testing.T) {
	enter(t)
	misses, changes := dialMisses(t, rtnl.Config{}), dialChanges(t, rtnl.Config{})
	errs := make(chan error, 2)
	go func() { _, err := misses.Receive(); errs <- err }()
	go func() {
		for {
			if _, err := changes.Receive(); err != nil {
				errs <- err
				return
			}
		}
	}()
	time.Sleep(50 * time.Millisecond) // so that they wait; sooner must do too
	misses.Close()
	changes.Close()
	for range 2 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("woken with %v, want net.ErrClosed", err)
		}
	}
}
