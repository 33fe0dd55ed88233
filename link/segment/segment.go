// Package segment is an Ethernet network in memory: ports on one segment, with
// the loss, delay and disorder of a real one on demand. It exists for tests of
// hosts in virtual time, and for programs that want a network of their own.
//
//	host ── Port ──┬── Port ── host
//	               │
//	            Segment ── Tap, Record
//
// All that is random comes from one seeded source: the same frames written in the
// same order meet the same fate. There are no goroutines; frames in flight wait
// on one timer. A segment used inside a testing/synctest bubble is made inside
// that bubble.
package segment

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// DefaultQueue is how many frames the receive queue of a port holds if
// [Options] does not say: about as many small frames as a Linux packet socket
// with the default net.core.rmem_default of 212,992 bytes.
const DefaultQueue = 256

// Options are the parameters of a segment. The zero Options is a perfect
// segment.
type Options struct {
	Seed       uint64     // of the random source
	Conditions Conditions // at the beginning
	Queue      int        // frames a port holds until they are read; 0 means [DefaultQueue]
}

// Segment is an Ethernet segment. Its methods are safe for concurrent use.
type Segment struct {
	queue int // frames a port's receive queue holds, immutable

	// mu guards everything below and the state of all ports: delivery is a walk
	// over the ports, and one lock makes its order the same for all of them.
	mu         sync.Mutex
	random     *rand.Rand
	conditions Conditions
	ports      []*Port // in the order they were made, so that random draws are repeatable
	taps       []func(time.Time, []byte)
	recording  error // the first error of a recorder
	closed     bool
	air        air
}

// New makes a segment without ports. It panics if the options are out of range.
func New(o Options) *Segment {
	o.Conditions.check()
	if o.Queue < 0 {
		panic(fmt.Sprintf("segment: queue of %d frames", o.Queue))
	}
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	return &Segment{
		queue:      o.Queue,
		random:     rand.New(rand.NewPCG(o.Seed, 0)),
		conditions: o.Conditions,
	}
}

// Port attaches a port with the link-layer address mac: it receives the frames
// to that address, to broadcast and to all multicast addresses. Several ports may
// have the same address; each then receives. The port is up. It panics if mac is
// no six-byte address. A port of a closed segment is closed.
func (s *Segment) Port(mac lladdr.Addr) *Port {
	p := &Port{segment: s, ready: sync.NewCond(&s.mu), up: true}
	p.mac = mac6(mac)
	s.mu.Lock()
	defer s.mu.Unlock()
	p.closed = s.closed
	if !s.closed {
		s.ports = append(s.ports, p)
	}
	return p
}

// SetConditions changes what happens to frames sent from now on. Those in flight
// keep their fate. It panics if c is out of range.
func (s *Segment) SetConditions(c Conditions) {
	c.check()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conditions = c
}

// Tap has f called with every frame that a port sends, at the moment it is sent,
// before it is lost, delayed or duplicated. Calls are in order and never
// concurrent. f must not block, keep the frame, change it, nor call the segment
// or its ports.
func (s *Segment) Tap(f func(now time.Time, frame []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taps = append(s.taps, f)
}

// Recorder is where [Segment.Record] writes: a pcap.Writer.
type Recorder interface {
	WriteFrame(now time.Time, frame []byte) error
}

// Record writes every frame that a port sends to r, as [Segment.Tap] does. The
// first error ends the recording and is returned by [Segment.Close].
func (s *Segment) Record(r Recorder) {
	failed := false
	s.Tap(func(now time.Time, frame []byte) {
		if failed {
			return
		}
		if err := r.WriteFrame(now, frame); err != nil {
			failed = true
			s.recording = errors.Join(s.recording, fmt.Errorf("recording a frame: %w", err))
		}
	})
}

// Close closes all ports. Frames in flight are lost. It returns the errors of
// recorders.
func (s *Segment) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		p.closeLocked()
	}
	s.ports = nil
	s.closed = true
	s.air.clear()
	return s.recording
}

// sendLocked puts one frame of from on the segment.
func (s *Segment) sendLocked(from *Port, now time.Time, frame []byte) {
	for _, tap := range s.taps {
		tap(now, frame)
	}
	destination := [6]byte(frame[:6])
	for _, to := range s.ports {
		if to == from || !to.acceptsLocked(destination) {
			continue
		}
		// Every receiver has luck of its own: a broadcast may reach some.
		for range s.conditions.copies(s.random) {
			f := flight{to: to, frame: frame}
			var delay time.Duration
			delay, f.overtaken = s.conditions.draw(s.random)
			if delay == 0 {
				s.arriveLocked(&f, now)
				continue
			}
			s.launchLocked(f, now.Add(delay))
		}
	}
}

// launchLocked puts a copy of f and its frame in flight, to arrive at the given
// time, and returns it.
func (s *Segment) launchLocked(f flight, at time.Time) *flight {
	f.at = at
	f.frame = slices.Clone(f.frame)
	s.air.launch(&f)
	s.air.schedule(s.land)
	return &f
}

// land delivers the frames that are due. It is called by the timer.
func (s *Segment) land() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for f := s.air.due(now); f != nil; f = s.air.due(now) {
		s.arriveLocked(f, now)
	}
	s.air.schedule(s.land)
}

// arriveLocked delivers f, or has it wait at its receiver to be overtaken.
func (s *Segment) arriveLocked(f *flight, now time.Time) {
	switch {
	case f.waiting:
		if f.to.held == f { // else it was overtaken and delivered
			f.to.releaseLocked()
		}
	case f.overtaken && f.to.held == nil:
		waiting := *f
		waiting.waiting = true
		f.to.held = s.launchLocked(waiting, now.Add(overtakeLimit))
	default:
		// A frame that had to be overtaken may itself overtake one that waits.
		f.to.receiveLocked(f.frame)
	}
}
