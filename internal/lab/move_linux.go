package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/lladdr"
)

// playMove changes the MAC address of a peer under a running ping.
func playMove(ctx context.Context, s *stage) error {
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	isat, alice := s.net.Isat, s.net.Alice
	before, after := alice.MAC, lladdr.MustParse("02:00:00:00:00:99")

	s.Say("isat pings alice ten times a second")
	ping, err := startPing(ctx, isat, alice.IP(), time.Second/10)
	if err != nil {
		return err
	}
	defer ping.discard()
	s.pass(ctx, time.Second)

	s.Say("alice gets another network card, %v, and announces it", after)
	if err := alice.SetMAC(after); err != nil {
		return err
	}
	if err := claim(alice, announcement(alice.MAC, alice.IP())); err != nil {
		return err
	}
	s.until(ctx, s.patience, func() bool { return s.logged("moved from") > 0 })
	s.pass(ctx, 2*time.Second) // for a second diagnostic, which would be one too many
	moved := s.logged(fmt.Sprintf("arp: %v moved from %v to %v on %s", alice.IP(), before, after, isat.Interface()))
	s.Expect(moved == 1 && s.logged("moved from") == 1, "%s of the move", count(moved, "diagnostic"))
	s.expectEntries(ctx, alice.IP(), after)

	pings, err := ping.end()
	if err != nil {
		return err
	}
	s.Expect(len(pings) > 0 && pings.lost() <= 2, "%d of %s lost, on the way while she changed it", pings.lost(), count(len(pings), "ping"))
	return nil
}

// claim broadcasts a hand-made packet from a host.
func claim(h *lan.Host, p arp.Packet) error {
	wire, err := probe.NewWire(h.NS, h.Interface())
	if err != nil {
		return err
	}
	defer wire.Close()
	return wire.Send(h.MAC, lladdr.Broadcast(), p)
}
