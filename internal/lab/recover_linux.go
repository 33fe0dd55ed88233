package lab

import (
	"context"
	"net/netip"
	"time"
)

// playRecover lets the owner of an address go that isat wants.
func playRecover(ctx context.Context, s *stage) error {
	isat, alice, bob := s.net.Isat, s.net.Alice, s.net.Bob
	contested := netip.MustParsePrefix("192.0.2.50/24")
	ip := contested.Addr()
	if err := startDetecting(ctx, s.isat); err != nil {
		return err
	}
	s.Say("dup_recovery is 300 s; here it is set to %v", dupRecovery)
	if err := s.isat.SetDetection(ctx, "dup_recovery", dupRecovery.Milliseconds()); err != nil {
		return err
	}
	if err := s.addAddress(bob, contested); err != nil {
		return err
	}
	if err := s.addAddress(isat, contested); err != nil {
		return err
	}
	s.expectSaid(ctx, 1, "isat finds out that bob has it", "%s has duplicate address %v (in use by %v); disabled.", isat.Interface(), ip, bob.MAC)
	s.expectAddress(ctx, isat, ip, false)

	s.Say("isat asks again, and bob still has it")
	failed := time.Now()
	again := s.until(ctx, s.patience, func() bool { return len(s.probed(failed, isat, ip)) > 0 })
	s.pass(ctx, time.Second/10)
	s.Expect(again && s.logged("has duplicate address") == 1, "nobody is told of that a second time")
	s.expectAddress(ctx, isat, ip, false)

	if err := s.removeAddress(bob, contested); err != nil {
		return err
	}
	gone := time.Now()
	s.expectSaid(ctx, 1, "isat takes it up, and says so", "Recovered address %v on %s.", ip, isat.Interface())
	s.expectAddress(ctx, isat, ip, true)
	s.Expect(len(s.probed(gone, isat, ip)) > 0, "it asked before")
	s.expectAnnounced(ctx, gone, isat, ip)
	s.expectPing(ctx, alice, ip, s.patience)
	s.expectAt(ctx, alice, ip, isat)
	return nil
}
