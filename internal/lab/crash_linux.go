package lab

import (
	"context"
	"syscall"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
)

// playCrash kills the daemon and starts another, under a running ping.
func playCrash(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	isat, alice, bob, router := s.net.Isat, s.net.Alice, s.net.Bob, s.net.Router

	s.Say("isat pings alice ten times a second")
	ping, err := startPing(ctx, isat, alice.IP(), time.Second/10)
	if err != nil {
		return err
	}
	defer ping.discard()
	s.pass(ctx, time.Second)

	s.Say("SIGKILL: the daemon is gone without a word")
	if err := s.isat.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	s.expectAnswer(ctx, bob, 2*time.Second)
	s.Say("isat, without a daemon, pings the router, a stranger")
	s.expectPing(ctx, isat, router.IP(), s.patience)

	s.Say("a new daemon starts")
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	s.Expect(true, "it has taken over")
	s.expectAnswer(ctx, bob, s.patience)
	s.pass(ctx, time.Second)
	s.expectEntries(ctx, alice.IP(), alice.MAC)

	pings, err := ping.end()
	if err != nil {
		return err
	}
	s.Expect(len(pings) > 0 && pings.lost() == 0, "%d of %s lost from first to last", pings.lost(), count(len(pings), "ping"))
	return nil
}

// expectAnswer makes a peer ask for isat until it has an answer, and expects one
// within the limit: one, not one of isat and one of its kernel.
func (s *stage) expectAnswer(ctx context.Context, peer *lan.Host, limit time.Duration) {
	isat := s.net.Isat
	begin := time.Now()
	s.Say("%s asks for %v", peer.Name, isat.IP())
	waited, err := s.ask(ctx, peer, limit)
	if err != nil {
		s.Expect(false, "%s gets an answer: %v", peer.Name, err)
		return
	}
	s.pass(ctx, 200*time.Millisecond) // for a second answer
	replies := s.answered(begin, isat.IP(), peer.MAC)
	s.Expect(len(replies) == 1 && replies[0].Packet.SenderHW == isat.MAC, "%s after %s", count(len(replies), "answer"), milliseconds(waited))
}
