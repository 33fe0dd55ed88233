package host_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
	"github.com/isat-project/isat/route"
)

// The network of the tests of proxying:
//
//	192.0.2.0/24 ── e0 .1 [host] e1 .1 ── 198.51.100.0/24 ── .254 ── 203.0.113.0/24
//	 .9  asks               │              .9 is asked for
//	                       lo: 10.1.1.1
const (
	macE1    = "02:00:00:00:01:01"
	macOwner = "02:00:00:00:00:99" // of 198.51.100.9
	macRule  = "02:00:00:00:00:aa"
)

// proxyHost is a host on two links. What it sends on e1 goes nowhere.
type proxyHost struct {
	*node
	e1     *host.Interface
	beyond *sink
}

// proxyHost attaches the host to the segment and runs it.
func (l *lan) proxyHost(router host.Router, change ...func(*host.InterfaceConfig)) *proxyHost {
	l.t.Helper()
	n := &proxyHost{node: l.still(host.Config{Router: router}, macHost, "192.0.2.1/24", change...), beyond: new(sink)}
	var err error
	n.e1, err = n.Attach(host.InterfaceConfig{
		Name: "e1", Index: 2, MAC: lladdr.MustParse(macE1), Port: n.beyond,
		Addresses: []host.Address{{Prefix: prefix("198.51.100.1/24")}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	n.SetLocal([]host.Address{{Prefix: prefix("192.0.2.1/32")}, {Prefix: prefix("198.51.100.1/32")}, {Prefix: prefix("10.1.1.1/32")}})
	n.run(l.t)
	return n
}

// speak lets a host be heard on e1.
func (n *proxyHost) speak(mac, sender string) {
	from := lladdr.MustParse(mac)
	p := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: from, SenderIP: ip(sender), TargetIP: ip("198.51.100.77"),
	}
	n.e1.Input(link.Ethernet{}.Append(nil, link.Header{Destination: lladdr.Broadcast(), Source: from, Type: link.TypeARP}, p.AppendTo(nil)))
}

// rule adds a prefix rule.
func (n *proxyHost) rule(t *testing.T, r proxy.Rule) {
	t.Helper()
	if err := n.Proxies().Add(r); err != nil {
		t.Fatal(err)
	}
}

// route adds a route to the host's own table.
func (n *proxyHost) route(t *testing.T, r host.Route) {
	t.Helper()
	if err := n.AddRoute(r); err != nil {
		t.Fatal(err)
	}
}

// publish sets an entry by the administrator.
func (n *proxyHost) publish(t *testing.T, c host.Change) {
	t.Helper()
	c.Origin = host.Administrator
	if _, err := n.Set(c); err != nil {
		t.Fatal(err)
	}
}

// answered returns the sender link-layer address of the only reply to the
// stranger, "" if there is none.
func (l *lan) answered(n *node) string {
	l.t.Helper()
	answer := ""
	for _, s := range l.from(n) {
		if s.arp.Operation != arp.Reply {
			continue
		}
		if answer != "" {
			l.t.Errorf("a second answer: %v", s.arp)
		}
		answer = s.arp.SenderHW.String()
	}
	return answer
}

// proxyCase is a request, on e0 from macPeer, and what becomes of it.
type proxyCase struct {
	name           string
	setup          func(*testing.T, *proxyHost)
	target, sender string
	answer         string       // the address in the reply, "" if there is none
	reason         proxy.Reason // that Explain gives
}

func proxyall(t *testing.T, n *proxyHost) { n.set(t, "proxyall", 1) }

func proxyProbes(t *testing.T, n *proxyHost) {
	proxyall(t, n)
	n.set(t, "proxy_probes", 1)
}

func proxyARP(_ *testing.T, n *proxyHost) { n.ifc.SetProxyARP(true) }

// rules adds rules for e0: a network, a longer one with an address, a single
// host, and one for e1.
func rules(t *testing.T, n *proxyHost) {
	n.rule(t, proxy.Rule{Prefix: prefix("198.51.100.0/24"), Interface: "e0", DenyFrom: []netip.Prefix{prefix("192.0.2.66/32")}})
	n.rule(t, proxy.Rule{Prefix: prefix("198.51.100.128/25"), Interface: "e0", MAC: lladdr.MustParse(macRule)})
	n.rule(t, proxy.Rule{Prefix: prefix("203.0.113.0/24"), Interface: "e1"})
}

// defaultBy adds a default route by a gateway.
func defaultBy(gateway string) func(*testing.T, *proxyHost) {
	return func(t *testing.T, n *proxyHost) {
		n.route(t, host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip(gateway)})
	}
}

func and(steps ...func(*testing.T, *proxyHost)) func(*testing.T, *proxyHost) {
	return func(t *testing.T, n *proxyHost) {
		for _, s := range steps {
			s(t, n)
		}
	}
}

func heard(mac, sender string) func(*testing.T, *proxyHost) {
	return func(_ *testing.T, n *proxyHost) { n.speak(mac, sender) }
}

// administered sets an entry by the administrator, "" for the address is auto.
func administered(ifname, address, mac string, kind host.Publish) func(*testing.T, *proxyHost) {
	return func(t *testing.T, n *proxyHost) {
		c := host.Change{Interface: ifname, IP: ip(address), Publish: kind}
		if mac != "" {
			c.MAC = lladdr.MustParse(mac)
		}
		n.publish(t, c)
	}
}

var proxyCases = []proxyCase{
	{"own address", rules, "192.0.2.1", "192.0.2.9", macHost, proxy.OwnAnswer},
	{"own address of another interface", rules, "198.51.100.1", "192.0.2.9", macHost, proxy.OwnAnswer},
	{"own address, probe", nil, "192.0.2.1", "0.0.0.0", macHost, proxy.OwnAnswer},
	{"own address that is kept back is not proxied", and(rules, proxyall, func(_ *testing.T, n *proxyHost) { n.ifc.SetReply(host.ReplyInterface, false) }),
		"198.51.100.1", "192.0.2.9", "", proxy.OwnWithheld},
	{"broadcast address", and(proxyall, func(t *testing.T, n *proxyHost) {
		n.rule(t, proxy.Rule{Prefix: prefix("0.0.0.0/0"), Interface: "e0"})
	}), "192.0.2.255", "192.0.2.9", "", proxy.OwnBroadcast},
	{"nobody's", nil, "198.51.100.9", "192.0.2.9", "", proxy.AllOff},

	{"rule", rules, "198.51.100.9", "192.0.2.9", macHost, proxy.PrefixAnswer},
	{"rule with an address, the longest prefix", rules, "198.51.100.200", "192.0.2.9", macRule, proxy.PrefixAnswer},
	{"rule for the other interface", rules, "203.0.113.9", "192.0.2.9", "", proxy.AllOff},
	{"denied", rules, "198.51.100.9", "192.0.2.66", "", proxy.PrefixDenied},
	{"denied by the shorter prefix only", rules, "198.51.100.200", "192.0.2.66", macRule, proxy.PrefixAnswer},
	{"denied, whatever proxyall says", and(rules, proxyall), "198.51.100.9", "192.0.2.66", "", proxy.PrefixDenied},
	{"rule, probe", rules, "198.51.100.9", "0.0.0.0", "", proxy.PrefixProbe},
	{"rule, probe, proxy_probes", and(rules, func(t *testing.T, n *proxyHost) { n.set(t, "proxy_probes", 1) }), "198.51.100.9", "0.0.0.0", macHost, proxy.PrefixAnswer},
	{"rule, the owner asks", and(rules, heard(macPeer, "198.51.100.9")), "198.51.100.9", "192.0.2.9", "", proxy.PrefixOwner},
	{"rule, the owner was heard elsewhere", and(rules, heard(macOwner, "198.51.100.9")), "198.51.100.9", "192.0.2.9", macHost, proxy.PrefixAnswer},
	{"rule, the owner has moved", and(rules, heard(macPeer, "198.51.100.9"), heard(macOwner, "198.51.100.9")), "198.51.100.9", "192.0.2.9", macHost, proxy.PrefixAnswer},
	{"rule of another medium", func(t *testing.T, n *proxyHost) {
		n.rule(t, proxy.Rule{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: lladdr.MustParse("07")})
	}, "198.51.100.9", "192.0.2.9", "", proxy.PrefixMedium},
	{"rule with a group address", func(t *testing.T, n *proxyHost) {
		n.rule(t, proxy.Rule{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: lladdr.MustParse("03:bf:c6:33:64:09")})
	}, "198.51.100.9", "192.0.2.9", "", proxy.PrefixMedium},
	{"rule with a group address, allow_multicast", func(t *testing.T, n *proxyHost) {
		n.set(t, "allow_multicast", 1)
		n.rule(t, proxy.Rule{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: lladdr.MustParse("03:bf:c6:33:64:09")})
	}, "198.51.100.9", "192.0.2.9", "03:bf:c6:33:64:09", proxy.PrefixAnswer},
	{"link-local target", func(t *testing.T, n *proxyHost) {
		n.rule(t, proxy.Rule{Prefix: prefix("169.254.0.0/16"), Interface: "e0"})
	}, "169.254.7.7", "192.0.2.9", macHost, proxy.PrefixAnswer},

	{"published", administered("e0", "192.0.2.50", macRule, host.Published), "192.0.2.50", "192.0.2.9", macRule, proxy.PublishedAnswer},
	{"published, auto", administered("e0", "192.0.2.50", "", host.Published), "192.0.2.50", "192.0.2.9", macHost, proxy.PublishedAnswer},
	{"published only", administered("e0", "192.0.2.50", macRule, host.PublishedOnly), "192.0.2.50", "192.0.2.9", macRule, proxy.PublishedAnswer},
	{"published only, auto", administered("e0", "192.0.2.50", "", host.PublishedOnly), "192.0.2.50", "192.0.2.9", macHost, proxy.PublishedAnswer},
	{"an entry that is not published", administered("e0", "192.0.2.50", macRule, host.Unpublished), "192.0.2.50", "192.0.2.9", "", proxy.AllOff},
	{"published, probe", administered("e0", "192.0.2.50", "", host.Published), "192.0.2.50", "0.0.0.0", macHost, proxy.PublishedAnswer},
	{"published, probe of the last that was heard", and(administered("e0", "192.0.2.50", "", host.Published), heard(macPeer, "192.0.2.50")), "192.0.2.50", "0.0.0.0", "", proxy.PublishedOwner},
	{"published only, probe of the last that was heard", and(heard(macPeer, "192.0.2.50"), administered("e0", "192.0.2.50", "", host.PublishedOnly)), "192.0.2.50", "0.0.0.0", "", proxy.PublishedOwner},
	{"published only, another was heard since", and(heard(macPeer, "192.0.2.50"), heard(macOwner, "192.0.2.50"), administered("e0", "192.0.2.50", "", host.PublishedOnly)), "192.0.2.50", "0.0.0.0", macHost, proxy.PublishedAnswer},
	{"published, its own address asks", administered("e0", "192.0.2.50", macPeer, host.Published), "192.0.2.50", "192.0.2.9", "", proxy.PublishedOwner},
	{"published on the other interface", administered("e1", "198.51.100.50", macRule, host.PublishedOnly), "198.51.100.50", "192.0.2.9", "", proxy.AllOff},
	{"published on the other interface, proxyall", and(proxyall, administered("e1", "198.51.100.50", macRule, host.PublishedOnly)), "198.51.100.50", "192.0.2.9", "", proxy.AllElsewhere},
	{"published on the other interface, a rule here", and(rules, administered("e1", "198.51.100.50", macRule, host.PublishedOnly)), "198.51.100.50", "192.0.2.9", macHost, proxy.PrefixAnswer},
	{"proxyall, a reject entry", and(proxyall, func(t *testing.T, n *proxyHost) {
		n.publish(t, host.Change{Interface: "e1", IP: ip("198.51.100.9"), MAC: lladdr.MustParse(macOwner), Action: host.Reject})
	}), "198.51.100.9", "192.0.2.9", "", proxy.AllNoRoute},

	{"proxyall", proxyall, "198.51.100.9", "192.0.2.9", macHost, proxy.AllAnswer},
	{"proxyall, behind a gateway", and(proxyall, func(t *testing.T, n *proxyHost) {
		n.route(t, host.Route{Prefix: prefix("203.0.113.0/24"), Gateway: ip("198.51.100.254")})
	}), "203.0.113.9", "192.0.2.9", macHost, proxy.AllAnswer},
	{"proxyall, the default route", and(proxyall, defaultBy("198.51.100.254")), "8.8.8.8", "192.0.2.9", macHost, proxy.AllAnswer},
	{"proxyall, the default route is on the asker's link", and(proxyall, defaultBy("192.0.2.254")), "8.8.8.8", "192.0.2.9", "", proxy.AllSameLink},
	{"proxyall, no route", proxyall, "8.8.8.8", "192.0.2.9", "", proxy.AllNoRoute},
	{"proxyall, a reject route", and(proxyall, defaultBy("198.51.100.254"), func(t *testing.T, n *proxyHost) {
		n.route(t, host.Route{Prefix: prefix("8.8.8.0/24"), Flags: route.Reject})
	}), "8.8.8.8", "192.0.2.9", "", proxy.AllNoRoute},
	{"proxyall, a blackhole route", and(proxyall, defaultBy("198.51.100.254"), func(t *testing.T, n *proxyHost) {
		n.route(t, host.Route{Prefix: prefix("8.8.8.0/24"), Flags: route.Blackhole})
	}), "8.8.8.8", "192.0.2.9", "", proxy.AllNoRoute},
	{"proxyall, broadcast address of the other link", proxyall, "198.51.100.255", "192.0.2.9", "", proxy.AllNoRoute},
	{"proxyall, same link", proxyall, "192.0.2.77", "192.0.2.9", "", proxy.AllSameLink},
	{"proxyall, no route back", proxyall, "198.51.100.9", "8.8.8.8", "", proxy.AllNoReturn},
	{"proxyall, the route back is elsewhere", proxyall, "198.51.100.9", "198.51.100.77", "", proxy.AllWrongLink},
	{"proxyall, back by the default route", and(proxyall, defaultBy("192.0.2.254")), "198.51.100.9", "8.8.8.8", macHost, proxy.AllAnswer},
	{"proxyall, back by a default route elsewhere", and(proxyall, defaultBy("198.51.100.254")), "198.51.100.9", "8.8.8.8", "", proxy.AllWrongLink},
	{"proxyall, probe", and(proxyall, defaultBy("192.0.2.254")), "198.51.100.9", "0.0.0.0", "", proxy.AllProbe},
	{"proxyall, probe, proxy_probes, default route here", and(proxyProbes, defaultBy("192.0.2.254")), "198.51.100.9", "0.0.0.0", macHost, proxy.AllAnswer},
	{"proxyall, probe, proxy_probes, default route elsewhere", and(proxyProbes, defaultBy("198.51.100.254")), "198.51.100.9", "0.0.0.0", "", proxy.AllWrongLink},
	{"proxyall, probe, proxy_probes, no default route", proxyProbes, "198.51.100.9", "0.0.0.0", "", proxy.AllNoReturn},
	{"proxyall, the owner asks", and(proxyall, heard(macPeer, "198.51.100.9")), "198.51.100.9", "192.0.2.9", "", proxy.AllOwner},
	{"proxyall, an announcement", proxyall, "198.51.100.9", "198.51.100.9", "", proxy.AllOwner},

	{"proxy_arp", proxyARP, "198.51.100.9", "192.0.2.9", macHost, proxy.ARPAnswer},
	{"proxy_arp, the route back is elsewhere", proxyARP, "198.51.100.9", "198.51.100.77", macHost, proxy.ARPAnswer},
	{"proxy_arp, same link", proxyARP, "192.0.2.77", "192.0.2.9", "", proxy.AllOff},
	{"proxy_arp, probe", and(proxyARP, defaultBy("192.0.2.254"), func(t *testing.T, n *proxyHost) { n.set(t, "proxy_probes", 1) }), "198.51.100.9", "0.0.0.0", "", proxy.AllOff},
	{"proxy_arp of the other interface", func(_ *testing.T, n *proxyHost) { n.e1.SetProxyARP(true) }, "198.51.100.9", "192.0.2.9", "", proxy.AllOff},
}

// TestProxy explains each request and then sends it: both tell the same, and
// explaining leaves no trace.
func TestProxy(t *testing.T) {
	for _, tt := range proxyCases {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) { tt.run(t, l) })
		})
	}
}

func (tt proxyCase) run(t *testing.T, l *lan) {
	n := l.proxyHost(nil)
	if tt.setup != nil {
		tt.setup(t, n)
	}
	s := l.stranger(macPeer)
	l.forget()
	before := n.Stats()
	e, err := n.Explain(l.t.Context(), proxy.Request{Interface: "e0", SenderMAC: s.mac, SenderIP: ip(tt.sender), TargetIP: ip(tt.target)})
	if err != nil || e.Dropped || e.Before != "" || e.Decision.Reason != tt.reason {
		t.Errorf("explained: %+v, error %v, want the reason %v", e, err, tt.reason)
	}
	if after := n.Stats(); after != before || len(l.from(n.node)) != 0 {
		t.Errorf("explaining left traces: %+v, was %+v, sent %v", after, before, l.sent)
	}
	s.ask(tt.target, tt.sender)
	if got := l.answered(n.node); got != tt.answer {
		t.Errorf("answered with %q, want %q\n%s", got, tt.answer, e.Explain())
	}
	for _, sent := range l.from(n.node) {
		if sent.arp.Operation != arp.Reply {
			continue
		}
		if sent.to != s.mac || sent.arp.TargetHW != s.mac || sent.arp.TargetIP != ip(tt.sender) || sent.arp.SenderIP != ip(tt.target) || len(sent.frame) != 60 {
			t.Errorf("sent %v to %v in %d bytes", sent.arp, sent.to, len(sent.frame))
		}
	}
	tt.checkTraces(t, n, before)
}

// checkTraces checks the counters and events of a request.
func (tt proxyCase) checkTraces(t *testing.T, n *proxyHost, before host.Stats) {
	t.Helper()
	stats := n.Stats()
	proxied := tt.answer != "" && tt.reason != proxy.OwnAnswer
	refused := tt.answer == "" && tt.reason.Verdict() != proxy.Ignore
	var want [3]uint64 // proxied, refused, ignored
	switch {
	case proxied:
		want[0] = 1
	case refused:
		want[1] = 1
	case tt.answer == "":
		want[2] = 1
	}
	got := [3]uint64{
		stats.Proxied - before.Proxied,
		stats.Drops[host.DropProxyRefused] - before.Drops[host.DropProxyRefused],
		stats.Drops[host.DropNotForUs] - before.Drops[host.DropNotForUs],
	}
	if got != want {
		t.Errorf("proxied, refused, ignored: %v, want %v", got, want)
	}
	for kind, want := range map[event.Type]uint64{event.Proxied: want[0], event.ProxyRefused: want[1]} {
		seen := n.seen(kind)
		if len(seen) != int(want) {
			t.Errorf("events %v: %+v, want %d", kind, seen, want)
			continue
		}
		if want == 0 {
			continue
		}
		if e := seen[0]; e.Interface != "e0" || e.IP != ip(tt.target) || e.MAC != lladdr.MustParse(macPeer) {
			t.Errorf("event %+v", e)
		}
	}
	for _, e := range n.seen(event.Proxied) {
		if e.Severity != event.Debug || e.Message != "arp: proxying for "+tt.target {
			t.Errorf("event %+v", e)
		}
	}
	for _, e := range n.seen(event.ProxyRefused) {
		want := ""
		if tt.reason == proxy.AllWrongLink {
			want = fmt.Sprintf("arp_proxy: ignoring request from %s via e0, expecting e1", tt.sender)
		}
		if e.Message != want {
			t.Errorf("message %q, want %q", e.Message, want)
		}
	}
}

// TestProxyModes: an interface that does not answer for itself does not answer
// for others either, and one that only never learns does.
func TestProxyModes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*host.InterfaceConfig)
		answer string
		drop   host.Drop
		before string // in the explanation
	}{
		{"on", func(*host.InterfaceConfig) {}, macHost, 0, ""},
		{"static", func(c *host.InterfaceConfig) { c.Mode = host.Static }, macHost, 0, ""},
		{"off", func(c *host.InterfaceConfig) { c.Mode = host.Off }, "", host.DropInterfaceOff, "e0 does no ARP"},
		{"observe", func(c *host.InterfaceConfig) { c.Mode = host.Watch }, "", host.DropWatching, "e0 only observes"},
		{"down", func(c *host.InterfaceConfig) { c.Down = true }, "", host.DropInterfaceDown, "the link of e0 is down"},
		{"without an address", func(c *host.InterfaceConfig) { c.Addresses = nil }, macHost, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.proxyHost(nil, tt.change)
				rules(t, n)
				s := l.stranger(macPeer)
				e, err := n.Explain(l.t.Context(), proxy.Request{Interface: "e0", SenderMAC: s.mac, SenderIP: ip("192.0.2.9"), TargetIP: ip("198.51.100.9")})
				if err != nil || e.Before != tt.before || e.Dropped != (tt.answer == "") || e.Drop != tt.drop {
					t.Errorf("explained: %+v, error %v", e, err)
				}
				s.ask("198.51.100.9", "192.0.2.9")
				if got := l.answered(n.node); got != tt.answer {
					t.Errorf("answered with %q, want %q", got, tt.answer)
				}
				if tt.answer == "" && n.Stats().Drops[tt.drop] != 1 {
					t.Errorf("drops %v, want one of %v", n.Stats().Drops, tt.drop)
				}
			})
		})
	}
}

// TestProxyOwnerOnStatic: what speaks is remembered where nothing is learned, too.
func TestProxyOwnerOnStatic(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.proxyHost(nil, func(c *host.InterfaceConfig) { c.Mode = host.Static })
		rules(t, n)
		s := l.stranger(macPeer)
		s.ask("192.0.2.77", "198.51.100.9") // it speaks as the owner
		s.ask("198.51.100.9", "0.0.0.0")
		s.ask("198.51.100.9", "192.0.2.9")
		if got := l.answered(n.node); got != "" {
			t.Errorf("the owner got the answer %q", got)
		}
	})
}
