package segment_test

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// Hosts that all send and read at once, on the real clock, while conditions and
// links change: the race detector watches. What they send is all accounted for.
func TestConcurrentUse(t *testing.T) {
	const hosts, each = 8, 200
	s := segment.New(segment.Options{Queue: hosts * each, Conditions: segment.Conditions{Duplicate: 0.5, Reorder: 0.1, Jitter: time.Millisecond}})
	var ports []*segment.Port
	for i := range hosts {
		ports = append(ports, s.Port(lladdr.From6([6]byte{2, 0, 0, 0, 1, byte(i)})))
	}
	var senders, readers sync.WaitGroup
	var read atomic.Uint64
	for _, p := range ports {
		readers.Go(func() {
			frames := make([][]byte, 16)
			for {
				n, err := p.ReadFrames(frames)
				if err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Error(err)
					}
					return
				}
				read.Add(uint64(n))
			}
		})
		senders.Go(func() {
			for i := range each {
				if _, err := p.WriteFrames([][]byte{frame(broadcast, p.MAC(), i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Go(func() {
		for i := range 100 {
			s.SetConditions(segment.Conditions{Duplicate: 0.5, Delay: time.Duration(i) * time.Microsecond})
			ports[0].SetPromiscuous(i%2 == 0)
		}
	})
	senders.Wait()

	// Every port hears every other at least once a frame, in its own time.
	const least = hosts * (hosts - 1) * each
	for deadline := time.Now().Add(30 * time.Second); read.Load() < least; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d frames read, want %d at least", read.Load(), least)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	readers.Wait()
	var sent, received uint64
	for _, p := range ports {
		sent += p.Stats().Sent
		received += p.Stats().Received
	}
	if sent != hosts*each || received < read.Load() {
		t.Errorf("%d sent, %d received, %d read", sent, received, read.Load())
	}
}
