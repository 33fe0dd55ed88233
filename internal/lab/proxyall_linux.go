package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/lladdr"
)

// playProxyAll has two hosts reach each other who believe that they are on one
// link, while isat is between them:
//
//	alice 192.0.2.9/24 ──┬── bob 192.0.2.10/24
//	                     │ eth0 192.0.2.1/24
//	                   isat
//	                     │ eth1 192.0.2.193/28
//	                   carol 192.0.2.200/24
func playProxyAll(ctx context.Context, s *stage) error {
	isat, alice, bob := s.net.Isat, s.net.Alice, s.net.Bob
	port := lan.Port{Name: "eth1", MAC: lladdr.MustParse("02:00:00:00:01:01"), Addr: netip.MustParsePrefix("192.0.2.193/28")}
	carol, err := s.net.JoinBehind(isat, port, "carol", lladdr.MustParse("02:00:00:00:00:c8"), netip.MustParsePrefix("192.0.2.200/24"))
	if err != nil {
		return err
	}
	if err := s.watchAlso(isat, port.Name, "on carol's side"); err != nil {
		return err
	}
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	if _, err := s.isat.client.Take(ctx, port.Name); err != nil {
		return fmt.Errorf("taking over %s: %w", port.Name, err)
	}
	s.Say("isat is a router between alice, %v, and carol, %v; both have a network of /24 and no route to the other", alice.IP(), carol.IP())
	if err := s.expectSilence(ctx, query{alice, carol.IP()}, query{carol, alice.IP()}); err != nil {
		return err
	}

	s.Say("isat sysctl net.link.ether.inet.proxyall=1")
	if err := s.isat.SetSysctl(ctx, "proxyall", 1); err != nil {
		return err
	}
	if err := s.expectProxied(ctx, alice, carol.IP(), isat.MAC); err != nil {
		return err
	}
	s.expectExplained(ctx, carol.IP(), alice.IP(), alice.MAC, "answer", "proxyall_answer")
	if err := s.expectProxied(ctx, carol, alice.IP(), port.MAC); err != nil {
		return err
	}

	nobody := netip.MustParseAddr("192.0.2.77")
	s.Say("what is on alice's own side is not isat's matter: bob, and %v, which nobody has", nobody)
	begin := time.Now()
	s.expectPing(ctx, alice, bob.IP(), s.patience)
	n, _, err := alice.Neighbour(bob.IP())
	if err != nil {
		return err
	}
	// Bob's reply does not pass isat's port of the switch; one of isat's would.
	asked, replies := len(s.asked(begin, alice.MAC, bob.IP())), len(s.answered(begin, bob.IP(), alice.MAC))
	s.Expect(asked > 0 && replies == 0 && n.MAC == bob.MAC, "bob has answered, not isat: %s, %v is at %v for alice's kernel",
		count(asked, "request"), bob.IP(), n.MAC)
	if err := s.expectSilence(ctx, query{alice, nobody}); err != nil {
		return err
	}
	s.expectExplained(ctx, nobody, alice.IP(), alice.MAC, "ignore", "proxyall_same_link")

	s.Say("isat sysctl net.link.ether.inet.proxyall=0")
	if err := s.isat.SetSysctl(ctx, "proxyall", 0); err != nil {
		return err
	}
	return s.expectSilence(ctx, query{alice, carol.IP()}, query{carol, alice.IP()})
}
