package lladdr

import "testing"

// Results go here, so that the compiler cannot leave the work out.
var (
	sinkAddr  Addr
	sinkText  string
	sinkBool  bool
	sinkInt   int
	sinkBytes [6]byte
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	buf := make([]byte, 0, 64)
	raw := []byte{2, 0, 0, 0, 0, 1}
	table := map[Addr]int{ethernet: 1}
	for _, tt := range []struct {
		name string
		want float64
		f    func()
	}{
		{"Parse", 0, func() { sinkAddr, _ = Parse("02:00:00:00:00:01") }},
		{"FromSlice", 0, func() { sinkAddr, sinkBool = FromSlice(raw) }},
		{"As6", 0, func() { sinkBytes, sinkBool = ethernet.As6() }},
		{"AppendTo", 0, func() { buf = infiniband.AppendTo(buf[:0]) }},
		{"AppendBytes", 0, func() { buf = infiniband.AppendBytes(buf[:0]) }},
		{"IsBroadcast", 0, func() { sinkBool = Broadcast().IsBroadcast() }},
		{"Compare", 0, func() { sinkInt = ethernet.Compare(eui64) }},
		{"map key", 0, func() { sinkInt = table[ethernet] }},
		{"String", 1, func() { sinkText = infiniband.String() }},
	} {
		if got := testing.AllocsPerRun(100, tt.f); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sinkAddr, _ = Parse("02:00:00:00:00:01")
	}
}

func BenchmarkAppendTo(b *testing.B) {
	buf := make([]byte, 0, maxTextLen)
	b.ReportAllocs()
	for b.Loop() {
		buf = ethernet.AppendTo(buf[:0])
	}
}

func BenchmarkEqual(b *testing.B) {
	x, y := ethernet, MustParse("02:00:00:00:00:02")
	b.ReportAllocs()
	for b.Loop() {
		sinkBool = x == y
	}
}
