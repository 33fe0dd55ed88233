package cache

import (
	"testing"
	"time"
)

// TestAllocations: an entry that exists costs no memory, whatever happens to it.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	b := in(Reachable)
	out := make([]Effect, 0, 4)
	for _, tt := range []struct {
		name string
		in   Input
		step time.Duration
	}{
		{"refresh", Input{Kind: Answer, Addr: addrA}, time.Second},
		{"demand", Input{Kind: Demand}, time.Second},
		{"tick", Input{Kind: Tick}, 0},
	} {
		if got := testing.AllocsPerRun(100, func() {
			b.after(tt.step)
			out = b.Handle(b.now, tt.in, out[:0])
			_ = b.Deadline()
		}); got != 0 {
			t.Errorf("%s: %v allocations", tt.name, got)
		}
	}
	moves := 0
	if got := testing.AllocsPerRun(100, func() {
		moves++
		addr := addrA
		if moves%2 == 0 {
			addr = addrB
		}
		out = b.Handle(b.now, Input{Kind: Answer, Addr: addr}, out[:0])
	}); got != 0 {
		t.Errorf("move: %v allocations", got)
	}
}

func BenchmarkRefresh(b *testing.B) {
	e := in(Reachable)
	var out []Effect
	b.ReportAllocs()
	for b.Loop() {
		e.now = e.now.Add(time.Millisecond)
		out = e.Handle(e.now, Input{Kind: Answer, Addr: addrA}, out[:0])
		_ = e.Deadline()
	}
}
