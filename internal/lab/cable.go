package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/arcnet"
	"github.com/isat-project/isat/link/cable"
	"github.com/isat-project/isat/link/pcap"
	"github.com/isat-project/isat/lladdr"
)

// cableStage is a cable, as `isat cable` makes one, with hosts of the engine.
type cableStage struct {
	*Story
	medium medium
	dir    string // of the hub's socket
	hub    *cable.Hub
	ports  int

	ctx  context.Context // of the hosts
	stop context.CancelFunc
	runs sync.WaitGroup

	mu     sync.Mutex
	frames []cableFrame // that passed
	told   int          // of them
	failed []error
}

// cableFrame is a frame as it was on the cable.
type cableFrame struct {
	at      time.Time
	bytes   []byte
	header  link.Header
	payload []byte
	packet  arp.Packet // the zero Packet if it is none
	err     error      // of the header: ARCnet's fragments have none that a host knows
}

// newCableStage makes a cable; frames are recorded to out unless it is nil.
func newCableStage(ctx context.Context, story *Story, m medium, out io.Writer) (s *cableStage, err error) {
	s = &cableStage{Story: story, medium: m}
	s.ctx, s.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "isat-lab-"); err != nil {
		return s, fmt.Errorf("making a directory for a cable: %w", err)
	}
	if s.hub, err = cable.Listen(s.path()); err != nil {
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPROTONOSUPPORT) {
			err = &refusal{"this system has no Unix sockets that keep packets apart", "run it on Linux; a virtual machine will do"}
		}
		return s, err
	}
	s.hub.Tap(s.tap)
	if out != nil {
		record, err := s.recorder(out)
		if err != nil {
			return s, err
		}
		s.hub.Tap(record)
	}
	s.run("the hub", s.hub.Run)
	story.watch = s
	return s, nil
}

func (s *cableStage) path() string { return filepath.Join(s.dir, "hub") }

// run runs something until the stage is closed.
func (s *cableStage) run(what string, f func(context.Context) error) {
	s.runs.Go(func() {
		if err := f(s.ctx); err != nil {
			s.fail(fmt.Errorf("running %s: %w", what, err))
		}
	})
}

func (s *cableStage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, err)
}

// close ends the hosts and the hub.
func (s *cableStage) close() error {
	s.stop()
	s.runs.Wait()
	s.Story.catchUp()
	s.Story.watch = nil
	return errors.Join(append(s.failed, os.RemoveAll(s.dir))...)
}

// plug joins the cable. The hub has taken the port when it returns.
func (s *cableStage) plug(ctx context.Context) (*cable.Port, error) {
	p, err := cable.Dial(s.path())
	if err != nil {
		return nil, err
	}
	s.ports++
	if !s.until(ctx, segmentPatience, func() bool { return s.hub.Stats().Ports == s.ports }) {
		return nil, errors.Join(fmt.Errorf("the hub does not take port %d", s.ports), p.Close())
	}
	return p, nil
}

// join adds a host and runs it until the stage is closed.
func (s *cableStage) join(ctx context.Context, name string, mac lladdr.Addr, prefix netip.Prefix) (*node, error) {
	p, err := s.plug(ctx)
	if err != nil {
		return nil, err
	}
	var port host.Port = p
	if s.medium.framing == (link.ARCnet{}) {
		port = arcnet.NewPort(p, s.medium.framing.MTU())
	}
	n, err := newNode(name, mac, prefix, port, s.medium.framing)
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	s.run(name, n.host.Run)
	s.runs.Go(func() { n.answer(s.ctx) })
	return n, nil
}

// listen reads a port that nobody else reads, so that it is never full.
func (s *cableStage) listen(p *cable.Port) {
	s.runs.Go(func() {
		for frames := make([][]byte, 16); ; {
			if _, err := p.ReadFrames(frames); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	})
}

// tap notes a frame.
func (s *cableStage) tap(at time.Time, b []byte) {
	f := cableFrame{at: at, bytes: append([]byte(nil), b...)}
	f.header, f.payload, f.err = s.medium.framing.Parse(f.bytes)
	if f.header.Type == link.TypeARP {
		f.packet, f.err = arp.Parse(f.payload)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames = append(s.frames, f)
}

// recorder returns what records frames. A recording of ARCnet has whole packets.
func (s *cableStage) recorder(out io.Writer) (func(time.Time, []byte), error) {
	w, err := pcap.NewWriter(out, s.medium.linkType)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	packets := arcnet.NewReassembler(link.ARCnet{}.MaxMTU())
	failed := false
	return func(at time.Time, frame []byte) {
		if s.medium.framing == (link.ARCnet{}) {
			frame = packets.Add(at, frame)
		}
		if frame == nil || failed {
			return
		}
		if err := w.WriteFrame(at, frame); err != nil {
			failed = true
			s.fail(fmt.Errorf("recording: %w", err))
		}
	}, nil
}

// catchUp implements [watcher].
func (s *cableStage) catchUp() {
	for _, f := range s.seen(s.told) {
		if s.told++; f.packet.SenderHW.IsValid() {
			s.add(f.at, Wire, s.text(f))
		} else {
			s.add(f.at, Other, s.text(f))
		}
	}
}

// mark is a place in what has passed: after all of it up to now.
func (s *cableStage) mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.frames)
}

// seen returns the frames since a mark.
func (s *cableStage) seen(mark int) []cableFrame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames[mark:]
}

// count returns how many frames since a mark match.
func (s *cableStage) count(mark int, match func(cableFrame) bool) (n int) {
	for _, f := range s.seen(mark) {
		if match(f) {
			n++
		}
	}
	return n
}

// text renders a frame: what is in it, and how it went.
func (s *cableStage) text(f cableFrame) string {
	what := fmt.Sprintf("frame of %d bytes", len(f.bytes))
	p, isPing := parsePing(f.payload)
	switch {
	case f.header.Type == link.TypeIPv4 && isPing && p.reply:
		what = fmt.Sprintf("echo reply %v to %v", p.from, p.to)
	case f.header.Type == link.TypeIPv4 && isPing:
		what = fmt.Sprintf("echo request %v to %v", p.from, p.to)
	case f.packet.SenderHW.IsValid():
		what = f.packet.String()
	case errors.Is(f.err, link.ErrFrame) && s.medium.framing == (link.ARCnet{}) && len(f.bytes) > 3:
		return fmt.Sprintf("fragment of %d bytes, split flag %d (from %02x to %02x)", len(f.bytes), f.bytes[3], f.bytes[0], f.bytes[1])
	case f.err != nil:
		return fmt.Sprintf("malformed: %v", f.err)
	}
	way := fmt.Sprintf("from %v", f.header.Source)
	if f.header.Destination != s.medium.framing.Broadcast() {
		way += fmt.Sprintf(" to %v", f.header.Destination)
	}
	if !f.header.Route.IsZero() {
		way += " " + f.header.Route.String()
	}
	return fmt.Sprintf("%s (%s)", what, way)
}
