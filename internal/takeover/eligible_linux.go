package takeover

import (
	"fmt"
	"syscall"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// eligible says why an interface cannot be taken over, before anything is
// touched.
func (m *Manager) eligible(spec Spec, l rtnl.Link) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, syscall.EOPNOTSUPP)...)
	}
	switch {
	case l.Flags&rtnl.LinkLoopback != 0:
		return refuse("it is the loopback interface, which has no ARP")
	case l.Type != arp.Ethernet || l.MAC.Len() != 6:
		return refuse("it is not an Ethernet interface (it is of type %v)", l.Type)
	case m.isPort(l):
		return refuse("it is the port of a host of its own")
	case l.Flags&rtnl.LinkPointToPoint != 0 || l.Flags&rtnl.LinkBroadcast == 0:
		return refuse("it is a point-to-point link, which needs no ARP")
	case spec.Observe:
		return nil
	case l.Flags&rtnl.LinkNoARP != 0:
		return refuse("ARP is switched off on it; switch it on with \"ip link set %s arp on\", or set arp = \"off\" and leave it alone", l.Name)
	case l.Master != 0 && l.MasterKind != "vrf":
		master := fmt.Sprintf("interface %d", l.Master)
		if ml, err := m.conn.Link(l.Master); err == nil {
			master = ml.Name
		}
		return refuse("it is a port of %s %s, which does the ARP: take %s over instead", l.MasterKind, master, master)
	}
	return nil
}

// policy is what the kernel's ARP on an interface was told to do, as far as isat
// does the same.
type policy struct {
	reply          host.ReplyPolicy
	dropGratuitous bool
	// forwards says that the kernel forwards what comes in on the interface. Without
	// that its ARP answers for no other host.
	forwards bool
	proxyARP bool // proxy_arp, where it has an effect
}

// honour reads what the kernel's ARP was told to do on an interface. Taking it
// over must not change what a peer can reach, so what isat cannot do is an error
// that names it. (arp_announce needs nothing: the sender address is that of the
// route, which is the strictest of its levels; arp_accept and arp_notify change
// nothing that a peer can reach.)
func (m *Manager) honour(spec Spec, l rtnl.Link) (policy, error) {
	var p policy
	if l.IPv4 == nil {
		return p, fmt.Errorf("it has no IPv4 (its MTU is %d): %w", l.MTU, syscall.EOPNOTSUPP)
	}
	all, err := rtnl.AllInetConf()
	if err != nil {
		return p, err
	}
	get := func(k rtnl.ConfKey) int32 { return rtnl.EffectiveConf(k, &all, l.IPv4) }
	p.dropGratuitous = get(rtnl.ConfDropGratuitousARP) != 0
	switch n := get(rtnl.ConfARPIgnore); n {
	case 0, 1, 2, 3, 8:
		p.reply = host.ReplyPolicy(n)
	default:
		// arp_ignore in net/ipv4/arp.c: 4 to 7 and what is beyond 8 do nothing.
		p.reply = host.ReplyAny
	}
	p.forwards = get(rtnl.ConfForwarding) != 0
	// arp_fwd_proxy in net/ipv4/arp.c: medium_id -1 switches it off.
	p.proxyARP = p.forwards && get(rtnl.ConfProxyARP) != 0 && get(rtnl.ConfMediumID) != -1
	if spec.Observe {
		return p, nil
	}
	refuse := func(k rtnl.ConfKey, what string) error {
		return fmt.Errorf("%s is set for it and %s, which this version of isat does not do; clear it with \"sysctl net.ipv4.conf.%s.%s=0\" (and that of \"all\"): %w",
			k, what, l.Name, k, syscall.EOPNOTSUPP)
	}
	switch {
	case get(rtnl.ConfProxyARPPVLAN) != 0:
		return p, refuse(rtnl.ConfProxyARPPVLAN, "the kernel answers for hosts on the same interface")
	case get(rtnl.ConfARPFilter) != 0:
		return p, refuse(rtnl.ConfARPFilter, "the kernel answers by the route back to the sender")
	}
	return p, nil
}
