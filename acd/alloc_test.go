package acd

import (
	"net/netip"
	"testing"
	"time"
)

// TestAllocations: an address that exists costs no memory, whatever happens to
// it.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	b := in(t, Verified)
	out := make([]Effect, 0, 8)
	for _, tt := range []struct {
		name string
		in   Input
		step time.Duration
	}{
		{"periodic announcements", Input{Kind: Tick}, 300 * time.Second},
		{"replies", Input{Kind: Ask}, time.Second},
		{"a question of others", Input{Kind: Hear, Packet: question}, time.Second},
		{"claims and defence", Input{Kind: Hear, Packet: claim}, time.Minute},
		{"probing anew", Input{Kind: LinkUp}, time.Second},
	} {
		if got := testing.AllocsPerRun(100, func() {
			b.after(tt.step)
			out = b.Handle(b.now, tt.in, out[:0])
			_ = b.Deadline()
		}); got != 0 {
			t.Errorf("%s: %v allocations", tt.name, got)
		}
	}
	if got := testing.AllocsPerRun(100, func() {
		_ = Judge(&claim, address, false, b.ifc.Self)
		a := New(b.ifc, netip.AddrFrom4([4]byte{192, 0, 2, 7}), Policy{})
		_ = a.State()
	}); got != 0 {
		t.Errorf("a verdict and an address: %v allocations", got)
	}
}

func BenchmarkHear(b *testing.B) {
	e := in(b, Verified)
	var out []Effect
	b.ReportAllocs()
	for b.Loop() {
		e.now = e.now.Add(time.Millisecond)
		out = e.Handle(e.now, Input{Kind: Hear, Packet: question}, out[:0])
		_ = e.Deadline()
	}
}
