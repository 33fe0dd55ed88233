package event

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/lladdr"
)

// at returns an event that can be told from others: its Count is n.
func at(n uint64) Event {
	return Event{Type: Added, Time: time.Unix(int64(n), 0), Interface: "eth0", Count: n}
}

// drain returns all that a reader can read without waiting.
func drain(r *Reader) (events []Event) {
	for e, ok := r.TryNext(); ok; e, ok = r.TryNext() {
		events = append(events, e)
	}
	return events
}

func TestNewRing(t *testing.T) {
	for size, want := range map[int]uint64{-1: DefaultSize, 0: DefaultSize, 1: 1, 300: 300} {
		r := NewRing("a", size)
		if r.size != want || r.Instance() != "a" || r.Last() != 0 {
			t.Errorf("NewRing(%d): size %d, instance %q, last %d", size, r.size, r.Instance(), r.Last())
		}
		if e, ok := r.Reader(0).TryNext(); ok {
			t.Errorf("empty ring gives %+v", e)
		}
	}
}

// TestAppend fills rings of sizes around that of a chunk several times over and
// compares what a new reader gets with the plain list of all events.
func TestAppend(t *testing.T) {
	for _, size := range []int{1, 2, 3, chunkLen - 1, chunkLen, chunkLen + 1, 3*chunkLen + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			ring := NewRing("a", size)
			var all []Event
			for n := range uint64(3*size + 2) {
				e := at(n + 1)
				e.Seq = 999 // set by the ring
				seq := ring.Append(e)
				if seq != n+1 || ring.Last() != seq {
					t.Fatalf("event %d has number %d, last is %d", n+1, seq, ring.Last())
				}
				e.Seq = seq
				all = append(all, e)

				if len(all)%(size/4+1) != 0 {
					continue // a look now and then will do
				}
				kept := all[max(0, len(all)-size):]
				want := kept
				if lost := len(all) - len(kept); lost > 0 {
					want = append([]Event{{
						Seq: uint64(lost), Time: kept[0].Time, Type: Lost, Count: uint64(lost), Severity: Warning,
						Message: fmt.Sprintf("arp: %d events are no longer kept", lost),
					}}, kept...)
				}
				if diff := cmp.Diff(want, drain(ring.Reader(0)), cmpopts.EquateComparable(netip.Addr{}, lladdr.Addr{})); diff != "" {
					t.Fatalf("after %d events (-want +got):\n%s", len(all), diff)
				}
			}
		})
	}
}

// TestGrowth checks that memory comes with the events, chunk by chunk, and that
// the last chunk does not go beyond the size.
func TestGrowth(t *testing.T) {
	ring := NewRing("a", 2*chunkLen+10)
	capacity := func() (n int) {
		for _, c := range ring.chunks {
			n += cap(c)
		}
		return n
	}
	for _, step := range []struct{ events, want int }{
		{0, 0}, {1, chunkLen}, {chunkLen - 1, chunkLen}, {1, 2 * chunkLen}, {chunkLen, 2*chunkLen + 10}, {5 * chunkLen, 2*chunkLen + 10},
	} {
		for range step.events {
			ring.Append(at(1))
		}
		if got := capacity(); got != step.want {
			t.Errorf("room for %d events after %d, want %d", got, ring.Last(), step.want)
		}
	}
}

// TestEventSize pins what the comment at chunkLen says.
func TestEventSize(t *testing.T) {
	if got := unsafe.Sizeof(Event{}); unsafe.Sizeof(uintptr(0)) == 8 && got != 160 {
		t.Errorf("an event has %d bytes", got)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	ring := NewRing("a", 10)
	reader := ring.Reader(0)
	e := at(1)
	if n := testing.AllocsPerRun(100, func() {
		ring.Append(e)
		if _, ok := reader.TryNext(); !ok {
			t.Error("no event")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestConcurrency is for the race detector, with readers that are overtaken: each
// accounts for every event, read or lost, in order.
func TestConcurrency(t *testing.T) {
	const writers, each = 4, 2000
	ring := NewRing("a", 64)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := range uint64(each) {
				ring.Append(at(n))
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			reader := ring.Reader(0)
			for last := uint64(0); last < writers*each; {
				e, err := reader.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				step := uint64(1)
				if e.Type == Lost {
					step = e.Count
				}
				if e.Seq != last+step {
					t.Errorf("%v %d (count %d) after %d", e.Type, e.Seq, e.Count, last)
					return
				}
				last = e.Seq
			}
		})
	}
	wg.Wait()
}

// TestAgainstList plays random appends and reads against the plainest possible
// implementation: the list of all events ever.
func TestAgainstList(t *testing.T) {
	const size = 5
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		ring := NewRing("a", size)
		var all []uint64 // Count of each event
		after := [3]uint64{}
		readers := [3]*Reader{}
		for i := range readers {
			readers[i] = ring.Reader(0)
		}
		for range 300 {
			if random.IntN(2) == 0 {
				all = append(all, random.Uint64())
				ring.Append(at(all[len(all)-1]))
				continue
			}
			i := random.IntN(len(readers))
			last := uint64(len(all))
			oldest := uint64(max(0, len(all)-size)) + 1
			e, ok := readers[i].TryNext()
			switch {
			case after[i] == last:
				if ok {
					t.Fatalf("seed %d: read %+v at the end", seed, e)
				}
				continue
			case after[i]+1 < oldest:
				if !ok || e.Type != Lost || e.Count != oldest-1-after[i] {
					t.Fatalf("seed %d: read %+v, want the loss of %d", seed, e, oldest-1-after[i])
				}
				after[i] = oldest - 1
			default:
				if !ok || e.Type != Added || e.Count != all[after[i]] {
					t.Fatalf("seed %d: read %+v, want event %d", seed, e, after[i]+1)
				}
				after[i]++
			}
			if p := readers[i].Position(); p != (Position{"a", after[i]}) || e.Seq != after[i] {
				t.Fatalf("seed %d: position %v after event %d, want %d", seed, p, e.Seq, after[i])
			}
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	ring := NewRing("a", 0)
	e := at(1)
	b.ReportAllocs()
	for b.Loop() {
		ring.Append(e)
	}
}

func BenchmarkTryNext(b *testing.B) {
	ring := NewRing("a", 0)
	for range DefaultSize {
		ring.Append(at(1))
	}
	reader := ring.Reader(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := reader.TryNext(); !ok {
			reader = ring.Reader(0)
		}
	}
}
