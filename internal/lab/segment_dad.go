package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/lab/probe"
)

// Tunables of the scenarios with detection of duplicates: nobody shall have to wait
// for minutes.
const (
	segmentProbeInterval = 150 * time.Millisecond // fastprobe_interval; nobody says here that the link reports its state
	dupRecovery          = time.Second            // of 300 s
	maxDefend            = 3                      // as it is
	maxLog               = 1000                   // max_log_per_second of 1
)

// detect switches the detection of duplicates on.
func (n *node) detect() error {
	for name, value := range map[string]int64{
		"arp.probe_delay":         segmentProbeInterval.Milliseconds(),
		"arp.probe_interval":      segmentProbeInterval.Milliseconds(),
		"inet.max_log_per_second": maxLog,
	} {
		if err := n.host.MIB().Set("net.link.ether."+name, "", value); err != nil {
			return fmt.Errorf("setting %s of %s: %w", name, n.name, err)
		}
	}
	n.iface.SetDAD(true, acd.ReprobeAnnounce)
	return nil
}

// state returns how the host treats an own address.
func (n *node) state(ip netip.Addr) (a host.OwnAddress, ok bool) {
	for _, a := range n.iface.OwnAddresses() {
		if a.Address.Prefix.Addr() == ip {
			return a, true
		}
	}
	return host.OwnAddress{}, false
}

// owns reports whether the host has the address and may use it.
func (n *node) owns(ip netip.Addr) bool {
	a, ok := n.state(ip)
	return ok && a.Usage == host.Usable
}

// expectState expects an own address of isat to be in a state.
func (s *segmentStage) expectState(ctx context.Context, ip netip.Addr, want acd.State) {
	so := s.until(ctx, segmentPatience, func() bool {
		a, ok := s.isat.state(ip)
		return ok && a.State == want
	})
	s.Expect(so, "isat shows %v as %v", ip, want)
}

// expectSaid expects a diagnostic that came n times so far.
func (s *segmentStage) expectSaid(ctx context.Context, n int, what, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.Expect(s.until(ctx, segmentPatience, func() bool { return s.logged(text) >= n }), "%s", what)
}

// expectAt expects a host to find an address at another host.
func (s *segmentStage) expectAt(ctx context.Context, n *node, ip netip.Addr, at *node) {
	so := s.until(ctx, segmentPatience, func() bool {
		e := n.host.Entry(ip)
		return len(e) == 1 && e[0].MAC == at.mac
	})
	s.Expect(so, "%s finds %v at %s", n.name, ip, at.name)
}

// expectAnnounced expects a host to announce an address.
func (s *segmentStage) expectAnnounced(ctx context.Context, since time.Time, n *node, ip netip.Addr) {
	s.Expect(s.until(ctx, segmentPatience, func() bool { return s.announced(since, n, ip) > 0 }), "%s announces %v", n.name, ip)
}

// announced counts the announcements of an address by a host.
func (s *segmentStage) announced(since time.Time, n *node, ip netip.Addr) (count int) {
	for _, f := range s.claimed(since, n, ip) {
		if f.Packet.IsAnnouncement() {
			count++
		}
	}
	return count
}

// claimed returns the frames in which a host said that an address is its own.
func (s *segmentStage) claimed(since time.Time, n *node, ip netip.Addr) []probe.Frame {
	return s.seen(since, func(f probe.Frame) bool { return f.Header.Source == n.mac && f.Packet.SenderIP == ip })
}

// probed returns the probes for an address that came from a host.
func (s *segmentStage) probed(since time.Time, n *node, ip netip.Addr) []probe.Frame {
	return s.seen(since, func(f probe.Frame) bool {
		return f.Header.Source == n.mac && f.Packet.IsProbe() && f.Packet.TargetIP == ip
	})
}

func segmentDuplicate(ctx context.Context, s *segmentStage) error {
	if err := s.isat.detect(); err != nil {
		return err
	}
	ip := s.alice.ip()
	s.Say("bob pings alice ten times a second")
	end := s.bob.pinging(ctx, ip, time.Second/10)
	defer end()

	s.Say("isat gets %v, which alice has", ip)
	begin := time.Now()
	if err := s.isat.addAddress(ip); err != nil {
		return err
	}
	s.expectSaid(ctx, 1, "isat asks whether somebody has it before it uses it, and says who",
		"eth0 has duplicate address %v (in use by %v); disabled.", ip, s.alice.mac)
	s.Expect(len(s.probed(begin, s.isat, ip)) > 0, "it asked without a sender address, so that nobody's table changed")
	s.expectState(ctx, ip, acd.Duplicate)
	s.expectReply(ctx, s.isat, ip)

	s.pass(ctx, time.Second/2)
	said := len(s.claimed(begin, s.isat, ip))
	s.Expect(said == 0, "isat %s said that %v is its own", times(said), ip)
	s.expectAt(ctx, s.bob, ip, s.alice)
	sent, lost := end()
	s.Expect(sent > 0 && lost == 0, "%d of %s from bob to alice lost", lost, count(sent, "ping"))
	return nil
}

func segmentDefend(ctx context.Context, s *segmentStage) error {
	second, own := netip.MustParseAddr("192.0.2.11"), s.isat.ip()
	if err := s.isat.addAddress(second); err != nil {
		return err
	}
	s.Say("isat found %v and %v on its interface: they count as verified", own, second)
	if err := s.isat.detect(); err != nil {
		return err
	}
	s.Say("alice pings %v ten times a second", second)
	end := s.alice.pinging(ctx, second, time.Second/10)
	defer end()

	for n := 1; n <= maxDefend; n++ {
		s.Say("mallory announces that %v is hers", own)
		begin := time.Now()
		if err := s.claim(macMallory(), announcement(macMallory(), own)); err != nil {
			return err
		}
		s.expectSaid(ctx, n, "isat says so", "Node %v is using our IP address %v on eth0.", macMallory(), own)
		defended := s.until(ctx, segmentPatience, func() bool { return s.announced(begin, s.isat, own) > 0 })
		s.Expect(defended, "isat announces that it is its own: defence %d of max_defend, which is %d", n, maxDefend)
		s.pass(ctx, time.Second/5)
	}
	s.Say("mallory does not give in")
	if err := s.claim(macMallory(), announcement(macMallory(), own)); err != nil {
		return err
	}
	s.expectSaid(ctx, 1, "isat gives in, and says so", "eth0 has duplicate address %v (claimed by %v); disabled.", own, macMallory())
	s.expectState(ctx, own, acd.Duplicate)
	s.pass(ctx, time.Second/2)
	sent, lost := end()
	s.Expect(sent > 0 && lost == 0, "%d of %s to %v lost: the other address stays", lost, count(sent, "ping"), second)
	return nil
}

func segmentRecover(ctx context.Context, s *segmentStage) error {
	ip := netip.MustParseAddr("192.0.2.50")
	s.Say("dup_recovery is 300 s; here it is set to %v", dupRecovery)
	if err := s.isat.host.MIB().Set("net.link.ether.arp.dup_recovery", "", dupRecovery.Milliseconds()); err != nil {
		return err
	}
	if err := s.isat.detect(); err != nil {
		return err
	}
	s.Say("bob has %v, and then isat gets it too", ip)
	for _, n := range []*node{s.bob, s.isat} {
		if err := n.addAddress(ip); err != nil {
			return err
		}
	}
	s.expectSaid(ctx, 1, "isat finds out that bob has it", "eth0 has duplicate address %v (in use by %v); disabled.", ip, s.bob.mac)
	s.expectState(ctx, ip, acd.Duplicate)

	s.Say("isat asks again, and bob still has it")
	failed := time.Now()
	again := s.until(ctx, segmentPatience, func() bool { return len(s.probed(failed, s.isat, ip)) > 0 })
	s.pass(ctx, time.Second/10)
	s.Expect(again && s.logged("has duplicate address") == 1, "nobody is told of that a second time")
	s.expectState(ctx, ip, acd.Duplicate)

	s.Say("bob gives %v up", ip)
	if err := s.bob.removeAddress(ip); err != nil {
		return err
	}
	gone := time.Now()
	s.expectSaid(ctx, 1, "isat takes it up, and says so", "Recovered address %v on eth0.", ip)
	s.Expect(len(s.probed(gone, s.isat, ip)) > 0, "it asked before")
	s.expectAnnounced(ctx, gone, s.isat, ip)
	s.expectReply(ctx, s.alice, ip)
	s.expectAt(ctx, s.alice, ip, s.isat)
	return nil
}

func segmentVIP(ctx context.Context, s *segmentStage) error {
	vip := host.Address{Prefix: netip.MustParsePrefix("192.0.2.100/32"), Policy: acd.Policy{Detect: acd.DetectAnnounce}}
	ip := vip.Prefix.Addr()
	for _, n := range []*node{s.isat, s.bob} {
		if err := n.detect(); err != nil {
			return err
		}
	}
	s.Say("isat gets %v with the policy announce; bob runs isat, too", ip)
	begin := time.Now()
	if err := s.isat.add(vip); err != nil {
		return err
	}
	s.expectAnnounced(ctx, begin, s.isat, ip)
	s.Expect(len(s.probed(begin, s.isat, ip)) == 0, "isat does not ask")
	s.Say("alice pings it ten times a second")
	end := s.alice.pinging(ctx, ip, time.Second/10)
	defer end()
	s.expectAt(ctx, s.alice, ip, s.isat)

	s.Say("it moves to bob")
	if err := s.isat.removeAddress(ip); err != nil {
		return err
	}
	begin = time.Now()
	if err := s.bob.add(vip); err != nil {
		return err
	}
	s.expectAnnounced(ctx, begin, s.bob, ip)
	s.expectAt(ctx, s.alice, ip, s.bob)
	s.pass(ctx, time.Second/2)

	s.Say("isat takes it back before bob has let go, as VRRP does")
	begin = time.Now()
	if err := s.isat.add(vip); err != nil {
		return err
	}
	s.expectAnnounced(ctx, begin, s.isat, ip)
	s.pass(ctx, time.Second/2)
	s.Expect(s.isat.owns(ip) && s.bob.owns(ip), "both have it for a while")
	if err := s.bob.removeAddress(ip); err != nil {
		return err
	}
	s.expectAt(ctx, s.alice, ip, s.isat)
	s.pass(ctx, time.Second/2)
	s.Expect(s.logged("duplicate address") == 0, "isat did not take it down")
	sent, lost := end()
	s.Expect(sent > 0 && lost <= 2, "%d of %s lost, on the way while it moved", lost, count(sent, "ping"))
	return nil
}
