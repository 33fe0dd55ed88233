package takeover

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// maxLease is for how long a duplicate is listed at most that isat does not put back.
// One that another program has added without a lifetime has no other end.
const maxLease = 24 * time.Hour

// lease notes until when an address would have been there that was taken down and will
// not be put back: whoever looks after it tells nobody that it is given up. mu is held.
func (m *Manager) lease(a rtnl.Addr) {
	m.leases[ipKey{a.Index, a.Local}] = time.Now().Add(min(a.Valid, maxLease))
}

// expireLeases has the host forget duplicates whose lifetime is over, unless they are
// there again: then it is about to hear of that. mu is held.
func (m *Manager) expireLeases(now time.Time) {
	over := make(map[int][]netip.Addr) // by interface, of which each is read once
	for k, end := range m.leases {
		if now.Before(end) {
			continue
		}
		if a := m.addressed[k.index]; a != nil {
			if own, _ := a.ifc.OwnAddress(k.ip); own.Usage == host.Withdrawn {
				over[k.index] = append(over[k.index], k.ip)
				continue
			}
		}
		delete(m.leases, k)
	}
	for index, ips := range over {
		addrs, err := m.conn.Addrs(index)
		if err != nil {
			continue // later
		}
		there := places(addrs)
		for _, ip := range ips {
			if there[ip] == nil {
				delete(m.leases, ipKey{index, ip})
				m.addressed[index].ifc.Forsake(ip)
			}
		}
	}
}
