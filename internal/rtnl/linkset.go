//go:build linux

package rtnl

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// LinkSpec is what to set of a link, or to give to a new one. A zero field is
// left as it is, or as the kernel has it for new links.
type LinkSpec struct {
	Name   string
	MAC    lladdr.Addr
	MTU    int
	Up     *bool // up or down by the administrator
	NoARP  *bool // the kernel speaks no ARP on it
	Master *int  // index of the link to be a port of, 0: of none
	NetNS  int   // descriptor of the network namespace to be in
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h: struct ifinfomsg and attributes
// of the other end.
const vethInfoPeer = 1

// SetLink changes a link. When one of the values is refused those before it have
// been set: the kernel takes NetNS, MAC, MTU, Name, Up and NoARP, Master in this
// order (do_setlink).
func (c *Conn) SetLink(index int, l LinkSpec) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_SETLINK, 0)
	m.linkSpec(index, &l)
	if err := c.do(nil); err != nil {
		return fmt.Errorf("changing link %d: %w", index, err)
	}
	return nil
}

// AddLink makes a link of a kind that needs no parameters, such as "bridge".
// EEXIST if the name is taken.
func (c *Conn) AddLink(kind string, l LinkSpec) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	m.linkSpec(0, &l)
	info := m.nest(unix.IFLA_LINKINFO)
	m.string(unix.IFLA_INFO_KIND, kind)
	m.endNest(info)
	if err := c.do(nil); err != nil {
		return fmt.Errorf("making %s %s: %w", kind, l.Name, err)
	}
	return nil
}

// AddVeth makes a pair of links that are the ends of one cable, each in the
// namespace that its NetNS says. The peer has no Master, which the kernel would
// not set, and is not Up, because it is made first and has no other end yet
// (veth_open gives ENOTCONN): EINVAL.
func (c *Conn) AddVeth(l, peer LinkSpec) error {
	if peer.Master != nil || peer.Up != nil {
		return fmt.Errorf("making veth %s: master or state of the peer %s: %w", l.Name, peer.Name, unix.EINVAL)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	m.linkSpec(0, &l)
	info := m.nest(unix.IFLA_LINKINFO)
	m.string(unix.IFLA_INFO_KIND, "veth")
	data := m.nest(unix.IFLA_INFO_DATA)
	p := m.nest(vethInfoPeer)
	m.linkSpec(0, &peer)
	m.endNest(p)
	m.endNest(data)
	m.endNest(info)
	if err := c.do(nil); err != nil {
		return fmt.Errorf("making veth %s with peer %s: %w", l.Name, peer.Name, err)
	}
	return nil
}

// DeleteLink removes a link, and its peer if it is a veth.
func (c *Conn) DeleteLink(index int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(unix.RTM_DELLINK, 0).ifinfomsg(index, 0, 0)
	if err := c.do(nil); err != nil {
		return fmt.Errorf("deleting link %d: %w", index, err)
	}
	return nil
}

// linkSpec appends struct ifinfomsg and the attributes of l.
func (m *builder) linkSpec(index int, l *LinkSpec) {
	var flags, change LinkFlags
	for _, f := range []struct {
		set  *bool
		flag LinkFlags
	}{{l.Up, LinkUp}, {l.NoARP, LinkNoARP}} {
		if f.set != nil {
			change |= f.flag
			if *f.set {
				flags |= f.flag
			}
		}
	}
	m.ifinfomsg(index, flags, change)
	if l.Name != "" {
		m.string(unix.IFLA_IFNAME, l.Name)
	}
	if l.MAC.IsValid() {
		m.mac(unix.IFLA_ADDRESS, l.MAC)
	}
	if l.MTU != 0 {
		m.uint32(unix.IFLA_MTU, uint32(l.MTU))
	}
	if l.Master != nil {
		m.uint32(unix.IFLA_MASTER, uint32(*l.Master))
	}
	if l.NetNS != 0 {
		m.uint32(unix.IFLA_NET_NS_FD, uint32(l.NetNS))
	}
}
