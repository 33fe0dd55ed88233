package lan

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/internal/lab/netns"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// LAN is the network 192.0.2.0/24 and, behind the router, 198.51.100.0/24: both
// are for documentation (RFC 5737). Its methods are for one goroutine.
type LAN struct {
	Isat   *Host // 192.0.2.1, the host that isat runs
	Alice  *Host // 192.0.2.9
	Bob    *Host // 192.0.2.10
	Router *Host // 192.0.2.254, everybody's default gateway
	Far    *Host // 198.51.100.9, behind the router

	wires  *netns.NS // the switch
	conn   *rtnl.Conn
	bridge int // index in wires
	hosts  []*Host
}

// planned is a host that every LAN has.
type planned struct {
	host   **Host
	name   string
	mac    string
	prefix string
}

// plan says who is on the LAN. The last byte of a MAC address reads like that of
// the IP address.
func (l *LAN) plan() []planned {
	return []planned{
		{&l.Isat, "isat", "02:00:00:00:00:01", "192.0.2.1/24"},
		{&l.Alice, "alice", "02:00:00:00:00:09", "192.0.2.9/24"},
		{&l.Bob, "bob", "02:00:00:00:00:10", "192.0.2.10/24"},
		{&l.Router, "router", "02:00:00:00:00:fe", "192.0.2.254/24"},
	}
}

// New builds the network, with every host and every link up. It needs
// CAP_SYS_ADMIN and CAP_NET_ADMIN in the user namespace of the process. The
// caller closes it.
func New() (*LAN, error) {
	l := &LAN{}
	if err := l.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("building a network: %w", err), l.Close())
	}
	return l, nil
}

func (l *LAN) build() (err error) {
	if err := l.buildSwitch(); err != nil {
		return err
	}
	for _, h := range l.plan() {
		if *h.host, err = l.join(h.name, lladdr.MustParse(h.mac), netip.MustParsePrefix(h.prefix)); err != nil {
			return err
		}
	}
	if err := l.buildFar(); err != nil {
		return err
	}
	for _, h := range []*Host{l.Isat, l.Alice, l.Bob} {
		if err := h.AddRoute(everywhere, l.Router.IP(), hostInterface); err != nil {
			return err
		}
	}
	return l.settle()
}

// buildSwitch makes the bridge. It forwards at once: it runs no spanning tree.
func (l *LAN) buildSwitch() (err error) {
	if l.wires, err = netns.New(); err != nil {
		return err
	}
	if l.conn, err = rtnl.Dial(rtnl.Config{NetNS: l.wires.FD()}); err != nil {
		return err
	}
	up := true
	if err := l.conn.AddLink("bridge", rtnl.LinkSpec{Name: "br0", Up: &up}); err != nil {
		return err
	}
	link, err := l.conn.LinkByName("br0")
	l.bridge = link.Index
	return err
}

// buildFar makes the router's second network, with one host in it.
func (l *LAN) buildFar() (err error) {
	port := Port{Name: "eth1", MAC: lladdr.MustParse("02:00:00:00:01:fe"), Addr: netip.MustParsePrefix("198.51.100.254/24")}
	l.Far, err = l.joinBehind(l.Router, port, "far", lladdr.MustParse("02:00:00:00:01:09"), netip.MustParsePrefix("198.51.100.9/24"))
	if err != nil {
		return err
	}
	return l.Far.AddRoute(everywhere, port.Addr.Addr(), hostInterface)
}

// Port is one more interface of a host.
type Port struct {
	Name string
	MAC  lladdr.Addr
	Addr netip.Prefix
}

// JoinBehind makes a host a router: it gets a port, with a new host on the other
// end of the cable. That one knows the network of its own address only.
func (l *LAN) JoinBehind(router *Host, port Port, name string, mac lladdr.Addr, prefix netip.Prefix) (*Host, error) {
	h, err := l.joinBehind(router, port, name, mac, prefix)
	if err != nil {
		return nil, err
	}
	return h, l.settle()
}

func (l *LAN) joinBehind(router *Host, port Port, name string, mac lladdr.Addr, prefix netip.Prefix) (*Host, error) {
	h, err := newHost(name)
	if err != nil {
		return nil, err
	}
	l.hosts = append(l.hosts, h)
	if err := h.connect(router.conn, rtnl.LinkSpec{Name: port.Name, MAC: port.MAC}, hostInterface, mac); err != nil {
		return nil, err
	}
	return h, errors.Join(h.bringUp(hostInterface, prefix), router.bringUp(port.Name, port.Addr), router.Forward())
}

// Join adds a host to the switch. Without a valid prefix it has no address: a
// host that only sends hand-made frames.
func (l *LAN) Join(name string, mac lladdr.Addr, prefix netip.Prefix) (*Host, error) {
	h, err := l.join(name, mac, prefix)
	if err != nil {
		return nil, err
	}
	return h, l.settle()
}

// join makes a host and plugs it into the switch, where its link comes up in a
// while.
func (l *LAN) join(name string, mac lladdr.Addr, prefix netip.Prefix) (*Host, error) {
	h, err := newHost(name)
	if err != nil {
		return nil, err
	}
	l.hosts = append(l.hosts, h)
	if err := h.connect(l.conn, rtnl.LinkSpec{Name: name, Master: &l.bridge}, hostInterface, mac); err != nil {
		return nil, err
	}
	if err := h.bringUp(hostInterface, prefix); err != nil {
		return nil, err
	}
	return h, nil
}

// settle waits until every link is up.
func (l *LAN) settle() error {
	conns := []*rtnl.Conn{l.conn}
	for _, h := range l.hosts {
		conns = append(conns, h.conn)
	}
	return settle(conns)
}

// Switch is the namespace of the bridge, where each host on it has a port with
// the host's name.
func (l *LAN) Switch() *netns.NS { return l.wires }

// SetCarrier pulls the cable of a host out of the switch, or plugs it in again.
func (l *LAN) SetCarrier(h *Host, on bool) error {
	port, err := l.conn.LinkByName(h.Name)
	if err != nil {
		return fmt.Errorf("finding the switch's port %s: %w", h.Name, err)
	}
	return setUp(l.conn, port.Index, on)
}

// Hosts returns every host there is.
func (l *LAN) Hosts() []*Host { return slices.Clone(l.hosts) }

// Close takes the network down. Namespaces that processes are still in go when
// those end.
func (l *LAN) Close() error {
	var errs []error
	for _, h := range l.hosts {
		errs = append(errs, h.close())
	}
	if l.conn != nil {
		errs = append(errs, l.conn.Close())
	}
	if l.wires != nil {
		errs = append(errs, l.wires.Close())
	}
	return errors.Join(errs...)
}
