package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestHostProxyARP sets Linux' own ways to answer for others, proxy_arp and proxy
// neighbours, and asks at first the kernel and then isat: a takeover changes
// nothing that a peer can reach. The kernel delays such answers at random
// (proxy_delay), isat does not, so that is 0 here.
//
// Two things isat does otherwise on purpose (docs/takeover.md): it does not answer
// the owner of an address, and does answer a probe for a published one.
//
//	198.51.100.1 e1 isat e0 192.0.2.1/24, 203.0.113.1/24 ──── e0 peer
func TestHostProxyARP(t *testing.T) {
	t.Parallel()
	const behind, proxied, onLink = "198.51.100.9", "192.0.2.66", "192.0.2.67"
	questions := [][2]string{
		{peerIP, isatIP},
		{peerIP, behind},
		{"203.0.113.9", behind},
		{"198.51.100.7", behind},  // the way back is another
		{"10.9.9.9", behind},      // there is no way back
		{isatIP, "203.0.113.77"},  // an own address asks
		{"0.0.0.0", behind},       // a probe
		{behind, behind},          // the owner announces itself
		{"0.0.0.0", proxied},      // a probe for a proxy neighbour
		{peerIP, "192.0.2.77"},    // on the link
		{peerIP, "203.0.113.77"},  // on the link, too
		{peerIP, "10.9.9.9"},      // no route
		{peerIP, "198.51.100.13"}, // an unreachable route
		{peerIP, proxied},         // a proxy neighbour, routed by e1
		{"203.0.113.9", proxied},  //
		{peerIP, onLink},          // a proxy neighbour, routed by e0
	}
	for _, test := range []struct {
		name  string
		setup func(h *Host)
		least int // answers of the kernel
	}{
		{"nothing", func(*Host) {}, 1},
		{"proxy_arp", func(h *Host) { h.Sysctl("net.ipv4.conf.e0.proxy_arp", 1) }, 4},
		{"proxy_arp of all", func(h *Host) { h.Sysctl("net.ipv4.conf.all.proxy_arp", 1) }, 4},
		{"proxy_arp with strict rp_filter", func(h *Host) {
			h.Sysctl("net.ipv4.conf.e0.proxy_arp", 1)
			h.Sysctl("net.ipv4.conf.e0.rp_filter", 1)
		}, 3},
		{"proxy_arp without forwarding", func(h *Host) {
			h.Sysctl("net.ipv4.conf.e0.proxy_arp", 1)
			h.Sysctl("net.ipv4.conf.e0.forwarding", 0)
		}, 1},
		{"proxy_arp with medium_id -1", func(h *Host) {
			h.Sysctl("net.ipv4.conf.e0.proxy_arp", 1)
			h.Sysctl("net.ipv4.conf.e0.medium_id", -1)
		}, 1},
		{"proxy neighbours", func(h *Host) {
			h.Must("ip", "neigh", "add", "proxy", proxied, "dev", "e0")
			h.Must("ip", "neigh", "add", "proxy", onLink, "dev", "e0")
		}, 3},
		{"proxy neighbours without forwarding", func(h *Host) {
			h.Must("ip", "neigh", "add", "proxy", proxied, "dev", "e0")
			h.Sysctl("net.ipv4.conf.e0.forwarding", 0)
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			isat, peer := policyNet(t)
			isat.Sysctl("net.ipv4.ip_forward", 1)
			isat.Sysctl("net.ipv4.neigh.e0.proxy_delay", 0)
			isat.Must("ip", "route", "add", proxied, "dev", "e1")
			isat.Must("ip", "route", "add", "unreachable", "198.51.100.13")
			test.setup(isat)
			wire := peer.Capture("e0")

			ask := func() int {
				mark := wire.Mark()
				for i, q := range questions {
					wire.Send(request(q[0], questionMAC(i), q[1]))
				}
				return mark
			}
			answered := func(mark int) (got []string) {
				for i, q := range questions {
					if len(wire.Since(mark, both(isAt(q[1]), func(f Frame) bool { return f.Header.Destination.String() == questionMAC(i) }))) > 0 {
						got = append(got, fmt.Sprintf("%s to %s", q[1], q[0]))
					}
				}
				return got
			}
			mark := ask()
			time.Sleep(100 * time.Millisecond) // the kernel answers before the frames are sent
			want := answered(mark)
			want = slices.DeleteFunc(want, func(s string) bool { return s == behind+" to "+behind })
			if slices.Contains(want, proxied+" to "+peerIP) && test.name == "proxy neighbours" {
				at := slices.Index(want, proxied+" to "+peerIP)
				want = slices.Insert(want, at, proxied+" to 0.0.0.0")
			}
			if len(want) < test.least {
				t.Fatalf("the kernel answers %q, want %d at least", want, test.least)
			}
			proxies := isat.Must("ip", "neigh", "show", "proxy")
			d := StartISAT(t, isat, standard)
			d.Wire("e0").AllowClaims("every question has a MAC of its own, and isat answers for others")
			mark = ask()
			await(t, fmt.Sprintf("isat answers as the kernel: %q", want), func() bool { return slices.Equal(answered(mark), want) })
			time.Sleep(100 * time.Millisecond) // and nothing more
			if got := answered(mark); !slices.Equal(got, want) {
				t.Errorf("isat answers\n%q\nthe kernel\n%q", got, want)
			}
			if now := isat.Must("ip", "neigh", "show", "proxy"); now != proxies {
				t.Errorf("the kernel's proxy neighbours are now\n%s\nwere\n%s", now, proxies)
			}
		})
	}
}

// questionMAC is the address of whoever asks question i, which its answer is sent
// to.
func questionMAC(i int) string { return fmt.Sprintf("02:00:00:00:aa:%02x", i) }

// TestHostProxyARPLater changes these settings while isat runs.
func TestHostProxyARPLater(t *testing.T) {
	t.Parallel()
	isat, peer := policyNet(t)
	isat.Sysctl("net.ipv4.ip_forward", 1)
	isat.Must("ip", "route", "add", "192.0.2.66", "dev", "e1")
	d := StartISAT(t, isat, standard)
	d.Wire("e0").AllowClaims("isat answers for others")
	wire := peer.Capture("e0")
	answers := func(ip string) func() bool {
		return func() bool {
			mark := wire.Mark()
			wire.Send(request(peerIP, peerMAC, ip))
			time.Sleep(20 * time.Millisecond)
			return len(wire.Since(mark, isAt(ip))) > 0
		}
	}
	silent := func(ip string) func() bool {
		return func() bool { return !answers(ip)() }
	}
	for _, step := range []struct {
		what string
		do   func()
		is   func() bool
	}{
		{"silent without proxy_arp", func() {}, silent("198.51.100.9")},
		{"proxy_arp", func() { isat.Sysctl("net.ipv4.conf.e0.proxy_arp", 1) }, answers("198.51.100.9")},
		{"the route is gone", func() { isat.Must("ip", "route", "add", "unreachable", "198.51.100.9") }, silent("198.51.100.9")},
		{"the route is back", func() { isat.Must("ip", "route", "del", "unreachable", "198.51.100.9") }, answers("198.51.100.9")},
		{"forwarding off", func() { isat.Sysctl("net.ipv4.conf.e0.forwarding", 0) }, silent("198.51.100.9")},
		{"forwarding on", func() { isat.Sysctl("net.ipv4.conf.e0.forwarding", 1) }, answers("198.51.100.9")},
		{"proxy_arp off", func() { isat.Sysctl("net.ipv4.conf.e0.proxy_arp", 0) }, silent("198.51.100.9")},
		{"a proxy neighbour", func() { isat.Must("ip", "neigh", "add", "proxy", "192.0.2.66", "dev", "e0") }, answers("192.0.2.66")},
		{"it is gone", func() { isat.Must("ip", "neigh", "del", "proxy", "192.0.2.66", "dev", "e0") }, silent("192.0.2.66")},
	} {
		step.do()
		await(t, step.what, step.is)
	}
}
