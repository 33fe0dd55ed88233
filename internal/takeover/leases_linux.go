package takeover

import (
	"net/netip"
	"slices"
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
	m.leases[downKey{a.Index, a.Local}] = time.Now().Add(min(a.Valid, maxLease))
}

// expireLeases has the host forget duplicates whose lifetime is over. mu is held.
func (m *Manager) expireLeases(now time.Time) {
	for k, end := range m.leases {
		if now.Before(end) {
			continue
		}
		delete(m.leases, k)
		a := m.addressed[k.index]
		if a == nil {
			continue
		}
		if own, _ := a.ifc.OwnAddress(k.ip); own.Usage != host.Withdrawn {
			continue
		}
		if addrs, err := m.conn.Addrs(k.index); err != nil || isThere(addrs, k.ip) {
			m.leases[k] = end // the host is about to hear of it
			continue
		}
		a.ifc.Forsake(k.ip)
	}
}

// isThere reports whether an address is one of a list, in whatever network.
func isThere(addrs []rtnl.Addr, ip netip.Addr) bool {
	return slices.ContainsFunc(addrs, func(a rtnl.Addr) bool { return a.Local == ip })
}
