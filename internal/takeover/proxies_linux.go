package takeover

import (
	"errors"
	"fmt"
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
	var errs []error
	for ip := range t.proxies {
		if present[ip] {
			continue
		}
		adopted := slices.ContainsFunc(m.host.Entry(ip), func(e host.Entry) bool {
			return e.Index == t.index && e.Publish == host.PublishedOnly && m.isForeign(e)
		})
		t.setProxy(ip, false)
		if !adopted {
			continue // an administrator has set another one in its place, or deleted it
		}
		if err := m.host.DeletePublished(name, ip); err != nil && !errors.Is(err, syscall.ENXIO) {
			errs = append(errs, err)
		}
	}
	for ip := range present {
		if t.proxies[ip] || m.isPublished(t, ip) {
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
