package takeover

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// SetPolicies replaces the policies, of which the first that matches an address
// holds. It is called before anything is taken over, and when the configuration
// has changed. An interface whose addresses cannot be read, because they change all the
// time, follows some seconds later.
func (m *Manager) SetPolicies(policies []Policy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.policies = slices.Clone(policies)
	for index := range m.addressed {
		m.followPolicies(index)
	}
}

// followPolicies has the addresses of an interface treated as the policies say. If that
// fails, the chores try again; a reason is logged once. mu is held.
func (m *Manager) followPolicies(index int) {
	before := m.unfollowed[index]
	delete(m.unfollowed, index)
	a := m.addressed[index]
	if a == nil { // it was handed back meanwhile
		return
	}
	err := errors.Join(m.readdress(index), m.repolicy(a))
	if err == nil {
		return
	}
	if m.unfollowed[index] = err.Error(); m.unfollowed[index] != before {
		m.log.Error("following a change of the policies; it is tried again", "interface", m.nameOf(index), "error", err)
	}
}

// repolicy tells the host the policies of the addresses that are taken down of an
// interface, which it has in no list. It says which are to be put back. mu is held.
func (m *Manager) repolicy(a *addressed) error {
	isHere := func(d record.Address) bool { return d.Index == a.index }
	if !slices.ContainsFunc(m.down, isHere) {
		return nil
	}
	addrs, err := m.conn.Addrs(a.index)
	if err != nil {
		return err
	}
	for _, d := range m.down {
		if isHere(d) && !d.InterfaceDown {
			own := addrOfRecord(d)
			a.ifc.SetPolicy(d.Local, policyOf(m.policies, own, append(addrs, own)))
		}
	}
	return nil
}

// addresses returns the own addresses of an interface, the primary first. mu is
// held.
func (m *Manager) addresses(index int) ([]host.Address, error) {
	addrs, err := m.conn.Addrs(index)
	if err != nil {
		return nil, err
	}
	return m.hostAddresses(addrs), nil
}

// hostAddresses returns addresses of one interface as the host has them. mu is held.
func (m *Manager) hostAddresses(addrs []rtnl.Addr) []host.Address {
	// Those with a network, which single ones are looked up in: among thousands of
	// single ones they are few.
	isSingle := func(a rtnl.Addr) bool { return a.Prefix.IsSingleIP() }
	wide := addrs
	if slices.ContainsFunc(addrs, isSingle) {
		wide = slices.DeleteFunc(slices.Clone(addrs), isSingle)
	}
	own := make([]host.Address, 0, len(addrs))
	for _, a := range addrs {
		own = append(own, host.Address{
			Prefix: prefixOf(a), HostScope: a.Scope == rtnl.ScopeHost, Policy: policyOf(m.policies, a, wide), Label: a.Label,
		})
	}
	return own
}

// prefixOf returns an address with the length of its network.
func prefixOf(a rtnl.Addr) netip.Prefix { return netip.PrefixFrom(a.Local, a.Prefix.Bits()) }

// policyOf returns how an address is treated, all being those of its interface.
func policyOf(policies []Policy, a rtnl.Addr, all []rtnl.Addr) acd.Policy {
	p := acd.Policy{Detect: detectOf(a, all), Temporary: isTemporary(a)}
	for _, policy := range policies {
		if !policy.matches(a) {
			continue
		}
		p.Defend = policy.Defend
		if !policy.Default {
			p.Detect = policy.Detect
		}
		break
	}
	return p
}

// matches reports whether an address is one that the policy is for.
func (p *Policy) matches(a rtnl.Addr) bool {
	switch {
	case p.Prefix.IsValid():
		return p.Prefix.Contains(a.Local)
	case p.Label != "":
		return p.Label == a.Label
	}
	return p.IFAProto != 0 && p.IFAProto == a.Protocol
}

// detectOf returns whether an address is probed where no policy says so. One of
// 32 bits inside a network that the interface has by another address is what
// programs such as keepalived move between hosts, each of which takes it from the
// other on purpose (INTERFACES section 2).
func detectOf(a rtnl.Addr, all []rtnl.Addr) acd.Detect {
	moves := a.Prefix.IsSingleIP() && !a.Peer.IsValid() && slices.ContainsFunc(all, func(b rtnl.Addr) bool {
		return b.Local != a.Local && !b.Prefix.IsSingleIP() && b.Prefix.Contains(a.Local)
	})
	if moves {
		return acd.DetectAnnounce
	}
	return acd.DetectProbe
}

// isTemporary reports whether somebody else looks after an address: it has a
// lifetime, or another program's IFA_PROTO.
func isTemporary(a rtnl.Addr) bool {
	return a.Flags&rtnl.AddrPermanent == 0 || !isUnclaimed(a.Protocol)
}

// ifaprotKernel is the last of the kernel's own values of IFA_PROTO, IFAPROT_* of
// linux/if_addr.h.
const ifaprotKernel = 3

// isUnclaimed reports whether an IFA_PROTO says of no other program that the
// address is its own.
func isUnclaimed(protocol uint8) bool {
	return protocol <= ifaprotKernel || protocol == rtnl.ProtocolISAT
}
