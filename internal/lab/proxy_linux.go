package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/lladdr"
)

// playProxy has isat answer for addresses that carol has, who is behind it:
//
//	alice ──┬── bob
//	        │ eth0
//	      isat
//	        │ eth1 203.0.113.1
//	      carol 192.0.2.60, 192.0.2.61, 192.0.2.70
func playProxy(ctx context.Context, s *stage) error {
	isat, alice, bob := s.net.Isat, s.net.Alice, s.net.Bob
	if err := s.joinCarol(); err != nil {
		return err
	}
	if err := s.isat.Start(ctx); err != nil {
		return err
	}
	s.Say("carol is behind isat and has %v, %v and %v; nobody on the LAN knows", published, only, inRule)
	if err := s.expectSilence(ctx, query{alice, published}, query{alice, only}, query{bob, inRule}); err != nil {
		return err
	}

	s.Say("the administrator of isat publishes: arp -s %v auto pub, arp -s %v auto pub only", published, only)
	for _, e := range []api.SetEntry{{IP: published, Pub: api.PublishYes}, {IP: only, Pub: api.PublishOnly}} {
		e.MAC = api.EtherAuto
		if err := s.isat.Set(ctx, e); err != nil {
			return err
		}
	}
	for _, ip := range []netip.Addr{published, only} {
		if err := s.expectProxied(ctx, alice, ip, isat.MAC); err != nil {
			return err
		}
		s.expectExplained(ctx, ip, alice.IP(), alice.MAC, "answer", "published_answer")
	}

	rule := api.ProxyRule{
		Prefix: ruled, Interface: isat.Interface(), Ether: api.EtherAuto,
		DenyFrom: []netip.Prefix{netip.PrefixFrom(bob.IP(), 32)},
	}
	s.Say("a rule for %v, but not for bob: PUT /v1/proxy", ruled)
	if _, _, err := s.isat.client.SetProxyRule(ctx, rule); err != nil {
		return fmt.Errorf("setting a rule: %w", err)
	}
	if err := s.expectProxied(ctx, alice, inRule, isat.MAC); err != nil {
		return err
	}
	s.expectExplained(ctx, inRule, alice.IP(), alice.MAC, "answer", "prefix_answer")
	if err := s.expectSilence(ctx, query{bob, inRule}); err != nil {
		return err
	}
	s.expectExplained(ctx, inRule, bob.IP(), bob.MAC, "refuse", "prefix_denied")
	return s.playClaimants(ctx)
}

// joinCarol puts her behind isat. Her network there is another: what she has of
// the LAN's addresses is routed to her.
func (s *stage) joinCarol() error {
	port := lan.Port{Name: "eth1", MAC: lladdr.MustParse("02:00:00:00:01:01"), Addr: netip.MustParsePrefix("203.0.113.1/24")}
	carol, err := s.net.JoinBehind(s.net.Isat, port, "carol", lladdr.MustParse("02:00:00:00:00:20"), netip.MustParsePrefix("203.0.113.32/24"))
	if err != nil {
		return err
	}
	if err := carol.AddRoute(netip.PrefixFrom(netip.IPv4Unspecified(), 0), port.Addr.Addr(), carol.Interface()); err != nil {
		return err
	}
	for _, ip := range []netip.Addr{published, only, inRule} {
		if err := carol.AddAddress(netip.PrefixFrom(ip, 32)); err != nil {
			return err
		}
	}
	for _, dst := range []netip.Prefix{netip.PrefixFrom(published, 32), netip.PrefixFrom(only, 32), ruled} {
		if err := s.net.Isat.AddRoute(dst, carol.IP(), port.Name); err != nil {
			return err
		}
	}
	return nil
}

// playClaimants has hosts ask that would take an answer for a conflict: who
// wants an address, and who has it.
func (s *stage) playClaimants(ctx context.Context) error {
	isat := s.net.Isat
	mallory, err := s.joinMallory()
	if err != nil {
		return err
	}
	dora, err := s.net.Join("dora", lladdr.MustParse("02:00:00:00:00:75"), netip.Prefix{})
	if err != nil {
		return err
	}
	nobody := netip.IPv4Unspecified()

	begin := time.Now()
	s.Say("mallory, who has no address yet, probes for %v and %v (RFC 5227)", inRule, only)
	if err := s.whoHas(mallory, nobody, inRule, only); err != nil {
		return err
	}
	// Isat takes requests in their order: with the answer to the last one, all
	// others have been dealt with.
	answered := s.until(ctx, s.patience, func() bool { return len(s.answered(begin, only, mallory.MAC)) > 0 })
	s.Expect(answered, "the published %v is taken, says isat", only)
	s.Expect(len(s.answered(begin, inRule, mallory.MAC)) == 0, "the rule does not answer a probe")
	s.expectExplained(ctx, only, nobody, mallory.MAC, "answer", "published_answer")
	s.expectExplained(ctx, inRule, nobody, mallory.MAC, "refuse", "prefix_probe")

	begin = time.Now()
	s.Say("dora appears on the LAN with %v, in the prefix of the rule; she announces it, and asks for isat", returned)
	for range 2 { // the second time isat knows her
		if err := s.whoHas(dora, returned, returned, isat.IP()); err != nil {
			return err
		}
	}
	s.Say("she asks for %v from another address of hers, and claims %v, which is published", returned, only)
	if err := s.whoHas(dora, returned.Next(), returned); err != nil {
		return err
	}
	if err := s.whoHas(dora, only, only); err != nil {
		return err
	}
	if err := s.whoHas(dora, returned, isat.IP()); err != nil {
		return err
	}
	met := s.until(ctx, s.patience, func() bool { return len(s.answered(begin, isat.IP(), dora.MAC)) == 3 })
	s.Expect(met, "isat answers for itself")
	for _, ip := range []netip.Addr{returned, only} {
		s.Expect(len(s.answered(begin, ip, dora.MAC)) == 0, "isat does not answer dora for %v, which she says is hers", ip)
	}
	s.expectExplained(ctx, returned, returned.Next(), dora.MAC, "refuse", "prefix_owner")
	s.expectExplained(ctx, only, only, dora.MAC, "refuse", "published_owner")
	return nil
}

// whoHas broadcasts hand-made requests, one a target.
func (s *stage) whoHas(h *lan.Host, sender netip.Addr, targets ...netip.Addr) error {
	for _, target := range targets {
		p := announcement(h.MAC, sender)
		p.TargetIP = target
		if err := claim(h, p); err != nil {
			return err
		}
	}
	return nil
}

// query is a host and the address it pings.
type query struct {
	from *lan.Host
	to   netip.Addr
}

// silenceLimit is how long an answer is waited for that is not to come.
const silenceLimit = time.Second / 2

// expectSilence expects nobody to answer for addresses, in all of a moment. The
// hosts ask anew, and then no more.
func (s *stage) expectSilence(ctx context.Context, queries ...query) error {
	forget := func() (err error) {
		for _, q := range queries {
			err = errors.Join(err, q.from.Forget(q.to))
		}
		return err
	}
	if err := forget(); err != nil {
		return err
	}
	begin := time.Now()
	errs := make([]error, len(queries))
	var pings sync.WaitGroup
	for i, q := range queries {
		pings.Go(func() { _, errs[i] = probe.Ping(ctx, q.from.NS, q.to, silenceLimit) })
	}
	pings.Wait()
	for i, q := range queries {
		asked, replies := len(s.asked(begin, q.from.MAC, q.to)), len(s.answered(begin, q.to, q.from.MAC))
		s.Expect(errs[i] != nil && asked > 0 && replies == 0, "%s gets no answer from %v: %s, %s",
			q.from.Name, q.to, count(asked, "request"), count(replies, "reply"))
	}
	return forget()
}

// expectProxied has a host ask for an address anew, and expects that isat answers
// for it, with mac, and hands on the ping.
func (s *stage) expectProxied(ctx context.Context, by *lan.Host, ip netip.Addr, mac lladdr.Addr) error {
	if err := by.Forget(ip); err != nil {
		return err
	}
	begin := time.Now()
	s.expectPing(ctx, by, ip, s.patience)
	replies := s.answered(begin, ip, by.MAC)
	so := len(replies) > 0
	for _, f := range replies {
		so = so && f.Packet.Operation == arp.Reply && f.Packet.SenderHW == mac && f.Header.Source == mac
	}
	n, _, err := by.Neighbour(ip)
	if err != nil {
		return err
	}
	s.Expect(so && n.MAC == mac, "isat has answered; %v is at %v for %s's kernel", ip, n.MAC, by.Name)
	return nil
}

// expectExplained expects what `isat explain` says of a request on isat's
// interface, and shows its words.
func (s *stage) expectExplained(ctx context.Context, target, sender netip.Addr, mac lladdr.Addr, verdict, reason string) {
	e, err := s.isat.client.Explain(ctx, api.ExplainQuery{
		Interface: s.isat.name, Target: target, Sender: sender, MAC: api.MAC(mac.String()),
	})
	command := fmt.Sprintf("isat explain %s %v %v %v", s.isat.name, target, sender, mac)
	if err != nil {
		s.Expect(false, "%s: %v", command, err)
		return
	}
	s.Expect(e.Verdict == verdict && e.Reason == reason, "%s says", command)
	s.sayVerdict(e.Text)
}
