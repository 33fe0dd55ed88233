//go:build linux

package rtnl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// allConf is where the values are that all interfaces have in common. Netlink
// gives only some of them (RTM_GETNETCONF: forwarding, rp_filter and few more).
const allConf = "/proc/sys/net/ipv4/conf/all/"

// AllInetConf reads net.ipv4.conf.all of the calling thread's network namespace,
// those keys that have a name here. A key that the kernel does not have is 0.
func AllInetConf() (InetConf, error) {
	var c InetConf
	for k := ConfKey(1); k < confEnd; k++ {
		name := k.name()
		if name == "" {
			continue
		}
		b, err := os.ReadFile(allConf + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return InetConf{}, fmt.Errorf("reading net.ipv4.conf.all: %w", err)
		}
		v, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 32)
		if err != nil {
			return InetConf{}, fmt.Errorf("reading net.ipv4.conf.all.%s: %w", name, err)
		}
		c[k] = int32(v)
	}
	return c, nil
}

// EffectiveConf returns what the kernel goes by for a key on an interface, from
// the values of "all" and of the interface: include/linux/inetdevice.h of Linux
// 6.18, IN_DEV_* at the line. Where one of them is enough or both are needed the
// result is 0 or 1.
func EffectiveConf(k ConfKey, all, link *InetConf) int32 {
	a, l := all[k], link[k]
	switch k {
	case ConfRPFilter, // IN_DEV_RPFILTER, IN_DEV_MAXCONF
		ConfARPAnnounce, // IN_DEV_ARP_ANNOUNCE, IN_DEV_MAXCONF
		ConfARPIgnore,   // IN_DEV_ARP_IGNORE, IN_DEV_MAXCONF
		ConfARPAccept,   // IN_DEV_ARP_ACCEPT, IN_DEV_MAXCONF; before the value 2 came, IN_DEV_ORCONF
		ConfARPNotify:   // IN_DEV_ARP_NOTIFY, IN_DEV_MAXCONF
		return max(a, l)
	case ConfProxyARP, // IN_DEV_PROXY_ARP, IN_DEV_ORCONF
		ConfProxyARPPVLAN,      // IN_DEV_PROXY_ARP_PVLAN, IN_DEV_ORCONF; in old kernels the interface's alone
		ConfARPFilter,          // IN_DEV_ARPFILTER, IN_DEV_ORCONF
		ConfDropGratuitousARP,  // arp_process in net/ipv4/arp.c, IN_DEV_ORCONF
		ConfSharedMedia,        // IN_DEV_SHARED_MEDIA, IN_DEV_ORCONF
		ConfSendRedirects,      // IN_DEV_TX_REDIRECTS, IN_DEV_ORCONF
		ConfPromoteSecondaries, // IN_DEV_PROMOTE_SECONDARIES, IN_DEV_ORCONF
		ConfAcceptLocal,        // IN_DEV_ACCEPT_LOCAL, IN_DEV_ORCONF
		ConfRouteLocalnet:      // IN_DEV_ROUTE_LOCALNET, IN_DEV_ORCONF
		return truth(a != 0 || l != 0)
	case ConfARPEvictNoCarrier: // IN_DEV_ARP_EVICT_NOCARRIER, IN_DEV_ANDCONF
		return truth(a != 0 && l != 0)
	case ConfAcceptRedirects: // IN_DEV_RX_REDIRECTS: both on a router, one on a host
		if link[ConfForwarding] != 0 {
			return truth(a != 0 && l != 0)
		}
		return truth(a != 0 || l != 0)
	}
	// IN_DEV_CONF_GET: the interface's alone, as for IN_DEV_FORWARD and
	// IN_DEV_MEDIUM_ID. Writing "all" of forwarding writes every interface's.
	return l
}

func truth(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
