package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// Addresses of the LAN's network that are not on the LAN.
var (
	published = netip.MustParseAddr("192.0.2.60")
	only      = netip.MustParseAddr("192.0.2.61")
	ruled     = netip.MustParsePrefix("192.0.2.64/27")
	inRule    = netip.MustParseAddr("192.0.2.70")
	returned  = netip.MustParseAddr("192.0.2.75") // in the rule, and on the LAN after all
)

func segmentProxy(ctx context.Context, s *segmentStage) error {
	begin := time.Now()
	s.Say("alice asks for %v, which nobody has", published)
	s.expectUnanswered(ctx, s.alice, published)

	s.Say("the administrator of isat publishes: arp -s %v auto pub, arp -s %v auto pub only", published, only)
	for _, c := range []host.Change{{IP: published, Publish: host.Published}, {IP: only, Publish: host.PublishedOnly}} {
		c.Origin, c.Interface = host.Administrator, "eth0"
		if _, err := s.isat.host.Set(c); err != nil {
			return err
		}
	}
	for _, ip := range []netip.Addr{published, only} {
		s.expectFound(ctx, s.alice, ip, s.isat.mac)
		s.expectExplained(ctx, ip, s.alice.ip(), s.alice.mac, proxy.PublishedAnswer)
	}

	s.Say("a rule for %v, but not for bob", ruled)
	rule := proxy.Rule{Prefix: ruled, Interface: "eth0", DenyFrom: []netip.Prefix{netip.PrefixFrom(s.bob.ip(), 32)}}
	if _, err := s.isat.host.Proxies().Set(rule); err != nil {
		return err
	}
	s.expectFound(ctx, s.alice, inRule, s.isat.mac)
	s.expectExplained(ctx, inRule, s.alice.ip(), s.alice.mac, proxy.PrefixAnswer)
	s.expectUnanswered(ctx, s.bob, inRule)
	s.expectExplained(ctx, inRule, s.bob.ip(), s.bob.mac, proxy.PrefixDenied)

	s.Say("mallory, who has no address yet, probes for %v (RFC 5227), and announces %v", inRule, returned)
	probing := announcement(macMallory(), netip.IPv4Unspecified())
	probing.TargetIP = inRule
	asking := announcement(macMallory(), netip.IPv4Unspecified())
	asking.TargetIP = only
	for _, p := range []arp.Packet{probing, announcement(macMallory(), returned), asking} {
		if err := s.claim(macMallory(), p); err != nil {
			return err
		}
	}
	met := s.until(ctx, segmentPatience, func() bool { return len(s.answered(begin, only, macMallory())) > 0 })
	s.Expect(met, "isat answers her probe for the published %v", only)
	for _, ip := range []netip.Addr{inRule, returned} {
		s.Expect(len(s.answered(begin, ip, macMallory())) == 0, "it does not answer her for %v", ip)
	}
	s.expectExplained(ctx, inRule, netip.IPv4Unspecified(), macMallory(), proxy.PrefixProbe)
	s.expectExplained(ctx, returned, returned, macMallory(), proxy.PrefixOwner)
	return nil
}

func segmentProxyAll(ctx context.Context, s *segmentStage) error {
	there := segment.New(segment.Options{})
	there.Tap(func(at time.Time, b []byte) { s.tapped(at, b, "on carol's side") })
	s.others = append(s.others, there)
	carol, err := s.joinAt(there, "carol", lladdr.MustParse("02:00:00:00:00:c8"), netip.MustParsePrefix("192.0.2.200/24"))
	if err != nil {
		return err
	}
	mac := lladdr.MustParse("02:00:00:00:01:01")
	_, err = s.isat.host.Attach(host.InterfaceConfig{
		Name: "eth1", Index: 2, MAC: mac, Port: there.Port(mac), Framing: link.Ethernet{},
		Addresses: []host.Address{{Prefix: netip.MustParsePrefix("192.0.2.193/28")}},
		Deliver:   s.isat.deliver,
	})
	if err != nil {
		return err
	}
	s.isat.router.Store(true)
	s.Say("isat is a router between alice, %v, and carol, %v, whose network is the same", s.alice.ip(), carol.ip())
	s.expectUnanswered(ctx, s.alice, carol.ip())

	s.Say("isat sysctl net.link.ether.inet.proxyall=1")
	if err := s.set("proxyall", 1); err != nil {
		return err
	}
	s.expectReply(ctx, s.alice, carol.ip())
	s.expectFound(ctx, s.alice, carol.ip(), s.isat.mac)
	s.expectExplained(ctx, carol.ip(), s.alice.ip(), s.alice.mac, proxy.AllAnswer)
	s.expectReply(ctx, carol, s.alice.ip())
	s.expectFound(ctx, carol, s.alice.ip(), mac)

	nobody := netip.MustParseAddr("192.0.2.77")
	s.Say("what is on alice's own side is not isat's matter: bob, and %v, which nobody has", nobody)
	s.expectFound(ctx, s.alice, s.bob.ip(), s.bob.mac)
	s.expectUnanswered(ctx, s.alice, nobody)
	s.expectExplained(ctx, nobody, s.alice.ip(), s.alice.mac, proxy.AllSameLink)
	return nil
}

// expectFound expects that a host finds an address at mac, and nowhere else.
func (s *segmentStage) expectFound(ctx context.Context, by *node, ip netip.Addr, mac lladdr.Addr) {
	ctx, cancel := context.WithTimeout(ctx, segmentPatience)
	defer cancel()
	got, err := by.host.Resolve(ctx, ip)
	replies, others := 0, 0
	for _, f := range s.answered(time.Time{}, ip, by.mac) {
		if replies++; f.Packet.SenderHW != mac {
			others++
		}
	}
	s.Expect(err == nil && got == mac && others == 0, "%s finds %v at %v: %s, %d from others%s",
		by.name, ip, got, count(replies, "reply"), others, unless(err))
}

// unless tells an error, if there is one.
func unless(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(": %v", err)
}

// expectUnanswered expects nobody to answer for an address, in all of a moment,
// and makes the host forget that it asked.
func (s *segmentStage) expectUnanswered(ctx context.Context, by *node, ip netip.Addr) {
	begin := time.Now()
	short, cancel := context.WithTimeout(ctx, time.Second/2)
	defer cancel()
	_, err := by.host.Resolve(short, ip)
	asked, replies := len(s.asked(begin, by.mac, ip)), len(s.answered(begin, ip, by.mac))
	s.Expect(err != nil && asked > 0 && replies == 0, "%s gets no answer from %v: %s, %s", by.name, ip, count(asked, "request"), count(replies, "reply"))
	_ = by.host.Delete("", ip) // it may be gone already
}

// expectExplained expects what isat says of a request on eth0, and shows its words.
func (s *segmentStage) expectExplained(ctx context.Context, target, sender netip.Addr, mac lladdr.Addr, reason proxy.Reason) {
	e, err := s.isat.host.Explain(ctx, proxy.Request{Interface: "eth0", TargetIP: target, SenderIP: sender, SenderMAC: mac})
	command := fmt.Sprintf("isat explain eth0 %v %v %v", target, sender, mac)
	if err != nil {
		s.Expect(false, "%s: %v", command, err)
		return
	}
	s.Expect(e.Decision.Reason == reason, "%s says", command)
	s.sayVerdict(e.Explain())
}
