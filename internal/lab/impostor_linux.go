package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/lladdr"
)

// joinMallory plugs in a host without an address, who sends what she likes.
func (s *stage) joinMallory() (*lan.Host, error) {
	return s.net.Join("mallory", lladdr.MustParse("02:00:00:00:00:66"), netip.Prefix{})
}

// playImpostor claims isat's own address from elsewhere.
func playImpostor(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	mallory, err := s.joinMallory()
	if err != nil {
		return err
	}
	isat, alice := s.net.Isat, s.net.Alice
	// Or she would believe mallory and send her what is isat's: no host can help
	// that for another.
	s.Say("alice gets a permanent entry for isat: what she believes is not the question here")
	if err := alice.Learn(isat.IP(), isat.MAC); err != nil {
		return err
	}
	s.Say("isat pings alice and alice pings isat, ten times a second")
	there, err := startPing(ctx, isat, alice.IP(), time.Second/10)
	if err != nil {
		return err
	}
	defer there.discard()
	back, err := startPing(ctx, alice, isat.IP(), time.Second/10)
	if err != nil {
		return err
	}
	defer back.discard()
	s.pass(ctx, time.Second/2)

	want := fmt.Sprintf("arp: %v is using my IP address %v on %s!", mallory.MAC, isat.IP(), isat.Interface())
	for i, p := range claims(mallory.MAC, isat.IP(), alice.IP()) {
		s.Say("mallory says in a %v that %v is hers", p.Operation, isat.IP())
		if err := claim(mallory, p); err != nil {
			return err
		}
		told := s.until(ctx, s.patience, func() bool { return s.logged(want) > i })
		s.Expect(told, "isat says so")
		s.pass(ctx, logInterval)
	}
	for _, p := range []struct {
		ping *runningPing
		from string
	}{{there, "isat"}, {back, "alice"}} {
		pings, err := p.ping.end()
		if err != nil {
			return err
		}
		s.Expect(len(pings) > 0 && pings.lost() == 0, "%d of %s from %s lost", pings.lost(), count(len(pings), "ping"), p.from)
	}
	return nil
}
