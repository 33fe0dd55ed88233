//go:build linux

package rtnl

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ConfKey is a key of net.ipv4.conf.INTERFACE, numbered as IPV4_DEVCONF_* of
// linux/ip.h.
type ConfKey uint8

// The keys that decide what the kernel does with ARP and where it takes IPv4
// from. Documentation/networking/ip-sysctl.rst of Linux says what they mean.
const (
	ConfForwarding         ConfKey = 1
	ConfProxyARP           ConfKey = 3
	ConfAcceptRedirects    ConfKey = 4
	ConfSendRedirects      ConfKey = 6
	ConfSharedMedia        ConfKey = 7
	ConfRPFilter           ConfKey = 8
	ConfARPFilter          ConfKey = 13
	ConfMediumID           ConfKey = 14
	ConfARPAnnounce        ConfKey = 18
	ConfARPIgnore          ConfKey = 19
	ConfPromoteSecondaries ConfKey = 20
	ConfARPAccept          ConfKey = 21
	ConfARPNotify          ConfKey = 22
	ConfAcceptLocal        ConfKey = 23
	ConfProxyARPPVLAN      ConfKey = 25
	ConfRouteLocalnet      ConfKey = 26
	ConfDropGratuitousARP  ConfKey = 31
	ConfARPEvictNoCarrier  ConfKey = 33

	confEnd ConfKey = 34 // one more than the last, Linux 5.16
)

// String returns the name of the file in /proc/sys/net/ipv4/conf/INTERFACE.
func (k ConfKey) String() string {
	if name := k.name(); name != "" {
		return name
	}
	return fmt.Sprintf("conf key %d", uint8(k))
}

// name returns "" for a key without a constant here.
func (k ConfKey) name() string {
	switch k {
	case ConfForwarding:
		return "forwarding"
	case ConfProxyARP:
		return "proxy_arp"
	case ConfAcceptRedirects:
		return "accept_redirects"
	case ConfSendRedirects:
		return "send_redirects"
	case ConfSharedMedia:
		return "shared_media"
	case ConfRPFilter:
		return "rp_filter"
	case ConfARPFilter:
		return "arp_filter"
	case ConfMediumID:
		return "medium_id"
	case ConfARPAnnounce:
		return "arp_announce"
	case ConfARPIgnore:
		return "arp_ignore"
	case ConfPromoteSecondaries:
		return "promote_secondaries"
	case ConfARPAccept:
		return "arp_accept"
	case ConfARPNotify:
		return "arp_notify"
	case ConfAcceptLocal:
		return "accept_local"
	case ConfProxyARPPVLAN:
		return "proxy_arp_pvlan"
	case ConfRouteLocalnet:
		return "route_localnet"
	case ConfDropGratuitousARP:
		return "drop_gratuitous_arp"
	case ConfARPEvictNoCarrier:
		return "arp_evict_nocarrier"
	}
	return ""
}

// InetConf has the values of an interface's net.ipv4.conf by key. What the kernel
// does follows from them and those of "all" together: [EffectiveConf].
type InetConf [confEnd]int32

// parseInetConf finds IFLA_INET_CONF in IFLA_AF_SPEC: an array of 32-bit values
// whose first is that of key 1 (inet_fill_link_af in net/ipv4/devinet.c). It
// returns nil if there is none.
func parseInetConf(families attrs) *InetConf {
	for families.next() {
		if families.typ != unix.AF_INET {
			continue
		}
		for a := families.nested(); a.next(); {
			if a.typ != unix.IFLA_INET_CONF {
				continue
			}
			var c InetConf
			for k := ConfKey(1); k < confEnd; k++ {
				c[k] = int32(uint32At(a.data, 4*int(k-1)))
			}
			return &c
		}
	}
	return nil
}

// SetInetConf sets values of the interface's net.ipv4.conf. Unlike writing
// /proc/sys it works where that is mounted read-only. While the interface is up
// the kernel tells of it by a [LinkChange].
func (c *Conn) SetInetConf(index int, values map[ConfKey]int32) error {
	if len(values) == 0 {
		return nil
	}
	return c.one(SetInetConfOp(index, values))
}

// SetInetConfOp is [Conn.SetInetConf] for [Conn.Apply].
func SetInetConfOp(index int, values map[ConfKey]int32) Op {
	return Op{what: fmt.Sprintf("setting IPv4 configuration of link %d", index), typ: unix.RTM_SETLINK, build: func(m *builder) {
		m.ifinfomsg(index, 0, 0)
		spec := m.nest(unix.IFLA_AF_SPEC)
		inet := m.nest(unix.AF_INET)
		conf := m.nest(unix.IFLA_INET_CONF)
		for k, v := range values {
			m.uint32(uint16(k), uint32(v)) // here the key is the attribute's type
		}
		m.endNest(conf)
		m.endNest(inet)
		m.endNest(spec)
	}}
}
