package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/testns"
)

// patience is how long something may take that happens at once on an idle
// machine. It is never waited for unless the test fails.
const patience = 60 * time.Second

// Net is a private network of hosts. It goes with its test.
type Net struct {
	t     testing.TB
	hosts map[string]*Host
}

// NewNet makes an empty network.
func NewNet(t testing.TB) *Net {
	t.Helper()
	Require(t, "ip")
	return &Net{t: t, hosts: make(map[string]*Host)}
}

// NewPair makes the network of the package comment: the hosts "isat" and "peer"
// with an interface e0 each.
func NewPair(t testing.TB) (isat, peer *Host) {
	t.Helper()
	n := NewNet(t)
	isat, peer = n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	return isat, peer
}

// The addresses of NewPair.
const (
	isatIP, isatMAC = "192.0.2.1", "02:00:00:00:00:01"
	peerIP, peerMAC = "192.0.2.2", "02:00:00:00:00:02"
)

// Host is a namespace. Its methods fail the test of the Net when they fail, and
// are safe for concurrent use as far as [testing.T.FailNow] is.
type Host struct {
	Name string
	NS   *testns.NS

	t testing.TB
}

// Host returns the host of a name, made by the first call. It does not forward
// and has no IPv6, whose traffic nobody asked for.
func (n *Net) Host(name string) *Host {
	n.t.Helper()
	h := n.hosts[name]
	if h == nil {
		h = &Host{Name: name, NS: testns.New(n.t), t: n.t}
		n.hosts[name] = h
		h.Sysctl("net.ipv6.conf.all.disable_ipv6", 1)
		h.Sysctl("net.ipv6.conf.default.disable_ipv6", 1)
	}
	return h
}

// Sysctl sets a node below net of the host's namespace.
func (h *Host) Sysctl(node string, value int) {
	h.t.Helper()
	path := "/proc/sys/" + strings.ReplaceAll(node, ".", "/")
	if err := h.NS.Do(func() error { return os.WriteFile(path, fmt.Append(nil, value), 0o644) }); err != nil {
		h.t.Fatalf("%s: setting %s: %v", h.Name, node, err)
	}
}

// end is an end of a cable.
type end struct {
	host      *Host
	name, mac string
}

// End names an end of a cable for [Net.Veth].
func (h *Host) End(name, mac string) end { return end{h, name, mac} }

// Veth lays a cable between two hosts and waits until both ends are up.
func (n *Net) Veth(a, b end) {
	n.t.Helper()
	a.host.Must("ip", "link", "add", a.name, "address", a.mac, "type", "veth",
		"peer", "name", b.name, "address", b.mac, "netns", b.host.NS.Path())
	a.host.Must("ip", "link", "set", a.name, "up")
	b.host.Must("ip", "link", "set", b.name, "up")
	a.host.AwaitRunning(a.name)
	b.host.AwaitRunning(b.name)
}

// Switch lays a cable from each end to a bridge that runs no spanning tree, in a
// host of its own of that name, where the ports have the names of the hosts.
func (n *Net) Switch(name string, ends ...end) *Host {
	n.t.Helper()
	s := n.Host(name)
	s.Must("ip", "link", "add", "br0", "type", "bridge")
	s.Must("ip", "link", "set", "br0", "up")
	for i, e := range ends {
		port := fmt.Sprintf("%s%d", e.host.Name, i)
		n.Veth(s.End(port, fmt.Sprintf("02:00:00:00:fe:%02x", i)), e)
		s.Must("ip", "link", "set", port, "master", "br0")
	}
	return s
}

// AwaitRunning waits until an interface is up with a carrier: before, frames are
// dropped.
func (h *Host) AwaitRunning(ifname string) {
	h.t.Helper()
	await(h.t, fmt.Sprintf("%s of %s is up", ifname, h.Name), func() bool {
		var flags net.Flags
		err := h.NS.Do(func() error {
			ifi, err := net.InterfaceByName(ifname)
			if err == nil {
				flags = ifi.Flags
			}
			return err
		})
		return err == nil && flags&net.FlagUp != 0 && flags&net.FlagRunning != 0
	})
}

// await waits until cond holds and fails the test after [patience].
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v have passed and it is not so that %s", patience, what)
		}
	}
}
