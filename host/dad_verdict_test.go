package host_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// verdictCases are the rows of facts/solaris-arp-ipmp.md 3.3 and of docs/dad.md:
// what a packet is to an address that is probed, and to one in use.
var verdictCases = []struct {
	name         string
	probed, used bool // a conflict
	packet       arp.Packet
	// elsewhere: it is heard on another interface.
	elsewhere bool
}{
	{"claim: request", true, true, arp.Packet{Operation: arp.Request, SenderIP: ip(candidate), TargetIP: ip("192.0.2.1")}, false},
	{"claim: announcement", true, true, arp.Packet{Operation: arp.Request, SenderIP: ip(candidate), TargetIP: ip(candidate)}, false},
	{"claim: reply to us", true, true, arp.Packet{Operation: arp.Reply, SenderIP: ip(candidate), TargetHW: lladdr.MustParse(macHost), TargetIP: ip("0.0.0.0")}, false},
	{"claim: reply to all", true, true, arp.Packet{Operation: arp.Reply, SenderIP: ip(candidate), TargetHW: lladdr.Broadcast(), TargetIP: ip(candidate)}, false},
	{"claim: any operation", true, true, arp.Packet{Operation: arp.ReverseReply, SenderIP: ip(candidate), TargetIP: ip("192.0.2.77")}, false},
	{"reflection: this interface", false, false, arp.Packet{Operation: arp.Request, SenderHW: lladdr.MustParse(macHost), SenderIP: ip(candidate), TargetIP: ip(candidate)}, false},
	{"reflection: another of this machine", false, false, arp.Packet{Operation: arp.Request, SenderHW: lladdr.MustParse("02:00:00:00:00:77"), SenderIP: ip(candidate), TargetIP: ip(candidate)}, false},
	{"reflection: a probe of ours", false, false, arp.Packet{Operation: arp.Request, SenderHW: lladdr.MustParse(macHost), SenderIP: ip("0.0.0.0"), TargetIP: ip(candidate)}, false},
	{"rival probe", true, false, arp.Packet{Operation: arp.Request, SenderIP: ip("0.0.0.0"), TargetIP: ip(candidate)}, false},
	{"question", false, false, arp.Packet{Operation: arp.Request, SenderIP: ip("192.0.2.9"), TargetIP: ip(candidate)}, false},
	{"third party", true, false, arp.Packet{Operation: arp.Reply, SenderIP: ip("192.0.2.9"), TargetHW: lladdr.MustParse(macThird), TargetIP: ip(candidate)}, false},
	{"stale", false, false, arp.Packet{Operation: arp.Reply, SenderIP: ip("192.0.2.9"), TargetHW: lladdr.MustParse(macHost), TargetIP: ip(candidate)}, false},
	{"unrelated: other addresses", false, false, arp.Packet{Operation: arp.Request, SenderIP: ip("192.0.2.9"), TargetIP: ip("192.0.2.8")}, false},
	{"unrelated: another operation asks", false, false, arp.Packet{Operation: arp.ReverseRequest, SenderIP: ip("192.0.2.9"), TargetIP: ip(candidate)}, false},
	{"elsewhere: claim", false, false, arp.Packet{Operation: arp.Request, SenderIP: ip(candidate), TargetIP: ip(candidate)}, true},
	{"elsewhere: rival probe", false, false, arp.Packet{Operation: arp.Request, SenderIP: ip("0.0.0.0"), TargetIP: ip(candidate)}, true},
	{"nameless: UNARP", false, false, arp.Packet{}, false},
}

// sendVerdict sends the packet of row i of the table.
func sendVerdict(l *lan, s, elsewhere *stranger, i int) {
	tt := verdictCases[i]
	switch {
	case tt.elsewhere:
		s = elsewhere
	case tt.packet.Operation == 0:
		s.raw(hexFrame("ffffffffffff 020000000002 0806 0001 0800 00 04 0002 c0000205 ffffffff"))
		return
	}
	s.send(lladdr.Broadcast(), tt.packet)
}

// TestDADVerdicts sends every kind of packet in every kind of state.
func TestDADVerdicts(t *testing.T) {
	for i, tt := range verdictCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Run("probing", func(t *testing.T) {
				judge(t, i, tt.probed, true, func(l *lan, n *node, _ *stranger) func() bool {
					n.assign(t, candidate)
					time.Sleep(1200 * time.Millisecond) // after the first probe
					n.in(t, candidate, acd.Probing)
					return func() bool { return n.ownAddress(candidate).State == acd.Duplicate }
				})
			})
			t.Run("in use", func(t *testing.T) {
				judge(t, i, tt.used, true, func(l *lan, n *node, _ *stranger) func() bool {
					n.assign(t, candidate)
					time.Sleep(20 * time.Second)
					n.in(t, candidate, acd.Verified)
					return func() bool { return n.ownAddress(candidate).State == acd.Defending && n.count(event.Conflict) == 1 }
				})
			})
			t.Run("recovering", func(t *testing.T) {
				judge(t, i, tt.probed, false, func(l *lan, n *node, s *stranger) func() bool {
					n.tune(t, "dup_recovery", 1000)
					n.assign(t, candidate)
					s.claim()
					time.Sleep(1500 * time.Millisecond)
					n.in(t, candidate, acd.Recovering)
					return func() bool { return n.ownAddress(candidate).State == acd.Duplicate }
				})
			})
			t.Run("inquiring", func(t *testing.T) {
				judge(t, i, tt.probed, false, func(l *lan, n *node, _ *stranger) func() bool {
					p := n.probe(l.t.Context(), false, candidate)
					time.Sleep(1200 * time.Millisecond)
					return func() bool { return len(p.results()) == 1 && !p.results()[0].Free }
				})
			})
		})
	}
}

// judge prepares a host, sends it a packet of the table, and looks whether that was
// a conflict. counts says that a conflict is one of an own address.
func judge(t *testing.T, row int, want, counts bool, prepare func(*lan, *node, *stranger) (conflict func() bool)) {
	t.Helper()
	onLAN(t, func(l *lan) {
		l.unchecked = true
		n := l.watching()
		n.set(t, "unarp", 1)
		n.SetSiblings([]host.Sibling{{MAC: lladdr.MustParse("02:00:00:00:00:77")}})
		s, elsewhere := l.stranger(macPeer), n.second(l)
		conflict := prepare(l, n, s)
		counted := n.Stats().DupIPs
		sendVerdict(l, s, elsewhere, row)
		synctest.Wait()
		if got := conflict(); got != want {
			t.Errorf("a conflict: %v, want %v; %v", got, want, n.ownAddress(candidate))
		}
		if got := n.Stats().DupIPs - counted; (got == 1) != (want && counts) || got > 1 {
			t.Errorf("dupips rose by %d", got)
		}
	})
}
