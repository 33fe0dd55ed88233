package segment_test

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// The method set that package host wants of a port.
var _ interface {
	ReadFrames([][]byte) (int, error)
	WriteFrames([][]byte) (int, error)
	Close() error
} = (*segment.Port)(nil)

var (
	macA = lladdr.MustParse("02:00:00:00:00:0a")
	macB = lladdr.MustParse("02:00:00:00:00:0b")
	macC = lladdr.MustParse("02:00:00:00:00:0c")

	broadcast = lladdr.Broadcast()
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame makes a numbered frame of 60 bytes.
func frame(to, from lladdr.Addr, number int) []byte {
	f := from.AppendBytes(to.AppendBytes(nil))
	f = binary.BigEndian.AppendUint16(f, 0x0806)
	f = binary.BigEndian.AppendUint32(f, uint32(number))
	return append(f, make([]byte, 60-len(f))...)
}

func numberOf(f []byte) int { return int(binary.BigEndian.Uint32(f[14:])) }

// send sends numbered frames, one call each.
func send(t *testing.T, p *segment.Port, to lladdr.Addr, numbers ...int) {
	t.Helper()
	for _, number := range numbers {
		if n, err := p.WriteFrames([][]byte{frame(to, p.MAC(), number)}); n != 1 || err != nil {
			t.Fatalf("WriteFrames: %d, %v", n, err)
		}
	}
}

// arrival is a frame that a listener read.
type arrival struct {
	Number int
	After  time.Duration // since the listener began
}

// listen reads p until it is closed. Only read the result after synctest.Wait.
func listen(p *segment.Port) *[]arrival {
	arrivals := new([]arrival)
	start := time.Now()
	go func() {
		frames := make([][]byte, 8)
		for {
			n, err := p.ReadFrames(frames)
			if err != nil {
				return
			}
			for _, f := range frames[:n] {
				*arrivals = append(*arrivals, arrival{numberOf(f), time.Since(start)})
			}
		}
	}()
	return arrivals
}

// queued reads what is in the queue of p without waiting for more: p gets one
// more frame, from a port made for it, that ends the list.
func queued(t *testing.T, s *segment.Segment, p *segment.Port) []int {
	t.Helper()
	const end = math.MaxUint32
	from := s.Port(lladdr.MustParse("02:00:00:00:00:ff"))
	defer from.Close()
	if _, err := from.WriteFrames([][]byte{frame(p.MAC(), from.MAC(), end)}); err != nil {
		t.Fatal(err)
	}
	var numbers []int
	frames := make([][]byte, 3)
	for {
		n, err := p.ReadFrames(frames)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames[:n] {
			if numberOf(f) == end {
				return numbers
			}
			numbers = append(numbers, numberOf(f))
		}
	}
}

func TestWhoReceives(t *testing.T) {
	for _, test := range []struct {
		name string
		to   lladdr.Addr
		want map[string]bool
	}{
		{"broadcast", lladdr.Broadcast(), map[string]bool{"b": true, "b2": true, "c": true, "promiscuous": true}},
		{"multicast", lladdr.MustParse("01:00:5e:00:00:01"), map[string]bool{"b": true, "b2": true, "c": true, "promiscuous": true}},
		{"two ports with one address", macB, map[string]bool{"b": true, "b2": true, "promiscuous": true}},
		{"one port", macC, map[string]bool{"c": true, "promiscuous": true}},
		{"nobody", lladdr.MustParse("02:00:00:00:00:99"), map[string]bool{"promiscuous": true}},
		{"the sender", macA, map[string]bool{"promiscuous": true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := segment.New(segment.Options{})
			defer s.Close()
			a := s.Port(macA)
			ports := map[string]*segment.Port{
				"a": a, "b": s.Port(macB), "b2": s.Port(macB), "c": s.Port(macC),
				"promiscuous": s.Port(lladdr.MustParse("02:00:00:00:00:0d")),
			}
			ports["promiscuous"].SetPromiscuous(true)
			send(t, a, test.to, 1)
			got := map[string]bool{}
			for name, p := range ports {
				if p.Stats().Received == 1 {
					got[name] = true
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("receivers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetMAC(t *testing.T) {
	s := segment.New(segment.Options{})
	defer s.Close()
	a, b := s.Port(macA), s.Port(macB)
	b.SetMAC(macC)
	send(t, a, macB, 1)
	send(t, a, macC, 2)
	if diff := cmp.Diff([]int{2}, queued(t, s, b)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

// Without conditions a frame is in the queue when WriteFrames returns, in order.
func TestDeliveryIsSynchronous(t *testing.T) {
	s := segment.New(segment.Options{})
	defer s.Close()
	a, b := s.Port(macA), s.Port(macB)
	frames := [][]byte{frame(macB, macA, 1), frame(macB, macA, 2)}
	if n, err := a.WriteFrames(frames); n != 2 || err != nil {
		t.Fatalf("WriteFrames: %d, %v", n, err)
	}
	clear(frames[0]) // the segment keeps nothing
	clear(frames[1])
	if got := b.Stats().Received; got != 2 {
		t.Fatalf("%d frames are there, want 2", got)
	}
	if diff := cmp.Diff([]int{1, 2}, queued(t, s, b)); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

// A frame that was read keeps its bytes until the next read, whatever arrives.
func TestFramesAreValidUntilTheNextRead(t *testing.T) {
	s := segment.New(segment.Options{})
	defer s.Close()
	a, b := s.Port(macA), s.Port(macB)
	frames := make([][]byte, 1)
	for i := range 10 {
		send(t, a, macB, i)
		if n, err := b.ReadFrames(frames); n != 1 || err != nil {
			t.Fatalf("ReadFrames: %d, %v", n, err)
		}
		send(t, a, macB, 100, 101) // would be in the same buffer if it were free
		if got := numberOf(frames[0]); got != i {
			t.Fatalf("frame %d has become %d", i, got)
		}
		queued(t, s, b)
	}
}

func TestQueueIsBounded(t *testing.T) {
	s := segment.New(segment.Options{Queue: 3})
	defer s.Close()
	a, b := s.Port(macA), s.Port(macB)
	send(t, a, macB, 1, 2, 3, 4, 5)
	want := segment.Stats{Received: 3, Dropped: 2}
	if got := b.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if got := a.Stats().Sent; got != 5 {
		t.Errorf("sent %d, want 5", got)
	}
	frames := make([][]byte, 8)
	if n, err := b.ReadFrames(frames); n != 3 || err != nil || numberOf(frames[0]) != 1 {
		t.Errorf("ReadFrames: %d, %v; want the first 3", n, err)
	}
	send(t, a, macB, 6)
	if n, err := b.ReadFrames(frames); n != 1 || err != nil || numberOf(frames[0]) != 6 {
		t.Errorf("ReadFrames: %d, %v; want room again", n, err)
	}
}

func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := segment.New(segment.Options{})
		defer s.Close()
		a, b := s.Port(macA), s.Port(macB)
		arrivals := listen(b)

		b.SetUp(false)
		send(t, a, macB, 1)
		if n, err := b.WriteFrames([][]byte{frame(macA, macB, 2)}); n != 0 || !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("WriteFrames while down: %d, %v; want ENETDOWN", n, err)
		}
		b.SetUp(true)
		send(t, a, macB, 3)

		// A frame that is in flight when the port goes down is lost.
		s.SetConditions(segment.Conditions{Delay: time.Second})
		send(t, a, macB, 4)
		b.SetUp(false)
		time.Sleep(2 * time.Second)
		b.SetUp(true)
		synctest.Wait()
		if diff := cmp.Diff([]arrival{{Number: 3}}, *arrivals); diff != "" {
			t.Errorf("arrivals (-want +got):\n%s", diff)
		}
	})
}

func TestClose(t *testing.T) {
	for _, test := range []struct {
		name  string
		close func(*segment.Segment, *segment.Port) error
	}{
		{"the port", func(_ *segment.Segment, p *segment.Port) error { return p.Close() }},
		{"the segment", func(s *segment.Segment, _ *segment.Port) error { return s.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := segment.New(segment.Options{Conditions: segment.Conditions{Delay: time.Hour}})
				a, b := s.Port(macA), s.Port(macB)
				send(t, a, macB, 1) // in flight for longer than the test
				woken := make(chan error, 1)
				go func() {
					_, err := b.ReadFrames(make([][]byte, 1))
					woken <- err
				}()
				synctest.Wait()
				if err := test.close(s, b); err != nil {
					t.Errorf("closing: %v", err)
				}
				if err := <-woken; !errors.Is(err, net.ErrClosed) {
					t.Errorf("a blocked ReadFrames returned %v, want net.ErrClosed", err)
				}
				if n, err := b.WriteFrames([][]byte{frame(macA, macB, 1)}); n != 0 || !errors.Is(err, net.ErrClosed) {
					t.Errorf("WriteFrames: %d, %v; want net.ErrClosed", n, err)
				}
				if err := b.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the second Close: %v, want net.ErrClosed", err)
				}
				s.Close()
				if _, err := s.Port(macC).ReadFrames(make([][]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("port of a closed segment: %v, want net.ErrClosed", err)
				}
			})
		})
	}
}

func TestWriteShortFrame(t *testing.T) {
	s := segment.New(segment.Options{})
	defer s.Close()
	a, b := s.Port(macA), s.Port(macB)
	good := frame(macB, macA, 1)
	n, err := a.WriteFrames([][]byte{good, good[:13], good})
	if n != 1 || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("WriteFrames: %d, %v; want 1 and EINVAL", n, err)
	}
	if got := b.Stats().Received; got != 1 {
		t.Errorf("received %d frames, want 1", got)
	}
}

// A pair of ports in steady state: a frame over the perfect segment costs no
// allocation.
func TestNoAllocations(t *testing.T) {
	s := segment.New(segment.Options{})
	defer s.Close()
	a, b := s.Port(macA), s.Port(macB)
	out := [][]byte{frame(macB, macA, 1), frame(lladdr.Broadcast(), macA, 2)}
	in := make([][]byte, 4)
	if got := testing.AllocsPerRun(1000, func() {
		a.WriteFrames(out)
		b.ReadFrames(in)
	}); got != 0 {
		t.Errorf("%v allocations a round, want 0", got)
	}
}
