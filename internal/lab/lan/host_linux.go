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

// hostInterface is the name of every host's interface on its LAN.
const hostInterface = "eth0"

// Host is a host of the lab: a namespace with an interface eth0. Its methods are
// for one goroutine.
type Host struct {
	Name string
	NS   *netns.NS
	MAC  lladdr.Addr  // present one
	Addr netip.Prefix // the first, with the length of its network

	conn  *rtnl.Conn
	index int // of eth0
}

func newHost(name string) (*Host, error) {
	ns, err := netns.New()
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", name, err)
	}
	conn, err := rtnl.Dial(rtnl.Config{NetNS: ns.FD()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making %s: %w", name, err), ns.Close())
	}
	return &Host{Name: name, NS: ns, conn: conn}, nil
}

func (h *Host) close() error { return errors.Join(h.conn.Close(), h.NS.Close()) }

// IP returns the host's first address.
func (h *Host) IP() netip.Addr { return h.Addr.Addr() }

// Interface returns the name of the host's interface on the LAN.
func (h *Host) Interface() string { return hostInterface }

// SetMAC changes the MAC address. The kernel tells nobody (arp_notify is 0).
func (h *Host) SetMAC(mac lladdr.Addr) error {
	if err := h.conn.SetLink(h.index, rtnl.LinkSpec{MAC: mac}); err != nil {
		return fmt.Errorf("changing the MAC address of %s: %w", h.Name, err)
	}
	h.MAC = mac
	return nil
}

// AddAddress adds an address. The kernel tells nobody (arp_notify is 0).
func (h *Host) AddAddress(prefix netip.Prefix) error {
	if err := h.conn.AddAddr(address(h.index, prefix)); err != nil {
		return fmt.Errorf("adding %v to %s: %w", prefix, h.Name, err)
	}
	return nil
}

// RemoveAddress removes what AddAddress added.
func (h *Host) RemoveAddress(prefix netip.Prefix) error {
	if err := h.conn.DeleteAddr(address(h.index, prefix)); err != nil {
		return fmt.Errorf("removing %v from %s: %w", prefix, h.Name, err)
	}
	return nil
}

// HasAddress reports whether the host has an address.
func (h *Host) HasAddress(ip netip.Addr) (bool, error) {
	all, err := h.conn.Addrs(h.index)
	if err != nil {
		return false, fmt.Errorf("reading the addresses of %s: %w", h.Name, err)
	}
	return slices.ContainsFunc(all, func(a rtnl.Addr) bool { return a.Local == ip }), nil
}

// SetUp sets the interface up or down.
func (h *Host) SetUp(up bool) error { return setUp(h.conn, h.index, up) }

// HasCarrier reports whether the host's interface is up and has a carrier.
func (h *Host) HasCarrier() (bool, error) {
	link, err := h.conn.Link(h.index)
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", h.Name, err)
	}
	return link.Up(), nil
}

// Neighbour returns the entry that the host's kernel has of ip on the LAN, and
// whether it has one.
func (h *Host) Neighbour(ip netip.Addr) (n rtnl.Neighbour, ok bool, err error) {
	n, err = h.conn.Neighbour(h.index, ip)
	if rtnl.IsNotExist(err) {
		return rtnl.Neighbour{}, false, nil
	}
	if err != nil {
		return rtnl.Neighbour{}, false, fmt.Errorf("reading the entry of %v on %s: %w", ip, h.Name, err)
	}
	return n, true, nil
}

// Learn gives the host's kernel a permanent entry, so that it neither asks for
// the address nor believes what others say of it.
func (h *Host) Learn(ip netip.Addr, mac lladdr.Addr) error {
	op := rtnl.NeighbourOp{Action: rtnl.Put, Index: h.index, IP: ip, MAC: mac, State: rtnl.StatePermanent}
	if err := h.conn.WriteNeighbours([]rtnl.NeighbourOp{op}); err != nil {
		return fmt.Errorf("giving %s an entry for %v: %w", h.Name, ip, err)
	}
	return nil
}

// Forget removes the entry of ip from the host's kernel, if there is one.
func (h *Host) Forget(ip netip.Addr) error {
	op := rtnl.NeighbourOp{Action: rtnl.Delete, Index: h.index, IP: ip}
	if err := h.conn.WriteNeighbours([]rtnl.NeighbourOp{op}); err != nil && !rtnl.IsNotExist(err) {
		return fmt.Errorf("making %s forget %v: %w", h.Name, ip, err)
	}
	return nil
}
