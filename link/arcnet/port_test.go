package arcnet_test

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/arcnet"
	"github.com/isat-project/isat/lladdr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is a port whose frames come back, with room for some.
type wire struct {
	mu     sync.Mutex
	room   int
	frames [][]byte
	err    error
	closed bool
}

func (w *wire) WriteFrames(frames [][]byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, frame := range frames {
		if len(w.frames) == w.room {
			return i, w.err
		}
		w.frames = append(w.frames, bytes.Clone(frame))
	}
	return len(frames), nil
}

func (w *wire) ReadFrames(frames [][]byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.frames) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(frames, w.frames)
	w.frames = w.frames[n:]
	return n, nil
}

func (w *wire) Close() error { w.closed = true; return nil }

// packet is a frame with a whole packet of the length.
func packet(length int) []byte {
	h := link.Header{Destination: lladdr.MustParse("09"), Source: lladdr.MustParse("01"), Type: link.TypeIPv4}
	return link.ARCnet{}.Append(nil, h, bytes.Repeat([]byte{byte(length)}, length))
}

func TestPort(t *testing.T) {
	w := &wire{room: 1000}
	p := arcnet.NewPort(w, 60480)
	lengths := []int{20, 250, 251, 252, 504, 505, 1500, 60480, 576}
	var packets [][]byte
	for _, n := range lengths {
		packets = append(packets, packet(n))
	}
	if n, err := p.WriteFrames(packets); n != len(packets) || err != nil {
		t.Fatalf("%d packets written, error %v", n, err)
	}
	if got, want := len(w.frames), 5+2+3+120+2; got != want {
		t.Errorf("%d frames on the wire, want %d", got, want)
	}
	// RFC 1201 section 2: the sequence number tells packets apart.
	sequences := make(map[string]bool)
	for _, frame := range w.frames {
		number := frame[4:6]
		if frame[3] == 0xff { // an exception frame
			number = frame[8:10]
		}
		sequences[string(number)] = true
	}
	if len(sequences) != len(packets) {
		t.Errorf("%d sequence numbers for %d packets", len(sequences), len(packets))
	}
	// A batch that is smaller than some packets have fragments.
	frames := make([][]byte, 7)
	var got [][]byte
	for len(got) < len(packets) {
		n, err := p.ReadFrames(frames)
		if err != nil || n == 0 {
			t.Fatalf("%d packets, then %d and error %v", len(got), n, err)
		}
		for _, frame := range frames[:n] {
			got = append(got, bytes.Clone(frame))
		}
	}
	for i, frame := range got {
		h, payload, err := link.ARCnet{}.Parse(frame)
		_, want, _ := link.ARCnet{}.Parse(packets[i])
		if err != nil || h.Type != link.TypeIPv4 || !bytes.Equal(payload, want) {
			t.Errorf("packet of %d bytes came as %+v with %d bytes, error %v", lengths[i], h, len(payload), err)
		}
	}
	if s := p.Stats(); s != (arcnet.Stats{Packets: 4}) {
		t.Errorf("counters %+v", s)
	}
	if n, err := p.ReadFrames(frames); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d packets, error %v; want that of the wire", n, err)
	}
	if n, err := p.ReadFrames(nil); n != 0 || errors.Is(err, io.EOF) {
		t.Errorf("no room: %d packets, error %v", n, err)
	}
	if err := p.Close(); err != nil || !w.closed {
		t.Errorf("Close: %v, the wire is closed: %v", err, w.closed)
	}
}

// A packet counts as sent when its last fragment is.
func TestPortWithoutRoom(t *testing.T) {
	for _, test := range []struct{ room, want int }{{0, 0}, {1, 1}, {2, 1}, {3, 1}, {4, 2}, {5, 3}} {
		for _, err := range []error{nil, syscall.ENETDOWN} {
			w := &wire{room: test.room, err: err}
			n, got := arcnet.NewPort(w, 1500).WriteFrames([][]byte{packet(20), packet(1500), packet(20)})
			if test.room == 5 {
				err = nil
			}
			if n != test.want || !errors.Is(got, err) {
				t.Errorf("room for %d frames: %d packets, error %v; want %d, %v", test.room, n, got, test.want, err)
			}
		}
	}
}

func TestPortRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"empty", nil, syscall.EINVAL},
		{"short", packet(20)[:5], syscall.EINVAL},
		{"RFC 1051", []byte("\x01\x09\xf0packet"), syscall.EINVAL},
		{"fragment", []byte("\x01\x09\xd4\x02\x00\x00fragment"), syscall.EINVAL},
		{"too long", packet(60481), syscall.EMSGSIZE},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &wire{room: 1000}
			p := arcnet.NewPort(w, 1500)
			if n, err := p.WriteFrames([][]byte{packet(20), test.frame, packet(20)}); n != 1 || !errors.Is(err, test.want) {
				t.Errorf("%d packets, error %v; want 1, %v", n, err, test.want)
			}
			if n, err := p.WriteFrames([][]byte{test.frame}); n != 0 || !errors.Is(err, test.want) {
				t.Errorf("%d packets, error %v; want 0, %v", n, err, test.want)
			}
			if len(w.frames) != 1 {
				t.Errorf("%d frames on the wire, want the one before it", len(w.frames))
			}
		})
	}
}

// The fragments of packets that are written at once do not mix.
func TestPortConcurrentWriters(t *testing.T) {
	const writers, each = 4, 50
	w := &wire{room: 3 * writers * each}
	p := arcnet.NewPort(w, 1500)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if n, err := p.WriteFrames([][]byte{packet(1500)}); n != 1 || err != nil {
					t.Errorf("%d packets, error %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	frames, got := make([][]byte, 64), 0
	for got < writers*each {
		n, err := p.ReadFrames(frames)
		if err != nil {
			t.Fatalf("%d packets, then %v", got, err)
		}
		got += n
	}
	if s := p.Stats(); s != (arcnet.Stats{Packets: writers * each}) {
		t.Errorf("counters %+v", s)
	}
}
