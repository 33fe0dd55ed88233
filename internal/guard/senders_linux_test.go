//go:build linux

package guard_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

const sendersRuleset = `table ip isat_dad { # progname ...
	flags owner

	set unverified {
		type ipv4_addr
		timeout 3s
		elements = { 192.0.2.1 }
	}

	chain postrouting {
		type filter hook postrouting priority 300; policy accept;
		oif != "lo" ip saddr @unverified counter packets 0 bytes 0 drop
	}
}
`

// openSenders opens the guard of addresses in a namespace.
func openSenders(t *testing.T, ns *testns.NS) *guard.Guard[netip.Addr] {
	t.Helper()
	var g *guard.Guard[netip.Addr]
	if err := ns.Do(func() (err error) { g, err = guard.OpenSenders(); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func TestSendersTable(t *testing.T) {
	ns := testns.New(t)
	open(t, ns) // they stand beside each other
	g := openSenders(t, ns)
	if err := g.Refresh([]netip.Addr{hostIP}); err != nil {
		t.Fatal(err)
	}
	out, err := nft(t, ns, "list", "table", "ip", "isat_dad")
	if err != nil {
		t.Fatal(err, out)
	}
	if diff := cmp.Diff(sendersRuleset, normalize(out)); diff != "" {
		t.Errorf("nft list table (-want +got):\n%s", diff)
	}
	if err := g.Add(netip.MustParseAddr("2001:db8::1")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("an IPv6 address: %v, want EINVAL", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if out, err := nft(t, ns, "list", "table", "ip", "isat_dad"); err == nil {
		t.Errorf("after Close there is\n%s", out)
	}
}

// sender sends datagrams from an address of the host to the peer, and reports
// whether they arrive.
func (l *lan) sends(t *testing.T, from string) bool {
	t.Helper()
	var s net.PacketConn
	err := l.peer.Do(func() (err error) { s, err = net.ListenPacket("udp4", "192.0.2.2:0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = l.host.Do(func() error {
		c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)}, s.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err = c.Write([]byte("x")); errors.Is(err, syscall.EPERM) {
			return nil // what a program hears of a packet that was dropped
		}
		return err
	})
	if err != nil {
		t.Fatalf("sending from %s: %v", from, err)
	}
	s.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, _, err = s.ReadFrom(make([]byte, 8))
	return err == nil
}

// addressed gives the peer its address and the host a second one.
func (l *lan) addressed(t *testing.T) {
	t.Helper()
	add := func(address string) func() error {
		return func() error {
			link, err := netlink.LinkByName("e0")
			if err != nil {
				return err
			}
			a, err := netlink.ParseAddr(address)
			if err != nil {
				return err
			}
			return netlink.AddrAdd(link, a)
		}
	}
	for _, err := range []error{l.peer.Do(add("192.0.2.2/24")), l.host.Do(add("192.0.2.3/24"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	within(t, "the host reaches the peer", func() bool { return l.sends(t, "192.0.2.1") })
}

// From a guarded address nothing leaves, from another of the same interface all
// does, and to the own programs everything.
func TestNothingLeavesFromAGuardedAddress(t *testing.T) {
	l := newLAN(t)
	l.addressed(t)
	g := openSenders(t, l.host)
	if err := g.Add(hostIP); err != nil {
		t.Fatal(err)
	}
	if l.sends(t, "192.0.2.1") {
		t.Error("a packet left from the guarded address")
	}
	c, err := g.Counters()
	if err != nil || c.Out.Packets == 0 || c.In != (guard.Count{}) {
		t.Errorf("counters %+v, %v", c, err)
	}
	g.Refresh([]netip.Addr{hostIP})
	if !l.sends(t, "192.0.2.3") {
		t.Error("no packet left from the other address")
	}
	err = l.host.Do(func() error { return exec.Command("ip", "link", "set", "lo", "up").Run() })
	if err != nil {
		t.Fatal(err)
	}
	out, err := nft(t, l.host, "list", "table", "ip", "isat_dad")
	if err != nil || !strings.Contains(out, "counter packets 1 ") {
		t.Errorf("nft list shows no packet: %v\n%s", err, out)
	}
	g.Refresh([]netip.Addr{hostIP})
	if err := l.host.Do(func() error { return pingOwn(hostIP) }); err != nil {
		t.Errorf("to an own program: %v", err)
	}
	if err := g.Remove(hostIP); err != nil {
		t.Fatal(err)
	}
	if !l.sends(t, "192.0.2.1") {
		t.Error("no packet leaves after the guard was removed")
	}
	// Nobody refreshes it any more.
	if err := g.Add(hostIP); err != nil {
		t.Fatal(err)
	}
	within(t, "the guard times out", func() bool { return l.sends(t, "192.0.2.1") })
}

// pingOwn sends a datagram from an own address to itself.
func pingOwn(ip netip.Addr) error {
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip.AsSlice()})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.WriteTo([]byte("x"), s.LocalAddr()); err != nil {
		return err
	}
	s.SetReadDeadline(time.Now().Add(patience))
	_, _, err = s.ReadFrom(make([]byte, 8))
	return err
}

// What source NAT gives the address is covered, too.
func TestSourceNATIsCovered(t *testing.T) {
	l := newLAN(t)
	l.addressed(t)
	for _, command := range []string{
		"add table ip nat",
		"add chain ip nat post { type nat hook postrouting priority srcnat; }",
		"add rule ip nat post ip saddr 192.0.2.3 snat to 192.0.2.1",
	} {
		if out, err := nft(t, l.host, command); err != nil {
			t.Fatalf("nft %s: %v\n%s", command, err, out)
		}
	}
	g := openSenders(t, l.host)
	if err := g.Add(hostIP); err != nil {
		t.Fatal(err)
	}
	if l.sends(t, "192.0.2.3") {
		t.Error("a packet left that was given the guarded address")
	}
}

// Ten thousand addresses are guarded at once, refreshed and removed.
func TestManySenders(t *testing.T) {
	ns := testns.New(t)
	g := openSenders(t, ns)
	var all []netip.Addr
	for n := range 10_000 {
		all = append(all, netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 198<<24|18<<16|uint32(n)))))
	}
	for range 2 {
		if err := g.Refresh(all); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Add(all...); err != nil { // they are there
		t.Error(err)
	}
	out, err := nft(t, ns, "-j", "list", "set", "ip", "isat_dad", "unverified")
	if n := strings.Count(out, "expires"); err != nil || n != len(all) {
		t.Errorf("%d elements, %v; want %d", n, err, len(all))
	}
	if err := g.Refresh(nil); err != nil {
		t.Error(err)
	}
}
