package lab

import (
	"context"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/lladdr"
)

// playResolve pings where neither end knows the other, and expects the one
// exchange of frames that RFC 826 needs for it, no more.
func playResolve(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	isat, alice, bob, router := s.net.Isat, s.net.Alice, s.net.Bob, s.net.Router

	s.Say("isat pings alice, a stranger")
	begin := time.Now()
	s.expectPing(ctx, isat, alice.IP(), s.patience)
	s.expectOneExchange(begin, isat, alice)

	s.Say("bob pings isat, of whom he knows as little")
	begin = time.Now()
	s.expectPing(ctx, bob, isat.IP(), s.patience)
	s.expectOneExchange(begin, bob, isat)
	s.Expect(len(s.asked(begin, isat.MAC, bob.IP())) == 0, "isat answers without asking back: bob's request told it enough")

	s.Say("isat pings far, in a network behind the router")
	begin = time.Now()
	s.expectPing(ctx, isat, s.net.Far.IP(), s.patience)
	s.expectOneExchange(begin, isat, router)

	for _, h := range []*lan.Host{alice, bob, router} {
		s.expectEntries(ctx, h.IP(), h.MAC)
	}
	return nil
}

// expectOneExchange expects one broadcast request by a host since a moment, and
// one reply.
func (s *stage) expectOneExchange(since time.Time, by, of *lan.Host) {
	requests, replies := s.asked(since, by.MAC, of.IP()), s.answered(since, of.IP(), by.MAC)
	so := len(requests) == 1 && len(replies) == 1 &&
		requests[0].Header.Destination == lladdr.Broadcast() && replies[0].Packet.SenderHW == of.MAC
	s.Expect(so, "on the wire: %s for %v, %s", count(len(requests), "request"), of.IP(), count(len(replies), "reply"))
}
