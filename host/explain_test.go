package host_test

import (
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// TestExplainInput has what comes before the rules, in words.
func TestExplainInput(t *testing.T) {
	for _, tt := range []struct {
		name                string
		mac, sender, target string
		want                string
		drop                host.Drop
	}{
		{"own link-layer address", macHost, "192.0.2.9", "192.0.2.1", macHost + " is an address of this machine itself", host.DropSelf},
		{"that of another interface", macE1, "192.0.2.9", "192.0.2.1", macE1 + " is an address of this machine itself", host.DropSelf},
		{"broadcast", "ff:ff:ff:ff:ff:ff", "192.0.2.9", "192.0.2.1", "ff:ff:ff:ff:ff:ff is the broadcast address", host.DropBroadcastSender},
		{"multicast", "01:00:5e:00:00:01", "192.0.2.9", "192.0.2.1", "01:00:5e:00:00:01 is a multicast address (allow_multicast is 0)", host.DropMulticastSender},
		{"zero", "00:00:00:00:00:00", "192.0.2.9", "192.0.2.1", "00:00:00:00:00:00 is no host's address", host.DropZeroSender},
		{"loopback", macPeer, "127.0.0.1", "192.0.2.1", "the sender 127.0.0.1 is a loopback address", host.DropLoopbackSender},
		{"multicast sender", macPeer, "224.0.0.1", "192.0.2.1", "the sender 224.0.0.1 is a multicast address", host.DropMulticastAddress},
		{"broadcast sender", macPeer, "192.0.2.255", "192.0.2.1", "the sender 192.0.2.255 is a broadcast address of e0", host.DropBroadcastAddress},
		{"announcement", macPeer, "192.0.2.9", "192.0.2.9", "it is an announcement, and e0 ignores those (drop_gratuitous_arp)", host.DropGratuitous},
		{"asker not known", "", "224.0.0.1", "192.0.2.1", "the sender 224.0.0.1 is a multicast address", host.DropMulticastAddress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.proxyHost(nil, func(c *host.InterfaceConfig) { c.DropGratuitous = true })
				r := proxy.Request{Interface: "e0", SenderIP: ip(tt.sender), TargetIP: ip(tt.target)}
				if tt.mac != "" {
					r.SenderMAC = lladdr.MustParse(tt.mac)
				}
				e, err := n.Explain(l.t.Context(), r)
				if err != nil || !e.Dropped || e.Drop != tt.drop || e.Before != tt.want || e.Decision.Verdict != proxy.Ignore {
					t.Errorf("explained: %+v, error %v, want %q", e, err, tt.want)
				}
				if text := e.Explain(); !strings.HasSuffix(text, "\n  input:           "+tt.want+"\nNot answered.\n") {
					t.Errorf("in words:\n%s", text)
				}
				if tt.mac == "" {
					return
				}
				// And that is what becomes of it.
				s := l.stranger(macPeer)
				s.send(lladdr.Broadcast(), arp.Packet{Operation: arp.Request, SenderHW: r.SenderMAC, SenderIP: r.SenderIP, TargetIP: r.TargetIP})
				if got := n.Stats().Drops[tt.drop]; got != 1 || l.answered(n.node) != "" {
					t.Errorf("%d drops for the reason %v, want 1", got, tt.drop)
				}
			})
		})
	}
}

// TestExplainConflict: the claimant of an own address is answered for that.
func TestExplainConflict(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.proxyHost(nil)
		s := l.stranger(macPeer)
		e, err := n.Explain(l.t.Context(), proxy.Request{Interface: "e0", SenderMAC: s.mac, SenderIP: n.ip, TargetIP: ip("192.0.2.7")})
		if err != nil {
			t.Fatal(err)
		}
		const want = `e0: who has 192.0.2.7? Tell 192.0.2.1, 02:00:00:00:00:02
  input:           the sender claims 192.0.2.1, an address of this host: it is answered as if it had asked for that
  target:          192.0.2.1 may be the address of a host
  own address:     192.0.2.1 is an address of this host
Answered with 02:00:00:00:00:01, by the rule "own address".
`
		if got := e.Explain(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		if n.Stats().DupIPs != 0 || n.count(event.Conflict) != 0 {
			t.Error("explaining counted a conflict")
		}
	})
}
