package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// segmentScript returns how a scenario is played on a segment in memory, nil for
// those that are about the kernel.
func segmentScript(name string) func(context.Context, *segmentStage) error {
	return map[string]func(context.Context, *segmentStage) error{
		"resolve":   segmentResolve,
		"age":       segmentAgeing,
		"down":      segmentDown,
		"move":      segmentMove,
		"impostor":  segmentImpostor,
		"permanent": segmentPermanent,
		"errors":    segmentErrors,
		"proxy":     segmentProxy,
		"proxyall":  segmentProxyAll,
		"duplicate": segmentDuplicate,
		"defend":    segmentDefend,
		"recover":   segmentRecover,
		"vip":       segmentVIP,
	}[name]
}

// playSegment plays the scenarios that need no kernel on a segment in memory, for
// a system that refuses the others.
func (o Options) playSegment(ctx context.Context, why *refusal) (ok bool, err error) {
	if !o.JSON {
		fmt.Fprintf(o.Stdout, "No network of real kernels here: %s.\nRemedy: %s.\n"+
			"What needs no kernel is played by hosts of isat's engine on a segment in memory.\n\n", why.reason, why.remedy)
	}
	// A lab that would stay up has nothing to show but this.
	o.Once = true
	return o.play(ctx, func(ctx context.Context, s outline, story *Story) Result {
		if s.name == mediaName {
			return o.playMedia(ctx, s, story)
		}
		r := Result{Scenario: s.name, About: s.about}
		script := segmentScript(s.name)
		if script == nil {
			r.failed(why)
			return r
		}
		r.On = Segment
		if err := playOnSegment(ctx, script, story); err != nil {
			r.failed(err)
		}
		return r
	})
}

// playOnSegment plays one scenario on a segment of its own.
func playOnSegment(ctx context.Context, script func(context.Context, *segmentStage) error, story *Story) (err error) {
	s := newSegmentStage(ctx, story)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		story.catchUp()
		story.watch = nil
		err = errors.Join(err, s.close())
	}()
	for _, n := range []struct {
		node   **node
		name   string
		mac    string
		prefix string
	}{
		{&s.isat, "isat", "02:00:00:00:00:01", "192.0.2.1/24"},
		{&s.alice, "alice", "02:00:00:00:00:09", "192.0.2.9/24"},
		{&s.bob, "bob", "02:00:00:00:00:10", "192.0.2.10/24"},
	} {
		if *n.node, err = s.join(n.name, lladdr.MustParse(n.mac), netip.MustParsePrefix(n.prefix)); err != nil {
			return err
		}
	}
	story.begin = time.Now()
	if err := script(ctx, s); err != nil {
		return err
	}
	return ctx.Err()
}

// segmentStage is a segment in memory with three hosts of the engine.
type segmentStage struct {
	*Story
	*watch
	segment          *segment.Segment
	others           []*segment.Segment // further ones
	isat, alice, bob *node

	ctx  context.Context // of the hosts
	stop context.CancelFunc
	runs sync.WaitGroup

	mu     sync.Mutex
	fresh  []probe.Frame // passed since the last look
	failed []error       // of hosts
}

func newSegmentStage(ctx context.Context, story *Story) *segmentStage {
	s := &segmentStage{Story: story, segment: segment.New(segment.Options{})}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.segment.Tap(s.tap)
	s.watch = &watch{story: story, look: s.look}
	story.watch = s.watch
	return s
}

// close ends the hosts and the segment.
func (s *segmentStage) close() error {
	s.stop()
	s.runs.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range append(s.others, s.segment) {
		s.failed = append(s.failed, one.Close())
	}
	return errors.Join(s.failed...)
}

// tap keeps the ARP frames that pass.
func (s *segmentStage) tap(at time.Time, b []byte) { s.tapped(at, b, "") }

// tapped is tap for a segment that is said to be where.
func (s *segmentStage) tapped(at time.Time, b []byte, where string) {
	h, _, err := link.Ethernet{}.Parse(b)
	if err == nil && h.Type != link.TypeARP {
		return
	}
	f := probe.ParseFrame(at, append([]byte(nil), b...))
	f.Where = where
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, f)
}

// look returns the frames and isat's diagnostics since the last look.
func (s *segmentStage) look() (frames []probe.Frame, lines []logLine) {
	s.mu.Lock()
	frames, s.fresh = s.fresh, nil
	s.mu.Unlock()
	if s.isat == nil {
		return frames, nil
	}
	for {
		e, ok := s.isat.events.TryNext()
		if !ok {
			return frames, lines
		}
		if e.Message != "" {
			lines = append(lines, logLine{e.Time, e.Message})
		}
	}
}

// join adds a host and runs it until the stage is closed.
func (s *segmentStage) join(name string, mac lladdr.Addr, prefix netip.Prefix) (*node, error) {
	return s.joinAt(s.segment, name, mac, prefix)
}

// joinAt is join for another segment.
func (s *segmentStage) joinAt(at *segment.Segment, name string, mac lladdr.Addr, prefix netip.Prefix) (*node, error) {
	port := at.Port(mac)
	n, err := newNode(name, mac, prefix, port, link.Ethernet{})
	if err != nil {
		return nil, err
	}
	n.port = port
	s.runs.Go(func() {
		if err := n.host.Run(s.ctx); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed = append(s.failed, fmt.Errorf("running %s: %w", name, err))
		}
	})
	s.runs.Go(func() { n.answer(s.ctx) })
	return n, nil
}

// claim broadcasts a hand-made packet from a MAC address that no host has.
func (s *segmentStage) claim(mac lladdr.Addr, p arp.Packet) error {
	port := s.segment.Port(mac)
	defer port.Close()
	h := link.Header{Source: mac, Destination: lladdr.Broadcast(), Type: link.TypeARP}
	_, err := port.WriteFrames([][]byte{link.Ethernet{}.Append(nil, h, p.AppendTo(nil))})
	return err
}

// entry returns the MAC address that isat has for ip, none if it has no entry.
func (s *segmentStage) entry(ip netip.Addr) lladdr.Addr {
	for _, e := range s.isat.host.Entry(ip) {
		return e.MAC
	}
	return lladdr.Addr{}
}

// set sets a tunable of isat's.
func (s *segmentStage) set(name string, value int64) error {
	return s.isat.host.MIB().Set("net.link.ether.inet."+name, "", value)
}
