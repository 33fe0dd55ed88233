package e2e

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What arp(8) can say of an entry holds for a host of its own, where nothing is
// left to Linux: rejected packets are EHOSTDOWN, or EHOSTUNREACH of a gateway,
// dropped ones vanish without a word, and who is answered for is not sent to.
func TestTUNEntries(t *testing.T) {
	t.Parallel()
	d, isat, peer := newTUN(t, tunConfig)
	isat.Must("ping", "-c", "1", peerIP)

	must(t, d, "arp", "-s", peerIP, peerMAC, "reject")
	for name, got := range map[string]error{"TCP": connectError(t, isat, peerIP), "UDP": udpError(t, isat, peerIP)} {
		if !errors.Is(got, syscall.EHOSTDOWN) {
			t.Errorf("%s to a rejected neighbour: %v, want EHOSTDOWN", name, got)
		}
	}
	if offender, err := queueError(t, isat, peerIP); !errors.Is(err, syscall.EHOSTDOWN) || offender.String() != peerIP {
		t.Errorf("IP_RECVERR for a rejected neighbour: %v from %v, want EHOSTDOWN", err, offender)
	}
	if r := d.Tool("route"); !strings.Contains(r.Stdout, "UHRLS") {
		t.Errorf("isat route says\n%s", r.Stdout)
	}

	// The gateway of everything else.
	must(t, d, "arp", "-s", "192.0.2.254", "02:00:00:00:00:fe", "reject")
	if err := connectError(t, isat, "198.51.100.1"); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("TCP by a rejected gateway: %v, want EHOSTUNREACH", err)
	}

	// Nothing comes back, and nothing is on the wire.
	must(t, d, "arp", "-S", peerIP, peerMAC, "blackhole")
	since := len(d.Wire("e0").Frames())
	fd := isat.socket(unix.SOCK_DGRAM)
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := unix.Sendto(fd, []byte("x"), 0, to(peerIP)); err != nil {
			t.Errorf("sending into the blackhole: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if got := d.Wire("e0").Since(since, ipTo(peerIP)); len(got) != 0 {
		t.Errorf("%d packets for a blackhole are on the wire", len(got))
	}

	// Forwarding again.
	must(t, d, "arp", "-d", peerIP)
	isat.Must("ping", "-c", "1", peerIP)

	// Answered for, by all means, and no traffic of ours by it.
	must(t, d, "arp", "-s", "192.0.2.77", "auto", "pub", "only")
	if out := peer.Must("arping", "-c", "1", "-I", "e0", "192.0.2.77"); !strings.Contains(strings.ToLower(out), isatMAC) {
		t.Errorf("arping says\n%s", out)
	}
	if r := d.Tool("arp", "-n", "192.0.2.77"); !strings.Contains(r.Stdout, "permanent published (proxy only) [ethernet]") {
		t.Errorf("isat arp -n says\n%s", r.Stdout)
	}
	if err := connectError(t, isat, "192.0.2.77"); !errors.Is(err, syscall.EHOSTDOWN) {
		t.Errorf("TCP to who is answered for only: %v, want EHOSTDOWN: nobody is there", err)
	}
}

// A host of its own is a router's ARP, too: with proxyall it answers for what the
// kernel forwards to by another interface, and for nothing else.
func TestTUNProxyall(t *testing.T) {
	t.Parallel()
	d, isat, peer := newTUN(t, tunConfig)
	isat.Sysctl("net.ipv4.ip_forward", 1)
	isat.Must("ip", "link", "add", "far0", "type", "veth", "peer", "name", "far1")
	isat.Must("ip", "link", "set", "far0", "up")
	isat.Must("ip", "link", "set", "far1", "up")
	isat.Must("ip", "route", "add", "203.0.113.0/24", "dev", "far0")
	peer.Must("ip", "route", "add", "203.0.113.0/24", "dev", "e0")
	peer.Must("ip", "route", "add", "198.51.100.0/24", "dev", "e0")
	asks := func(address string) bool {
		out := peer.Run("arping", "-c", "1", "-w", "1", "-I", "e0", address).Stdout
		return strings.Contains(strings.ToLower(out), isatMAC)
	}
	if asks("203.0.113.9") {
		t.Error("answered without proxyall")
	}
	must(t, d, "sysctl", "net.link.ether.inet.proxyall=1")
	if !asks("203.0.113.9") {
		t.Error("no answer for what is behind far0")
	}
	if asks("198.51.100.9") {
		t.Error("answered for what is behind the interface of the request (the default route)")
	}
	r := must(t, d, "explain", "isat0", "203.0.113.9", peerIP)
	if !strings.Contains(r.Stdout, "far0") {
		t.Errorf("isat explain says\n%s", r.Stdout)
	}
}

// must runs a tool of isat that has to succeed.
func must(t *testing.T, d *ISAT, args ...string) Result {
	t.Helper()
	r := d.Tool(args...)
	if r.Code != 0 {
		t.Fatalf("isat %s: exit %d: %s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r
}
