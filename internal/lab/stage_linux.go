package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/link/pcap"
	"github.com/isat-project/isat/lladdr"
)

// stage is a network with isat on it, and what is seen of it. Every scenario has
// one of its own, so that none inherits the tables of another. Its methods are for
// the goroutine that tells the story.
type stage struct {
	*Story
	*watch
	net      *lan.LAN
	isat     *daemon
	log      *logBook      // of the daemon
	wire     *probe.Wire   // the switch's port of isat
	second   *probe.Wire   // see watchAlso; may be nil
	where    string        // that is
	patience time.Duration // how long something may take that is done in milliseconds when the machine is idle
	noTUN    bool          // as if this machine had no TUN devices
	broken   error         // of what watches
}

// defaultPatience is long enough for a machine that is busy with other things.
const defaultPatience = 10 * time.Second

// newStage builds the network and prepares the daemon, with its files in dir; it
// does not start it. The caller closes the stage.
func newStage(story *Story, dir string) (s *stage, err error) {
	s = &stage{Story: story, log: &logBook{}, patience: defaultPatience}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.net, err = lan.New(); err != nil {
		return s, err
	}
	if s.wire, err = probe.NewWire(s.net.Switch(), s.net.Isat.Name); err != nil {
		return s, err
	}
	if s.isat, err = newDaemon(s.net.Isat, dir, s.log); err != nil {
		return s, err
	}
	s.begin = time.Now() // not when the network was begun
	s.watch = &watch{story: story, look: s.look}
	s.Story.watch = s.watch
	return s, nil
}

// close ends the daemon and takes the network down.
func (s *stage) close() error {
	s.Story.watch = nil
	var errs []error
	if s.isat != nil {
		errs = append(errs, s.isat.Close())
	}
	for _, w := range []*probe.Wire{s.wire, s.second} {
		if w != nil {
			errs = append(errs, w.Close())
		}
	}
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	return errors.Join(errs...)
}

// look returns the frames and diagnostics since the last look.
func (s *stage) look() ([]probe.Frame, []logLine) {
	frames, err := s.wire.Frames()
	if s.second != nil {
		more, failed := s.second.Frames()
		for i := range more {
			more[i].Where = s.where
		}
		frames, err = append(frames, more...), errors.Join(err, failed)
	}
	if err != nil && s.broken == nil {
		s.broken = err
	}
	slices.SortStableFunc(frames, func(a, b probe.Frame) int { return a.Time.Compare(b.Time) })
	return frames, s.log.diagnostics()
}

// watchAlso lets the story see a second wire: what passes an interface of a host,
// said to be where.
func (s *stage) watchAlso(h *lan.Host, name, where string) (err error) {
	s.second, err = probe.NewWire(h.NS, name)
	s.where = where
	return err
}

// expectPing sends one ping and expects its reply.
func (s *stage) expectPing(ctx context.Context, from *lan.Host, to netip.Addr, limit time.Duration) {
	rtt, err := probe.Ping(ctx, from.NS, to, limit)
	if err != nil {
		s.Expect(false, "%s gets an answer from %v: %v", from.Name, to, err)
		return
	}
	s.Expect(true, "%s gets an answer from %v after %s", from.Name, to, milliseconds(rtt))
}

// expectEntries expects the entry of ip in isat's table and in the kernel's to be
// mac.
func (s *stage) expectEntries(ctx context.Context, ip netip.Addr, mac lladdr.Addr) {
	var inIsat, inKernel lladdr.Addr
	var err error
	s.until(ctx, s.patience, func() bool {
		inIsat, inKernel, err = s.entries(ctx, ip)
		return err == nil && inIsat == mac && inKernel == mac
	})
	s.Expect(err == nil && inIsat == mac && inKernel == mac, "%v is at %v for isat and for its kernel%s", ip, mac,
		otherwise(inIsat, inKernel, mac, err))
}

// entries returns the MAC address of ip in isat's table and in the kernel's, none
// where there is no entry.
func (s *stage) entries(ctx context.Context, ip netip.Addr) (inIsat, inKernel lladdr.Addr, err error) {
	inIsat, err = s.isat.Entry(ctx, ip)
	if err != nil {
		return inIsat, inKernel, err
	}
	n, _, err := s.net.Isat.Neighbour(ip)
	return inIsat, n.MAC, err
}

// otherwise tells what is not as it should be.
func otherwise(inIsat, inKernel, want lladdr.Addr, err error) string {
	if err != nil {
		return fmt.Sprintf(": %v", err)
	}
	if inIsat == want && inKernel == want {
		return ""
	}
	name := func(a lladdr.Addr) string {
		if !a.IsValid() {
			return "nothing"
		}
		return a.String()
	}
	return fmt.Sprintf(": isat has %s, the kernel %s", name(inIsat), name(inKernel))
}

// logShown is how many lines of the log a story that went wrong ends with.
const logShown = 20

// tellLog ends the story with the last lines of the daemon's log.
func (s *stage) tellLog() {
	lines := s.log.tail(logShown)
	if len(lines) > 0 {
		s.Say("the last lines of the daemon's log:")
	}
	for _, l := range lines {
		s.Say("  %s", l)
	}
}

// record writes the frames of the story to a file, if one is wanted.
func (s *stage) record(dir, name string) error {
	if dir == "" {
		return nil
	}
	s.Story.catchUp()
	f, err := os.Create(filepath.Join(dir, name+".pcap"))
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	defer f.Close()
	w, err := pcap.NewWriter(f, pcap.LinkTypeEthernet)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	for _, frame := range s.frames {
		if err := w.WriteFrame(frame.Time, frame.Bytes); err != nil {
			return fmt.Errorf("recording: %w", err)
		}
	}
	return f.Close()
}
