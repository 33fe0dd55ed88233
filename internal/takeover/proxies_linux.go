package takeover

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"syscall"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// obey makes an interface do what the kernel's ARP was told to do on it. mu is
// held.
func (m *Manager) obey(t *taken, p policy) error {
	t.mu.Lock()
	t.policy = p
	t.mu.Unlock()
	if t.spec.Observe {
		return nil
	}
	t.ifc.SetReply(p.reply, p.dropGratuitous)
	t.ifc.SetProxyARP(p.proxyARP)
	return m.adoptProxies(t, p)
}

// adoptProxies makes published-only entries of the kernel's proxy neighbours (ip
// neigh add proxy) on an interface, and deletes those of the ones that are gone.
// They stay in the kernel as they are, which does not tell of their coming and
// going. mu is held.
func (m *Manager) adoptProxies(t *taken, p policy) error {
	var proxies []rtnl.Neighbour
	var err error
	if p.forwards {
		if proxies, err = m.conn.AppendProxies(nil, t.index); err != nil {
			return err
		}
	}
	name := t.Name()
	present := make(map[netip.Addr]bool, len(proxies))
	for _, n := range proxies {
		answers, err := m.kernelProxies(t, n.IP)
		if err != nil {
			return err
		}
		if answers {
			present[n.IP] = true
		}
	}
	t.mu.Lock()
	known := maps.Clone(t.proxies)
	t.mu.Unlock()
	var errs []error
	for ip := range known {
		if present[ip] {
			continue
		}
		adopted := m.isAdopted(t, ip)
		t.setProxy(ip, false)
		if !adopted {
			continue // an administrator has set another one in its place, or deleted it
		}
		if err := m.host.DeletePublished(name, ip); err != nil && !errors.Is(err, syscall.ENXIO) {
			errs = append(errs, err)
		}
	}
	for ip := range present {
		if _, ok := known[ip]; ok || m.isPublished(t, ip) {
			continue
		}
		t.setProxy(ip, true)
		_, err := m.host.Set(host.Change{Interface: name, IP: ip, Publish: host.PublishedOnly, Origin: host.Administrator, Known: true})
		if errors.Is(err, syscall.EPERM) {
			t.setProxy(ip, false) // the host has not heard yet that it is its own no longer
		} else if err != nil {
			m.log.Warn("the kernel has a proxy neighbour that isat does not adopt", "interface", name, "ip", ip, "error", err)
		}
	}
	return errors.Join(errs...)
}

// kernelProxies reports whether the kernel's ARP would answer for its proxy
// neighbour: only if packets for it leave by another interface (arp_process in
// net/ipv4/arp.c).
func (m *Manager) kernelProxies(t *taken, ip netip.Addr) (bool, error) {
	d := decision{m: m, here: t.present()}
	_, index, err := d.leaves(m.router.RouteGet(ip, d.vrf()))
	if err != nil {
		return false, fmt.Errorf("looking whether the kernel answers for %v: %w", ip, err)
	}
	return index != 0 && index != t.index, nil
}

// Publishing tells the manager that an administrator is about to set a published entry of
// an address on an interface, or on that whose network the address is in if the name is
// empty. Over the entry that was made of the kernel's proxy neighbour, one that says the
// same stays the kernel's. Once that entry was deleted or replaced with isat, what is set
// is isat's, though it may look the same again: it is written down, and stays when the
// kernel's proxy neighbour goes.
func (m *Manager) Publishing(ifname string, ip netip.Addr) {
	t := m.takenFor(ifname, ip)
	if t == nil || m.isAdopted(t, ip) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.proxies[ip] {
		t.proxies[ip] = false
	}
}

// isAdopted reports whether the host's published-only entry of an address on an interface
// is the one that was made of the kernel's proxy neighbour.
func (m *Manager) isAdopted(t *taken, ip netip.Addr) bool {
	return slices.ContainsFunc(m.host.Entry(ip), func(e host.Entry) bool {
		return e.Index == t.index && e.Publish == host.PublishedOnly && m.isForeign(e)
	})
}

// setProxy notes whether an entry is made of a proxy neighbour of the kernel.
func (t *taken) setProxy(ip netip.Addr, is bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if is {
		t.proxies[ip] = true
	} else {
		delete(t.proxies, ip)
	}
}

// isPublished reports whether the host has a published-only entry of an address on
// an interface, whoever made it.
func (m *Manager) isPublished(t *taken, ip netip.Addr) bool {
	return slices.ContainsFunc(m.host.Entry(ip), func(e host.Entry) bool {
		return e.Index == t.index && e.Publish == host.PublishedOnly
	})
}
