package lab

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/lladdr"
)

// hangLimit is the time within which the kernel must do ARP again for a daemon
// that hangs.
const hangLimit = 4 * time.Second

// playHang stops the daemon without ending it, and lets it go on.
func playHang(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	bob := s.net.Bob
	s.expectAnswer(ctx, bob, s.patience)

	s.Say("SIGSTOP: the daemon is there, and does nothing")
	stopped := time.Now()
	if err := s.isat.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	s.Say("bob asks for isat four times a second")
	_, err := s.ask(ctx, bob, s.patience)
	waited := time.Since(stopped)
	s.Expect(err == nil && waited < hangLimit, "bob gets an answer after %s, from the kernel: nobody else runs", seconds(waited))

	s.Say("SIGCONT: the daemon goes on")
	if err := s.isat.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	back := s.until(ctx, s.patience, func() bool {
		in, err := s.isat.InCharge(ctx)
		return err == nil && in
	})
	s.Expect(back, "it has taken over again")
	s.pass(ctx, time.Second/2) // it first answers what bob asked while it stood still
	s.expectAnswer(ctx, bob, s.patience)
	s.expectPing(ctx, bob, s.net.Isat.IP(), s.patience)
	return nil
}

// askInterval is the time between two requests of a peer that gets no answer.
const askInterval = 250 * time.Millisecond

// ask broadcasts requests for isat from a peer, as arping(8) does, until there is
// an answer, and returns how long that took.
func (s *stage) ask(ctx context.Context, peer *lan.Host, limit time.Duration) (time.Duration, error) {
	wire, err := probe.NewWire(peer.NS, peer.Interface())
	if err != nil {
		return 0, err
	}
	defer wire.Close()
	begin := time.Now()
	for time.Since(begin) < limit && ctx.Err() == nil {
		err := wire.Send(peer.MAC, lladdr.Broadcast(), arp.Packet{
			HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
			SenderHW: peer.MAC, SenderIP: peer.IP(), TargetIP: s.net.Isat.IP(),
		})
		if err != nil {
			return 0, err
		}
		if s.until(ctx, askInterval, func() bool { return len(s.answered(begin, s.net.Isat.IP(), peer.MAC)) > 0 }) {
			return s.answered(begin, s.net.Isat.IP(), peer.MAC)[0].Time.Sub(begin), nil
		}
	}
	return 0, fmt.Errorf("no answer within %v", limit)
}
