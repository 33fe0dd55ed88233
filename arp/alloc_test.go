package arp

import "testing"

// Results go here, so that the compiler cannot leave the work out.
var (
	sinkPacket Packet
	sinkErr    error
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	buf := make([]byte, 0, 256)
	for _, tt := range packets {
		if got := testing.AllocsPerRun(100, func() { sinkPacket, sinkErr = Parse(tt.wire) }); got != 0 {
			t.Errorf("Parse of %s: %v allocations", tt.name, got)
		}
		if got := testing.AllocsPerRun(100, func() { buf = tt.packet.AppendTo(buf[:0]) }); got != 0 {
			t.Errorf("AppendTo of %s: %v allocations", tt.name, got)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	wire := reply.AppendTo(nil)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		sinkPacket, sinkErr = Parse(wire)
	}
}

func BenchmarkAppendTo(b *testing.B) {
	buf := make([]byte, 0, 64)
	b.SetBytes(int64(reply.Len()))
	b.ReportAllocs()
	for b.Loop() {
		buf = reply.AppendTo(buf[:0])
	}
}
