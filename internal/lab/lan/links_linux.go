package lan

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// connect lays a cable: a veth from port, which conn makes in its own namespace,
// to a new interface of a host. The host's end is down.
func (h *Host) connect(conn *rtnl.Conn, port rtnl.LinkSpec, name string, mac lladdr.Addr) error {
	up := true
	port.Up = &up
	if err := conn.AddVeth(port, rtnl.LinkSpec{Name: name, MAC: mac, NetNS: h.NS.FD()}); err != nil {
		return fmt.Errorf("connecting %s: %w", h.Name, err)
	}
	return nil
}

// bringUp gives an interface of the host an address, unless prefix is the zero
// Prefix, and sets it up. The first one so treated is the host's own.
func (h *Host) bringUp(name string, prefix netip.Prefix) error {
	link, err := h.conn.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s of %s: %w", name, h.Name, err)
	}
	if h.index == 0 {
		h.MAC, h.Addr, h.index = link.MAC, prefix, link.Index
	}
	if prefix.IsValid() {
		if err := h.conn.AddAddr(address(link.Index, prefix)); err != nil {
			return fmt.Errorf("adding %v to %s: %w", prefix, h.Name, err)
		}
	}
	return setUp(h.conn, link.Index, true)
}

// everywhere is the destination of a default route.
var everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// AddRoute adds a route by an interface of the host: to a gateway there, or, with
// the zero Addr, to a network on the link itself.
func (h *Host) AddRoute(dst netip.Prefix, gateway netip.Addr, name string) error {
	link, err := h.conn.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s of %s: %w", name, h.Name, err)
	}
	r := rtnl.Route{Dst: dst, NextHop: rtnl.NextHop{Gateway: gateway, OIF: link.Index}, Protocol: rtnl.ProtocolBoot}
	if !gateway.IsValid() {
		r.Scope = rtnl.ScopeLink
	}
	if err := h.conn.AddRoute(r); err != nil {
		return fmt.Errorf("adding a route to %v to %s: %w", dst, h.Name, err)
	}
	return nil
}

// Forward makes the host a router, by netlink: /proc/sys may be read-only.
func (h *Host) Forward() error {
	links, err := h.conn.Links()
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := h.conn.SetInetConf(link.Index, map[rtnl.ConfKey]int32{rtnl.ConfForwarding: 1}); err != nil {
			return fmt.Errorf("making %s a router: %w", h.Name, err)
		}
	}
	return nil
}

func setUp(conn *rtnl.Conn, index int, up bool) error {
	return conn.SetLink(index, rtnl.LinkSpec{Up: &up})
}

func address(index int, prefix netip.Prefix) rtnl.Addr {
	return rtnl.Addr{Index: index, Local: prefix.Addr(), Prefix: prefix.Masked(), Preferred: rtnl.Forever, Valid: rtnl.Forever}
}

// settleLimit is how long a busy machine may take to bring all links up. Linux
// does it at its leisure, a second later at times (net/core/link_watch.c).
const settleLimit = 10 * time.Second

// settle waits until every link is up: before, frames are dropped.
func settle(conns []*rtnl.Conn) error {
	deadline := time.Now().Add(settleLimit)
	for _, conn := range conns {
		for {
			up, err := allUp(conn)
			if err != nil {
				return err
			}
			if up {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("links not up within %v", settleLimit)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

// allUp reports whether all cables of a namespace are up.
func allUp(conn *rtnl.Conn) (bool, error) {
	links, err := conn.Links()
	if err != nil {
		return false, fmt.Errorf("looking at links: %w", err)
	}
	for _, link := range links {
		if link.Kind == "veth" && link.OperState != rtnl.OperUp {
			return false, nil
		}
	}
	return true, nil
}
