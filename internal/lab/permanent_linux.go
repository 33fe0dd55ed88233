package lab

import (
	"context"
	"fmt"
	"time"
)

// playPermanent has somebody claim a permanent entry's address, and then pulls
// isat's cable.
func playPermanent(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	mallory, err := s.joinMallory()
	if err != nil {
		return err
	}
	isat, alice := s.net.Isat, s.net.Alice
	s.Say("the administrator of isat makes an entry: arp -s %v %v", alice.IP(), alice.MAC)
	if err := s.isat.SetPermanent(ctx, alice.IP(), alice.MAC); err != nil {
		return err
	}
	begin := time.Now()
	s.expectPing(ctx, isat, alice.IP(), s.patience)

	want := fmt.Sprintf("arp: %v attempts to modify permanent entry for %v on %s", mallory.MAC, alice.IP(), isat.Interface())
	for i, p := range claims(mallory.MAC, alice.IP(), isat.IP()) {
		s.Say("mallory says in a %v that %v is hers", p.Operation, alice.IP())
		if err := claim(mallory, p); err != nil {
			return err
		}
		told := s.until(ctx, s.patience, func() bool { return s.logged(want) > i })
		s.Expect(told, "isat refuses, and says so")
		s.expectEntries(ctx, alice.IP(), alice.MAC)
		s.pass(ctx, logInterval)
	}

	pulled := time.Now()
	s.Say("somebody pulls isat's cable, and plugs it in again")
	for _, on := range []bool{false, true} {
		if err := s.net.SetCarrier(isat, on); err != nil {
			return err
		}
		s.until(ctx, s.patience, func() bool {
			carrier, err := isat.HasCarrier()
			return err == nil && carrier == on
		})
		s.pass(ctx, time.Second/2) // so that a loss of carrier is not missed as a blink
	}
	announced := s.until(ctx, s.patience, func() bool { return len(s.asked(pulled, isat.MAC, isat.IP())) > 0 })
	s.Expect(announced, "isat announces its address")
	s.expectEntries(ctx, alice.IP(), alice.MAC)
	s.expectPing(ctx, isat, alice.IP(), s.patience)
	asked := len(s.asked(begin, isat.MAC, alice.IP()))
	s.Expect(asked == 0, "isat %s asked for %v in all that time", times(asked), alice.IP())
	return nil
}
