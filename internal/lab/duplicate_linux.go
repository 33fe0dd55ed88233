package lab

import (
	"context"
	"net/netip"
	"time"
)

// playDuplicate gives isat an address that alice has.
func playDuplicate(ctx context.Context, s *stage) error {
	if err := startDetecting(ctx, s.isat); err != nil {
		return err
	}
	isat, alice, bob := s.net.Isat, s.net.Alice, s.net.Bob
	s.Say("bob pings alice ten times a second")
	ping, err := startPing(ctx, bob, alice.IP(), time.Second/10)
	if err != nil {
		return err
	}
	defer ping.discard()

	begin := time.Now()
	if err := s.addAddress(isat, netip.PrefixFrom(alice.IP(), 24)); err != nil {
		return err
	}
	s.expectSaid(ctx, 1, "isat asks whether somebody has it before it uses it, and says who",
		"%s has duplicate address %v (in use by %v); disabled.", isat.Interface(), alice.IP(), alice.MAC)
	s.Expect(len(s.probed(begin, isat, alice.IP())) > 0, "it asked without a sender address, so that nobody's table changed")
	s.expectAddress(ctx, isat, alice.IP(), false)
	s.expectState(ctx, alice.IP(), "duplicate")
	s.expectPing(ctx, isat, alice.IP(), s.patience)

	s.pass(ctx, time.Second/2)
	said := len(s.claimed(begin, isat, alice.IP()))
	s.Expect(said == 0, "isat %s said that %v is its own", times(said), alice.IP())
	s.expectAt(ctx, bob, alice.IP(), alice)
	pings, err := ping.end()
	if err != nil {
		return err
	}
	s.Expect(len(pings) > 0 && pings.lost() == 0, "%d of %s from bob to alice lost", pings.lost(), count(len(pings), "ping"))
	return nil
}
