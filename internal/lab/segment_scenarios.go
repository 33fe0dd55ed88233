package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// The scenarios as hosts of the engine play them, without a kernel. Why each step
// is as it is stands with their namesakes in namespaces.

// segmentPatience is how long something may take that is done at once when the
// machine is idle.
const segmentPatience = 10 * time.Second

// segmentAge is max_age there: nothing has to wait for a kernel to tell of use.
const segmentAge = 4 * time.Second

// macMallory is the MAC address of an impostor.
func macMallory() lladdr.Addr { return lladdr.MustParse("02:00:00:00:00:66") }

func segmentResolve(ctx context.Context, s *segmentStage) error {
	s.Say("isat pings alice, a stranger")
	begin := time.Now()
	s.expectReply(ctx, s.isat, s.alice.ip())
	s.Expect(len(s.asked(begin, s.isat.mac, s.alice.ip())) == 1, "isat asked once")

	s.Say("bob pings isat, of whom he knows as little")
	begin = time.Now()
	s.expectReply(ctx, s.bob, s.isat.ip())
	s.Expect(len(s.asked(begin, s.bob.mac, s.isat.ip())) == 1, "bob asked once")
	s.Expect(len(s.asked(begin, s.isat.mac, s.bob.ip())) == 0, "isat answers without asking back: bob's request told it enough")
	for _, n := range []*node{s.alice, s.bob} {
		s.Expect(s.entry(n.ip()) == n.mac, "%v is at %v for isat", n.ip(), n.mac)
	}
	return nil
}

func segmentDown(ctx context.Context, s *segmentStage) error {
	silent := netip.MustParseAddr("192.0.2.50")
	s.Say("isat asks for %v, which nobody has", silent)
	begin := time.Now()
	_, err := s.resolve(ctx, silent)
	requests := len(s.asked(begin, s.isat.mac, silent))
	s.Expect(errors.Is(err, syscall.EHOSTDOWN) && requests >= maxTries, "after %s: %q", count(requests, "request"), errorText(err))

	s.Say("isat pings it all the same, five times a second, and goes on asking")
	failed := time.Now()
	end := s.isat.pinging(ctx, silent, time.Second/5)
	defer end()
	s.until(ctx, segmentPatience, func() bool { return len(s.asked(failed, s.isat.mac, silent)) >= 2 })
	all := s.asked(begin, s.isat.mac, silent)
	gap, _ := gaps(all)
	s.Expect(len(all) > requests && gap > slackSecond, "%s so far, never two within %s", count(len(all), "request"), seconds(gap))

	s.Say("%v appears: bob has it from now on", silent)
	appeared := time.Now()
	if err := s.bob.addAddress(silent); err != nil {
		return err
	}
	back := s.until(ctx, segmentPatience, func() bool { return s.entry(silent) == s.bob.mac })
	s.Expect(back, "isat knows him %s later", seconds(time.Since(appeared)))
	s.expectReply(ctx, s.isat, silent)
	return nil
}

func segmentAgeing(ctx context.Context, s *segmentStage) error {
	s.Say("max_age is 1200 s; here it is set to %v", segmentAge)
	if err := s.set("max_age", int64(segmentAge/time.Second)); err != nil {
		return err
	}
	begin := time.Now()
	s.Say("isat pings alice five times a second, and bob once")
	end := s.isat.pinging(ctx, s.alice.ip(), time.Second/5)
	defer end()
	s.expectReply(ctx, s.isat, s.bob.ip())
	gone := s.until(ctx, 2*segmentAge+segmentPatience, func() bool { return !s.entry(s.bob.ip()).IsValid() })
	age := time.Since(begin)
	s.Expect(gone && age > segmentAge-time.Second, "bob's entry, not used, is gone after %s", seconds(age))

	s.until(ctx, segmentAge+segmentPatience, func() bool { return len(s.answered(begin, s.alice.ip(), s.isat.mac)) > 1 })
	replies := s.answered(begin, s.alice.ip(), s.isat.mac)
	_, longest := gaps(replies)
	s.Expect(len(replies) > 1 && longest < segmentAge+time.Second/2, "alice's entry, in use, is refreshed after %s", seconds(longest))
	sent, lost := end()
	s.Expect(sent > 0 && lost == 0, "%d of %s lost", lost, count(sent, "ping"))
	return nil
}

func segmentMove(ctx context.Context, s *segmentStage) error {
	before, after := s.alice.mac, lladdr.MustParse("02:00:00:00:00:99")
	s.Say("isat pings alice ten times a second")
	end := s.isat.pinging(ctx, s.alice.ip(), time.Second/10)
	defer end()
	s.pass(ctx, time.Second)

	s.Say("alice gets another network card, %v, and announces it", after)
	if err := s.alice.setMAC(after); err != nil {
		return err
	}
	s.until(ctx, segmentPatience, func() bool { return s.logged("moved from") > 0 })
	s.pass(ctx, 2*time.Second)
	moved := s.logged(fmt.Sprintf("arp: %v moved from %v to %v on eth0", s.alice.ip(), before, after))
	s.Expect(moved == 1 && s.logged("moved from") == 1, "%s of the move", count(moved, "diagnostic"))
	s.Expect(s.entry(s.alice.ip()) == after, "%v is at %v for isat", s.alice.ip(), after)
	sent, lost := end()
	s.Expect(sent > 0 && lost <= 2, "%d of %s lost, on the way while she changed it", lost, count(sent, "ping"))
	return nil
}

func segmentImpostor(ctx context.Context, s *segmentStage) error {
	s.Say("alice gets a permanent entry for isat: what she believes is not the question here")
	if err := pin(s.alice, s.isat); err != nil {
		return err
	}
	// Two packets at once would be one too many for maxhold, which is 1.
	s.expectReply(ctx, s.isat, s.alice.ip())
	s.Say("isat pings alice and alice pings isat, ten times a second")
	there := s.isat.pinging(ctx, s.alice.ip(), time.Second/10)
	defer there()
	back := s.alice.pinging(ctx, s.isat.ip(), time.Second/10)
	defer back()
	s.pass(ctx, time.Second/2)

	err := s.claimTwice(ctx, s.isat.ip(), s.alice.ip(),
		fmt.Sprintf("arp: %v is using my IP address %v on eth0!", macMallory(), s.isat.ip()))
	if err != nil {
		return err
	}
	for _, end := range []func() (sent, lost int){there, back} {
		sent, lost := end()
		s.Expect(sent > 0 && lost == 0, "%d of %s lost", lost, count(sent, "ping"))
	}
	return nil
}

func segmentPermanent(ctx context.Context, s *segmentStage) error {
	s.Say("the administrator of isat makes an entry: arp -s %v %v", s.alice.ip(), s.alice.mac)
	begin := time.Now()
	if err := pin(s.isat, s.alice); err != nil {
		return err
	}
	s.expectReply(ctx, s.isat, s.alice.ip())
	err := s.claimTwice(ctx, s.alice.ip(), s.isat.ip(),
		fmt.Sprintf("arp: %v attempts to modify permanent entry for %v on eth0", macMallory(), s.alice.ip()))
	if err != nil {
		return err
	}
	s.Expect(s.entry(s.alice.ip()) == s.alice.mac, "%v is at %v for isat", s.alice.ip(), s.alice.mac)

	s.Say("somebody pulls isat's cable, and plugs it in again")
	for _, on := range []bool{false, true} {
		s.isat.setCarrier(on)
		s.pass(ctx, time.Second/2)
	}
	s.Expect(s.entry(s.alice.ip()) == s.alice.mac, "%v is at %v for isat", s.alice.ip(), s.alice.mac)
	s.expectReply(ctx, s.isat, s.alice.ip())
	asked := len(s.asked(begin, s.isat.mac, s.alice.ip()))
	s.Expect(asked == 0, "isat %s asked for %v in all that time", times(asked), s.alice.ip())
	return nil
}

// pin gives a host a permanent entry for another.
func pin(on, peer *node) error {
	_, err := on.host.Set(host.Change{IP: peer.ip(), MAC: peer.mac, Origin: host.Administrator})
	if err != nil {
		return fmt.Errorf("giving %s a permanent entry: %w", on.name, err)
	}
	return nil
}

// claimTwice has mallory claim an address in a request and in a reply, and
// expects the diagnostic for each.
func (s *segmentStage) claimTwice(ctx context.Context, address, target netip.Addr, want string) error {
	for i, p := range claims(macMallory(), address, target) {
		s.Say("mallory says in a %v that %v is hers", p.Operation, address)
		if err := s.claim(macMallory(), p); err != nil {
			return err
		}
		told := s.until(ctx, segmentPatience, func() bool { return s.logged(want) > i })
		s.Expect(told, "isat says so")
		s.pass(ctx, logInterval)
	}
	return nil
}

// resolve asks for an address as a program does, while the story goes on.
func (s *segmentStage) resolve(ctx context.Context, ip netip.Addr) (mac lladdr.Addr, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		mac, err = s.isat.host.Resolve(ctx, ip)
	}()
	s.until(ctx, maxTries*time.Second+segmentPatience, func() bool { return closed(done) })
	<-done
	return mac, err
}

// expectReply sends one ping and expects its reply.
func (s *segmentStage) expectReply(ctx context.Context, from *node, to netip.Addr) {
	begin := time.Now()
	seq, err := from.ping(to)
	var at time.Time
	s.until(ctx, segmentPatience, func() bool {
		var ok bool
		at, ok = from.replied(seq)
		return ok || err != nil
	})
	if err != nil || at.IsZero() {
		s.Expect(false, "%s gets an answer from %v: %s", from.name, to, errorText(err))
		return
	}
	s.Expect(true, "%s gets an answer from %v after %s", from.name, to, milliseconds(at.Sub(begin)))
}

// closed reports whether a channel is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
