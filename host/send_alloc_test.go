package host

import (
	"net/netip"
	"testing"
)

// TestSendAllocations: packets to known neighbours cost no memory and wait for no
// lock, many at a time neither.
func TestSendAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	h, ifc := newTestHost(t)
	var batch [][]byte
	for i := range byte(50) {
		to := netip.AddrFrom4([4]byte{10, 0, 1, 2 + i%3})
		if i < 3 {
			learnEntry(t, h, to)
		}
		p := make([]byte, 1500)
		p[0] = 0x45
		copy(p[16:], to.AsSlice())
		batch = append(batch, p)
	}
	failed := func(_ []byte, err error) { t.Error(err) }
	ifc.Output(batch, failed) // buffers grow
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := testing.AllocsPerRun(100, func() { ifc.Output(batch, failed) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkInterfaceOutput(b *testing.B) {
	h, ifc := newTestHost(b)
	to := netip.MustParseAddr("10.0.1.2")
	learnEntry(b, h, to)
	p := make([]byte, 1500)
	p[0] = 0x45
	copy(p[16:], to.AsSlice())
	batch := make([][]byte, 45)
	for i := range batch {
		batch[i] = p
	}
	failed := func(_ []byte, err error) { b.Error(err) }
	b.SetBytes(int64(len(batch) * len(p)))
	for b.Loop() {
		ifc.Output(batch, failed)
	}
}
