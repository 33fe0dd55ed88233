package lab

import (
	"context"
	"net/netip"
	"time"
)

// playDefend has somebody claim isat's own address time and again.
func playDefend(ctx context.Context, s *stage) error {
	isat, alice := s.net.Isat, s.net.Alice
	second := netip.MustParsePrefix("192.0.2.11/24")
	if err := s.addAddress(isat, second); err != nil {
		return err
	}
	if err := startDetecting(ctx, s.isat); err != nil {
		return err
	}
	s.Say("isat found %v and %v on its interface: they count as verified", isat.IP(), second.Addr())
	mallory, err := s.joinMallory()
	if err != nil {
		return err
	}
	s.Say("alice pings %v ten times a second", second.Addr())
	ping, err := startPing(ctx, alice, second.Addr(), time.Second/10)
	if err != nil {
		return err
	}
	defer ping.discard()

	for n := 1; n <= maxDefend; n++ {
		s.Say("mallory announces that %v is hers", isat.IP())
		begin := time.Now()
		if err := claim(mallory, announcement(mallory.MAC, isat.IP())); err != nil {
			return err
		}
		s.expectSaid(ctx, n, "isat says so", "Node %v is using our IP address %v on %s.", mallory.MAC, isat.IP(), isat.Interface())
		defended := s.until(ctx, s.patience, func() bool { return s.announced(begin, isat, isat.IP()) > 0 })
		s.Expect(defended, "isat announces that it is its own: defence %d of max_defend, which is %d", n, maxDefend)
		s.pass(ctx, time.Second/5)
	}
	s.Say("mallory does not give in")
	if err := claim(mallory, announcement(mallory.MAC, isat.IP())); err != nil {
		return err
	}
	s.expectSaid(ctx, 1, "isat gives in, and says so",
		"%s has duplicate address %v (claimed by %v); disabled.", isat.Interface(), isat.IP(), mallory.MAC)
	s.expectAddress(ctx, isat, isat.IP(), false)
	s.expectState(ctx, isat.IP(), "duplicate")

	s.expectAddress(ctx, isat, second.Addr(), true)
	s.pass(ctx, time.Second/2)
	pings, err := ping.end()
	if err != nil {
		return err
	}
	s.Expect(len(pings) > 0 && pings.lost() == 0, "%d of %s to %v lost: the addresses on the same interface stay",
		pings.lost(), count(len(pings), "ping"), second.Addr())
	return nil
}
