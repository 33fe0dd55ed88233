package host_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// sink is a port that keeps what is sent and has nothing to read.
type sink struct {
	mu     sync.Mutex
	frames [][]byte
}

func (s *sink) ReadFrames([][]byte) (int, error) { return 0, net.ErrClosed }
func (s *sink) Close() error                     { return nil }
func (s *sink) WriteFrames(frames [][]byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range frames {
		s.frames = append(s.frames, bytes.Clone(f))
	}
	return len(frames), nil
}

// count returns how many frames were sent.
func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.frames)
}

// checkReply checks a reply byte for byte against the request.
func checkReply(t *testing.T, reply, request []byte) {
	t.Helper()
	if len(reply) != 60 {
		t.Fatalf("a reply of %d bytes, want 60: the smallest frame", len(reply))
	}
	if !bytes.Equal(reply[42:], make([]byte, 18)) {
		t.Errorf("padding %x is not zero", reply[42:])
	}
	h, payload, err := link.Ethernet{}.Parse(reply)
	if err != nil {
		t.Fatal(err)
	}
	got, err := arp.Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	_, payload, err = link.Ethernet{}.Parse(request)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := arp.Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	if got.Operation != arp.Reply || asked.Operation != arp.Request {
		t.Errorf("%v answered with %v", asked, got)
	}
	if got.TargetHW != asked.SenderHW || got.TargetIP != asked.SenderIP || got.SenderHW != h.Source {
		t.Errorf("%v answered with %v to %v %v", asked, got, got.TargetHW, got.TargetIP)
	}
	want := asked.SenderHW
	if got.SenderIP.IsLinkLocalUnicast() {
		want = lladdr.Broadcast()
	}
	if h.Destination != want {
		t.Errorf("sent to %v, want %v", h.Destination, want)
	}
}

// TestReplyBytes has the frames as they are on the wire.
func TestReplyBytes(t *testing.T) {
	const padding = "000000000000000000000000000000000000"
	for _, tt := range []struct {
		name           string
		target, sender string
		want           string // "" if not answered
	}{
		{"request", "192.0.2.1", "192.0.2.9",
			"020000000002 020000000001 0806 0001080006040002 020000000001 c0000201 020000000002 c0000209" + padding},
		{"probe", "192.0.2.1", "0.0.0.0",
			"020000000002 020000000001 0806 0001080006040002 020000000001 c0000201 020000000002 00000000" + padding},
		{"conflict", "192.0.2.1", "192.0.2.1",
			"020000000002 020000000001 0806 0001080006040002 020000000001 c0000201 020000000002 c0000201" + padding},
		{"conflict, asking for another", "192.0.2.7", "192.0.2.1",
			"020000000002 020000000001 0806 0001080006040002 020000000001 c0000201 020000000002 c0000201" + padding},
		{"link-local", "169.254.7.7", "169.254.1.1",
			"ffffffffffff 020000000001 0806 0001080006040002 020000000001 a9fe0707 020000000002 a9fe0101" + padding},
		{"another", "192.0.2.7", "192.0.2.9", ""},
		{"own network's broadcast address", "192.0.2.255", "192.0.2.9", ""},
		{"loopback", "127.0.0.1", "192.0.2.9", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) {
					c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("169.254.7.7/16")})
				})
				s := l.stranger(macPeer)
				// A request with padding that is not zero: none of it comes back.
				frame := link.Ethernet{}.Append(nil, link.Header{Destination: lladdr.Broadcast(), Source: s.mac, Type: link.TypeARP},
					s.fill(arp.Packet{Operation: arp.Request, SenderIP: ip(tt.sender), TargetIP: ip(tt.target), TargetHW: lladdr.Broadcast()}).AppendTo(nil))
				copy(frame[42:], bytes.Repeat([]byte{0xee}, 18))
				s.raw(append(frame, 0xee, 0xee, 0xee))
				var got []string
				for _, f := range l.from(n) {
					got = append(got, fmt.Sprintf("%x", f.frame))
				}
				var want []string
				if tt.want != "" {
					want = []string{fmt.Sprintf("%x", hexFrame(tt.want))}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("frames (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestConflict: a claim of an own address is told, answered if it is a request,
// and never learned (facts/freebsd-arp.md 3.3 step 6).
func TestConflict(t *testing.T) {
	for _, op := range []arp.Operation{arp.Request, arp.Reply, arp.ReverseReply} {
		t.Run(op.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				n := l.host(macHost, "192.0.2.1/24")
				l.stranger(macPeer).send(lladdr.Broadcast(), arp.Packet{Operation: op, SenderIP: n.ip, TargetIP: n.ip})
				want := 0
				if op == arp.Request {
					want = 1
				}
				if got := len(l.from(n)); got != want {
					t.Errorf("%d answers, want %d", got, want)
				}
				for _, e := range n.Entry(n.ip) {
					if !e.Own {
						t.Errorf("learned %+v", e)
					}
				}
				seen := n.seen(event.Conflict)
				if len(seen) != 1 || seen[0].Message != "arp: 02:00:00:00:00:02 is using my IP address 192.0.2.1 on e0!" || seen[0].Severity != event.Error {
					t.Errorf("events %+v", seen)
				}
				if got := n.Stats().DupIPs; got != 1 {
					t.Errorf("dupips %d, want 1", got)
				}
			})
		})
	}
}

// TestReplyPolicy has the values of arp_ignore (ip-sysctl.rst): who is answered
// on e0 for an address of e0, of another interface, and of scope host.
func TestReplyPolicy(t *testing.T) {
	for _, tt := range []struct {
		policy host.ReplyPolicy
		asked  map[string]bool // target and sender
	}{
		{host.ReplyAny, map[string]bool{"192.0.2.1 192.0.2.9": true, "192.0.2.1 198.51.100.9": true, "203.0.113.1 192.0.2.9": true, "10.9.9.9 192.0.2.9": true, "10.0.0.5 192.0.2.9": true}},
		{host.ReplyInterface, map[string]bool{"192.0.2.1 192.0.2.9": true, "192.0.2.1 198.51.100.9": true, "203.0.113.1 192.0.2.9": false, "10.9.9.9 192.0.2.9": false}},
		{host.ReplySameSubnet, map[string]bool{"192.0.2.1 192.0.2.9": true, "192.0.2.1 0.0.0.0": true, "192.0.2.1 198.51.100.9": false, "203.0.113.1 192.0.2.9": false}},
		{host.ReplyNotHost, map[string]bool{"192.0.2.1 192.0.2.9": true, "203.0.113.1 192.0.2.9": true, "10.9.9.9 192.0.2.9": false}},
		{host.ReplyNever, map[string]bool{"192.0.2.1 192.0.2.9": false, "203.0.113.1 192.0.2.9": false}},
	} {
		for question, want := range tt.asked {
			t.Run(fmt.Sprintf("%d: %s", tt.policy, question), func(t *testing.T) {
				onLAN(t, func(l *lan) {
					n := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) { c.Reply = tt.policy })
					n.SetLocal([]host.Address{
						{Prefix: prefix("192.0.2.1/32")}, {Prefix: prefix("203.0.113.1/32")},
						{Prefix: prefix("10.9.9.9/32"), HostScope: true}, {Prefix: prefix("10.0.0.0/24")},
					})
					var target, sender string
					fmt.Sscan(question, &target, &sender)
					l.stranger(macPeer).ask(target, sender)
					if got := len(l.from(n)) == 1; got != want {
						t.Errorf("answered: %v, want %v", got, want)
					}
				})
			})
		}
	}
}
