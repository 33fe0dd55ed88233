package lab

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
)

// playVIP moves an address between two hosts that both run isat, as keepalived
// does: bob is the second.
func playVIP(ctx context.Context, s *stage) (err error) {
	isat, alice, bob := s.net.Isat, s.net.Alice, s.net.Bob
	vip := netip.MustParsePrefix("192.0.2.100/32")
	ip := vip.Addr()
	bobsLog := &logBook{}
	second, err := newDaemonWith(bob, bob.Interface(), filepath.Join(s.isat.dir, bob.Name), bobsLog, detecting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, second.Close()) }()
	s.Say("bob runs isat, too")
	for _, d := range []*daemon{s.isat, second} {
		if err := startDetecting(ctx, d); err != nil {
			return err
		}
	}

	begin := time.Now()
	if err := s.addAddress(isat, vip); err != nil {
		return err
	}
	s.expectAnnounced(ctx, begin, isat, ip)
	s.Expect(len(s.probed(begin, isat, ip)) == 0, "isat does not ask: a /32 inside the network of its interface is one that moves")
	s.Say("alice pings it ten times a second")
	ping, err := startPing(ctx, alice, ip, time.Second/10)
	if err != nil {
		return err
	}
	defer ping.discard()
	s.expectAt(ctx, alice, ip, isat)

	if err := s.removeAddress(isat, vip); err != nil {
		return err
	}
	begin = time.Now()
	if err := s.addAddress(bob, vip); err != nil {
		return err
	}
	s.expectAnnounced(ctx, begin, bob, ip)
	s.expectAt(ctx, alice, ip, bob)
	s.pass(ctx, time.Second/2)

	s.Say("isat takes it back before bob has let go, as VRRP does")
	begin = time.Now()
	if err := s.addAddress(isat, vip); err != nil {
		return err
	}
	s.expectAnnounced(ctx, begin, isat, ip)
	s.pass(ctx, time.Second/2)
	for _, h := range []*lan.Host{isat, bob} {
		s.expectAddress(ctx, h, ip, true)
	}
	if err := s.removeAddress(bob, vip); err != nil {
		return err
	}
	s.expectAt(ctx, alice, ip, isat)
	s.pass(ctx, time.Second/2)
	s.Expect(s.logged("duplicate address")+len(bobsLog.containing("duplicate address")) == 0, "neither isat took it down")

	pings, err := ping.end()
	if err != nil {
		return err
	}
	s.Expect(len(pings) > 0 && pings.lost() <= 2, "%d of %s lost, on the way while it moved", pings.lost(), count(len(pings), "ping"))
	return nil
}
