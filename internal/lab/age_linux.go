package lab

import (
	"context"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
)

// shortAge is max_age in the scenario. Validation begins in its second half; from
// then on the kernel takes up to two seconds to tell of the use of an entry, and
// after that there is time for two requests yet.
const shortAge = 10 * time.Second

// playAge has three entries: one used by ping, one by TCP and one not at all.
func playAge(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	isat, alice, bob, router := s.net.Isat, s.net.Alice, s.net.Bob, s.net.Router
	s.Say("max_age is 1200 s; here it is set to %v", shortAge)
	if err := s.isat.SetMaxAge(ctx, shortAge); err != nil {
		return err
	}
	// What a peer asks is as good as an answer to what isat would ask.
	s.Say("the others get permanent entries for isat: they have no need to ask, only isat has")
	for _, h := range []*lan.Host{alice, bob, router} {
		if err := h.Learn(isat.IP(), isat.MAC); err != nil {
			return err
		}
	}

	begin := time.Now()
	s.Say("isat pings alice twice a second, keeps a TCP stream to bob, and pings the router once")
	ping, err := startPing(ctx, isat, alice.IP(), time.Second/2)
	if err != nil {
		return err
	}
	defer ping.discard()
	stream, err := startStream(ctx, isat, bob, time.Second/10)
	if err != nil {
		return err
	}
	defer stream.end()
	s.expectPing(ctx, isat, router.IP(), s.patience)

	// The ping that resolved the router is a use: the entry may be refreshed once.
	gone := s.until(ctx, 2*shortAge+s.patience, func() bool {
		inIsat, inKernel, err := s.entries(ctx, router.IP())
		return err == nil && !inIsat.IsValid() && !inKernel.IsValid()
	})
	age := time.Since(s.lastHeard(router, begin))
	s.Expect(gone && age > shortAge-time.Second, "the router's entry, not used, is gone from isat and from its kernel %s after the router was last heard", seconds(age))

	s.until(ctx, shortAge+s.patience, func() bool {
		return len(s.asked(begin, isat.MAC, alice.IP())) > 1 && len(s.asked(begin, isat.MAC, bob.IP())) > 1
	})
	s.pass(ctx, time.Second) // for what a wrong refresh would lose
	for _, h := range []*lan.Host{alice, bob} {
		s.expectRefreshed(h, begin)
		s.expectEntries(ctx, h.IP(), h.MAC)
	}
	pings, err := ping.end()
	if err != nil {
		return err
	}
	s.Expect(pings.lost() == 0, "%d of %s lost", pings.lost(), count(len(pings), "ping"))
	progress, err := stream.end()
	if err != nil {
		return err
	}
	s.Expect(progress.Bytes > 0 && progress.Retransmits == 0, "%d bytes went through the TCP stream, %s sent again",
		progress.Bytes, count(int(progress.Retransmits), "segment"))
	return nil
}

// lastHeard returns when a host last sent isat a packet of ARP.
func (s *stage) lastHeard(h *lan.Host, since time.Time) time.Time {
	for _, f := range s.seen(since, func(f probe.Frame) bool { return f.Header.Source == h.MAC }) {
		since = f.Time
	}
	return since
}

// expectRefreshed expects that isat asked a host again before what it knew of it
// was shortAge old.
func (s *stage) expectRefreshed(h *lan.Host, since time.Time) {
	replies := s.answered(since, h.IP(), s.net.Isat.MAC)
	if len(replies) < 2 {
		s.Expect(false, "%s's entry, in use, is refreshed: %s seen", h.Name, count(len(replies), "reply"))
		return
	}
	_, longest := gaps(replies)
	s.Expect(longest <= shortAge+time.Second/2, "%s's entry, in use, is refreshed after %s", h.Name, seconds(longest))
}
