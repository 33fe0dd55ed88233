package takeover

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
)

// addrOf returns an address of the interface with an index.
func addrOf(index int, prefix string) rtnl.Addr {
	p := netip.MustParsePrefix(prefix)
	return rtnl.Addr{Index: index, Local: p.Addr(), Prefix: p.Masked(), Flags: rtnl.AddrPermanent}
}

// alone makes an interface in a namespace of the test's own.
func alone(t *testing.T) (conn *rtnl.Conn, index int) {
	t.Helper()
	peer := testns.New(t)
	testns.Enter(t)
	index = cable(t, peer)
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	all, err := conn.Addrs(index)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if err := conn.DeleteAddr(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.SetInetConf(index, map[rtnl.ConfKey]int32{rtnl.ConfPromoteSecondaries: 1}); err != nil {
		t.Fatal(err)
	}
	return conn, index
}

// TestPlanAgainstTheKernel takes addresses of random interfaces down and puts them
// back by the plan: the kernel's list is what was planned, and what it was.
func TestPlanAgainstTheKernel(t *testing.T) {
	conn, index := alone(t)
	list := func() []rtnl.Addr {
		all, err := conn.Addrs(index)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		var model []rtnl.Addr
		for n := range 1 + random.IntN(7) {
			a := addrOf(index, fmt.Sprintf("10.%d.0.%d/%d", random.IntN(3), n+1, 16+8*random.IntN(2)))
			a.Scope = []rtnl.Scope{rtnl.ScopeUniverse, rtnl.ScopeUniverse, rtnl.ScopeLink}[a.Local.As4()[1]]
			if err := conn.AddAddr(a); err != nil {
				t.Fatal(err)
			}
			model = inserted(model, a)
		}
		before := list()
		if !sameOrder(model, before) {
			t.Fatalf("seed %d: the kernel has %v, want %v", seed, prefixesOf(before), prefixesOf(model))
		}
		// Some are taken down, one after the other.
		var back []rtnl.Addr
		var order [][]netip.Prefix
		for range 1 + random.IntN(3) {
			now := list()
			if len(now) == 0 {
				break
			}
			a := now[random.IntN(len(now))]
			back, order = append(back, a), append(order, prefixesOf(now))
			if err := conn.DeleteAddr(a); err != nil {
				t.Fatal(err)
			}
			if model := deleted(now, a); !sameOrder(model, list()) {
				t.Fatalf("seed %d: without %v the kernel has %v, want %v", seed, prefixOf(a), prefixesOf(list()), prefixesOf(model))
			}
		}
		now := list()
		steps, placed := plan(now, back, order)
		for _, s := range steps {
			var err error
			if s.remove {
				err = conn.DeleteAddr(s.addr)
			} else {
				err = conn.AddAddr(s.addr)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if after := list(); !placed || !sameOrder(after, before) || !slices.EqualFunc(after, before, func(a, b rtnl.Addr) bool { return a == b }) {
			t.Errorf("seed %d: placed %v, the kernel has %v, want %v", seed, placed, prefixesOf(after), prefixesOf(before))
		}
		for _, a := range list() {
			if err := conn.DeleteAddr(a); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestPlanLeavesOthersAlone does not move what is not isat's to move, nor too many.
func TestPlanLeavesOthersAlone(t *testing.T) {
	a, b, c := addrOf(7, "192.0.2.1/24"), addrOf(7, "192.0.2.2/24"), addrOf(7, "10.0.0.1/8")
	foreign, mortal := b, b
	foreign.Protocol = 99
	mortal.Flags = 0
	var many []rtnl.Addr
	var unknown []netip.Prefix
	for n := range maxMoved + 1 {
		many = append(many, addrOf(7, fmt.Sprintf("10.1.%d.%d/8", n/256, n%256)))
	}
	tests := []struct {
		name   string
		now    []rtnl.Addr
		order  []netip.Prefix
		placed bool
		steps  int
	}{
		{"it was alone", nil, prefixesOf([]rtnl.Addr{a}), true, 1},
		{"it was the last", []rtnl.Addr{c}, prefixesOf([]rtnl.Addr{c, a}), true, 1},
		{"it was the first of its network", []rtnl.Addr{b}, prefixesOf([]rtnl.Addr{a, b}), true, 3},
		{"it was before another network", []rtnl.Addr{c}, prefixesOf([]rtnl.Addr{a, c}), true, 3},
		{"another program's is after it", []rtnl.Addr{foreign}, prefixesOf([]rtnl.Addr{a, b}), false, 1},
		{"one with a lifetime is after it", []rtnl.Addr{mortal}, prefixesOf([]rtnl.Addr{a, b}), false, 1},
		{"nobody knows where it was", []rtnl.Addr{b}, unknown, false, 1},
		{"too many are after it", many, prefixesOf(append([]rtnl.Addr{a}, many...)), false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			steps, placed := plan(tt.now, []rtnl.Addr{a}, [][]netip.Prefix{tt.order})
			if placed != tt.placed || len(steps) != tt.steps || steps[0].remove || !sameAddr(steps[0].addr, a) {
				t.Errorf("placed %v, steps %v; want %v, %d", placed, steps, tt.placed, tt.steps)
			}
		})
	}
}
