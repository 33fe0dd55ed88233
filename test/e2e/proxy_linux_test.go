package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// proxying is the configuration of a router between two halves of a network.
const proxying = `
[sysctl]
"net.link.ether.inet.proxyall" = 1
"net.link.ether.arp.log_level" = 7

[[interface]]
name = "e0"
dad = false

[[interface]]
name = "e1"
dad = false
`

// The network of proxying. The hosts believe that they are on one link.
const (
	leftIP, leftMAC   = "192.0.2.10", "02:00:00:00:00:0a"
	rightIP, rightMAC = "192.0.2.200", "02:00:00:00:00:c8"
	rightwardMAC      = "02:00:00:00:01:01" // of the router's e1
)

// proxyNet makes the network of proxying; the router forwards.
//
//	left 192.0.2.10/24 e0 ──── e0 192.0.2.1/25 isat 192.0.2.129/25 e1 ──── e0 192.0.2.200/24 right
func proxyNet(t *testing.T) (isat, left, right *Host) {
	t.Helper()
	n := NewNet(t)
	isat, left, right = n.Host("isat"), n.Host("left"), n.Host("right")
	n.Veth(isat.End("e0", isatMAC), left.End("e0", leftMAC))
	n.Veth(isat.End("e1", rightwardMAC), right.End("e0", rightMAC))
	isat.Must("ip", "addr", "add", "192.0.2.1/25", "dev", "e0")
	isat.Must("ip", "addr", "add", "192.0.2.129/25", "dev", "e1")
	left.Must("ip", "addr", "add", leftIP+"/24", "dev", "e0")
	right.Must("ip", "addr", "add", rightIP+"/24", "dev", "e0")
	isat.Sysctl("net.ipv4.ip_forward", 1)
	return isat, left, right
}

// arping asks for an address once or twice and returns the MAC of the answer, ""
// if nobody answers.
func (h *Host) arping(ip string, args ...string) string {
	h.t.Helper()
	r := h.Run(append([]string{"arping", "-f", "-c", "2", "-w", "3", "-I", "e0", ip}, args...)...)
	_, mac, ok := strings.Cut(r.Stdout, " reply from "+ip+" [") // or broadcast, by package acd
	if !ok {
		return ""
	}
	mac, _, _ = strings.Cut(mac, "]")
	return mac
}

// TestProxyall: two Linux kernels on either side of a proxying isat host reach
// each other with no route or entry of their own, by ping and by arping. Without
// isat they do not.
func TestProxyall(t *testing.T) {
	t.Parallel()
	Require(t, "ping", "arping")
	isat, left, right := proxyNet(t)
	if r := left.Run("ping", "-q", "-c", "1", "-W", "1", rightIP); r.Code == 0 {
		t.Fatal("the hosts reach each other without isat")
	}
	d := StartISAT(t, isat, proxying)
	for _, end := range []struct {
		from         *Host
		to, mac, own string
	}{{left, rightIP, isatMAC, leftIP}, {right, leftIP, rightwardMAC, rightIP}} {
		end.from.Must("ping", "-q", "-c", "3", "-i", "0.2", "-W", "10", end.to)
		if n, _ := end.from.Neighbour("e0", end.to); n.MAC != end.mac {
			t.Errorf("%s has the neighbour %+v, want %s", end.from.Name, n, end.mac)
		}
		if got := end.from.arping(end.to); got != end.mac {
			t.Errorf("arping of %s from %s is answered by %q, want %s", end.to, end.from.Name, got, end.mac)
		}
		if routes := strings.TrimSpace(end.from.Must("ip", "route")); strings.Contains(routes, "\n") {
			t.Errorf("%s has routes besides its own network:\n%s", end.from.Name, routes)
		}
		if n := d.Said("arp: proxying for " + end.to); n == 0 {
			t.Errorf("isat said nothing of %s", end.to)
		}
	}

	for _, tt := range []struct {
		name string
		ip   string
		args []string
	}{
		{"behind the same interface", "192.0.2.77", nil},
		{"nowhere", "198.51.100.9", nil},
		{"broadcast address of the other half", "192.0.2.255", []string{"-b"}},
		{"a probe", rightIP, []string{"-D"}},
	} {
		if got := left.arping(tt.ip, tt.args...); got != "" {
			t.Errorf("%s: %s is answered with %s", tt.name, tt.ip, got)
		}
	}
	left.Must("ping", "-q", "-c", "1", "-W", "10", rightIP)
}

// TestProxyallOwner: a host that was heard on one side and asks on the other for
// its own address is not told that it is taken; others are.
func TestProxyallOwner(t *testing.T) {
	t.Parallel()
	isat, left, right := proxyNet(t)
	d := StartISAT(t, isat, proxying)
	d.Wire("e1").AllowClaims("the left host's MAC is on both sides")
	left.Must("ping", "-q", "-c", "1", "-W", "10", "192.0.2.1")
	wire := right.Capture("e0")
	ask := func(mac string) {
		from := lladdr.MustParse(mac)
		wire.Send(link.Ethernet{}.Append(nil, link.Header{Source: from, Destination: lladdr.Broadcast(), Type: link.TypeARP}, arp.Packet{
			HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
			SenderHW: from, SenderIP: netip.MustParseAddr("192.0.2.201"), TargetIP: netip.MustParseAddr(leftIP),
		}.AppendTo(nil)))
	}
	const other = "02:00:00:00:00:cc"
	mark := wire.Mark()
	ask(leftMAC)
	ask(other) // by its answer the first request has been dealt with
	wire.Await(mark, "the answer to another", both(isAt(leftIP), func(f Frame) bool { return f.Header.Destination.String() == other }))
	if got := wire.Since(mark, both(isAt(leftIP), func(f Frame) bool { return f.Header.Destination.String() == leftMAC })); len(got) > 0 {
		t.Errorf("the owner was answered: %v", got[0].Packet)
	}
}

// TestPublishedOnly: what `isat arp -s ... auto pub only` publishes is answered
// with isat's MAC, as arping of iputils sees it, and only as long as it is there.
// The kernel's table has no entry of it.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestPublishedOnly(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	const published = "192.0.2.50"
	if got := peer.arping(published); got != "" {
		t.Fatalf("%s is answered with %s before it is published", published, got)
	}
	if r := d.Tool("arp", "-s", published, "auto", "pub", "only"); r.Code != 0 {
		t.Fatalf("isat arp -s: %+v", r)
	}
	if got := peer.arping(published); got != isatMAC {
		t.Errorf("%s is answered with %q, want %s", published, got, isatMAC)
	}
	if r := peer.Run("arping", "-D", "-f", "-c", "2", "-w", "10", "-I", "e0", published); r.Code != 1 {
		t.Errorf("arping -D finds the published address free: %+v", r)
	}
	if n, ok := isat.Neighbour("e0", published); ok {
		t.Errorf("the kernel has %+v", n)
	}
	if r := d.Tool("arp", "-d", published, "pub"); r.Code != 0 {
		t.Errorf("isat arp -d: %+v", r)
	}
	if got := peer.arping(published); got != "" {
		t.Errorf("%s is answered with %s after it was deleted", published, got)
	}
}

// TestProxyallPolicy: proxyall goes by the kernel's routing decision, its policy
// rules included, and follows changes of rules and routes. That it does so at once
// is for the tests of package host, whose clock does not run by itself.
func TestProxyallPolicy(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	isat, left, right := proxyNet(t)
	left.Must("ip", "addr", "add", "192.0.2.11/24", "dev", "e0")
	right.Must("ip", "addr", "add", "198.51.100.7/32", "dev", "e0")
	StartISAT(t, isat, proxying)
	const other = "192.0.2.11"
	for _, step := range []struct {
		change string // with ip, on isat's host
		to     string
		from   string
		want   string
	}{
		{"", rightIP, leftIP, isatMAC},
		{"rule add from " + leftIP + " to " + rightIP + " prohibit", rightIP, leftIP, ""},
		{"", rightIP, other, isatMAC},
		{"rule del from " + leftIP + " to " + rightIP + " prohibit", rightIP, leftIP, isatMAC},
		{"", "198.51.100.7", leftIP, ""},
		{"route add 198.51.100.7 dev e1", "198.51.100.7", leftIP, isatMAC},
		{"route replace 198.51.100.7 dev e0", "198.51.100.7", leftIP, ""},
		{"route replace blackhole 198.51.100.7", "198.51.100.7", leftIP, ""},
		{"route replace default dev e1", "203.0.113.1", leftIP, isatMAC},
		{"route del default", "203.0.113.1", leftIP, ""},
	} {
		if step.change != "" {
			isat.Must(append([]string{"ip"}, strings.Fields(step.change)...)...)
		}
		// The kernel's message about the change may come after the first request.
		await(t, fmt.Sprintf("after ip %s %s asks for %s and gets %q", step.change, step.from, step.to, step.want), func() bool {
			return left.arping(step.to, "-s", step.from) == step.want
		})
	}
}
