//go:build linux

package rtnl_test

import (
	"fmt"
	"testing"

	"github.com/isat-project/isat/internal/rtnl"
)

// entries returns writes of n neighbours that isat owns.
func entries(index, n int) []rtnl.NeighbourOp {
	ops := make([]rtnl.NeighbourOp, n)
	for i := range ops {
		ops[i] = rtnl.NeighbourOp{Action: rtnl.Put, Index: index, IP: nth(i), MAC: mac(e1MAC),
			State: rtnl.StateStale, Flags: rtnl.FlagExtLearned, Protocol: rtnl.ProtocolISAT}
	}
	return ops
}

// BenchmarkWriteNeighbours changes entries that are there. One iteration is one
// entry.
func BenchmarkWriteNeighbours(b *testing.B) {
	for _, n := range []int{1, 16, 128, 20000} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			e0 := enter(b)
			c := dial(b)
			ops := entries(e0, n)
			if err := c.WriteNeighbours(ops); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				if err := c.WriteNeighbours(ops[:min(n, b.N-i)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDump reads 20,000 neighbours an iteration.
func BenchmarkDump(b *testing.B) {
	e0 := enter(b)
	c := dial(b)
	if err := c.WriteNeighbours(entries(e0, 20000)); err != nil {
		b.Fatal(err)
	}
	var all []rtnl.Neighbour
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if all, err = c.AppendNeighbours(all[:0], e0); err != nil || len(all) != 20000 {
			b.Fatal(len(all), err)
		}
	}
}

// BenchmarkMisses takes a miss for each iteration: the resolution is begun by
// NTF_USE, which costs more than the receiving.
func BenchmarkMisses(b *testing.B) {
	e0 := enter(b)
	setProc(b, "neigh/e0/app_solicit", "1")
	setProc(b, "neigh/e0/ucast_solicit", "0")
	c := dial(b)
	misses := dialMisses(b, rtnl.Config{})
	const n = 128
	fail, claim := entries(e0, n), entries(e0, n)
	for i := range n {
		fail[i].State = rtnl.StateFailed
		claim[i].Action = rtnl.Claim
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i += n {
		b.StopTimer()
		if err := c.WriteNeighbours(fail); err != nil {
			b.Fatal(err)
		}
		if err := c.WriteNeighbours(claim); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if batch, err := misses.Receive(); err != nil || len(batch) != n {
			b.Fatal(len(batch), err)
		}
	}
}
