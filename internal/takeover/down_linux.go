package takeover

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// setDown replaces what is known of addresses that were taken down. mu is held.
func (m *Manager) setDown(list []record.Address) {
	by := make(map[identity]record.Address, len(list))
	for _, d := range list {
		by[identityOf(d)] = d
	}
	for i := range m.down {
		if d, ok := by[identityOf(m.down[i])]; ok {
			m.down[i] = d
		}
	}
}

// identity is what tells addresses that were taken down apart.
type identity struct {
	index  int
	local  netip.Addr
	prefix netip.Prefix
}

func identityOf(d record.Address) identity { return identity{d.Index, d.Local, d.Prefix} }

// saveDown writes down what is taken down. mu is held.
func (m *Manager) saveDown() error { return m.addressRecords.Save(m.down) }

// recordOfAddr returns an address as it is written down.
func recordOfAddr(a rtnl.Addr) record.Address {
	r := record.Address{
		Index: a.Index, Local: a.Local, Prefix: a.Prefix, Peer: a.Peer, Broadcast: a.Broadcast, Label: a.Label,
		Scope: uint8(a.Scope), Flags: uint32(a.Flags), Protocol: a.Protocol, Metric: a.Metric,
	}
	if a.Preferred != rtnl.Forever {
		r.Preferred = time.Now().Add(a.Preferred).UTC().Round(0)
	}
	return r
}

// addrOfRecord returns an address as it is to be put back.
func addrOfRecord(r record.Address) rtnl.Addr {
	a := rtnl.Addr{
		Index: r.Index, Local: r.Local, Prefix: r.Prefix, Peer: r.Peer, Broadcast: r.Broadcast, Label: r.Label,
		Scope: rtnl.Scope(r.Scope), Flags: rtnl.AddrFlags(r.Flags), Protocol: r.Protocol, Metric: r.Metric,
		Preferred: rtnl.Forever, Valid: rtnl.Forever,
	}
	if !r.Preferred.IsZero() {
		// The kernel takes 0 for no limit, so one that has run out does so once more.
		a.Preferred = max(time.Until(r.Preferred), time.Second)
	}
	return a
}

// renameDown gives what is taken down of an interface its new name, and labels that
// begin with it, as the kernel does with those that are there (inetdev_changename).
// mu is held.
func (m *Manager) renameDown(index int, old, name string) error {
	changed := false
	for i := range m.down {
		if d := &m.down[i]; d.Index == index {
			d.Name, d.Label = name, relabeled(d.Label, old, name)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return m.saveDown()
}

// relabeled returns a label, "eth0" or "eth0:vip", after a change of the
// interface's name.
func relabeled(label, old, name string) string {
	rest, ok := strings.CutPrefix(label, old)
	if !ok || rest != "" && rest[0] != ':' {
		return label
	}
	return name[:min(len(name), max(0, unix.IFNAMSIZ-1-len(rest)))] + rest
}

// drop takes addresses off the list of those that are down. mu is held.
func (m *Manager) drop(list []record.Address) {
	dropped := make(map[identity]bool, len(list))
	for _, d := range list {
		dropped[identityOf(d)] = true
		delete(m.unsettled, ipKey{d.Index, d.Local})
		delete(m.refused, identityOf(d))
	}
	m.down = slices.DeleteFunc(m.down, func(d record.Address) bool { return dropped[identityOf(d)] })
}

// giveUp drops addresses that will not be put back, and tells the host so, unless
// the interface itself has them again: then the host sees for itself. mu is held.
func (m *Manager) giveUp(list []record.Address, why error) ([]putResult, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m.drop(list)
	var results []putResult
	for _, d := range list {
		results = append(results, putResult{Address: d, err: why})
		a := m.addressed[d.Index]
		if a == nil {
			continue
		}
		own, err := m.conn.Addrs(d.Index)
		if err != nil || !slices.ContainsFunc(own, func(k rtnl.Addr) bool { return k.Local == d.Local }) {
			a.ifc.Forsake(d.Local)
		}
	}
	return results, m.saveDown()
}

// saveDownIf is saveDown if something has changed.
func (m *Manager) saveDownIf(changed bool) error {
	if !changed {
		return nil
	}
	return m.saveDown()
}

// touched follows a change of an address by somebody else: one that was taken down
// and is added again, on whichever interface, is theirs from then on. mu is held.
func (m *Manager) touched(c rtnl.AddrChange) {
	if len(m.down) == 0 {
		return
	}
	own := c.PortID == m.conn.PortID()
	if own && c.Deleted {
		// What was told before this is older than the taking down.
		delete(m.unsettled, ipKey{c.Addr.Index, c.Addr.Local})
	}
	if !own && !c.Deleted {
		m.overtaken([]rtnl.Addr{c.Addr})
	}
}

// places returns on which interfaces addresses are, each once.
func places(addrs []rtnl.Addr) map[netip.Addr][]int {
	on := make(map[netip.Addr][]int, len(addrs))
	for _, a := range addrs {
		if !slices.Contains(on[a.Local], a.Index) {
			on[a.Local] = append(on[a.Local], a.Index)
		}
	}
	return on
}

// isAddedAgain reports whether an address that was taken down is where it was not
// when that was done, or again where it was.
func isAddedAgain(d record.Address, there map[netip.Addr][]int) bool {
	return slices.ContainsFunc(there[d.Local], func(index int) bool {
		return index == d.Index || !slices.Contains(d.Others, index)
	})
}

// overtaken forgets what was taken down and is among addresses that the kernel has.
// mu is held.
func (m *Manager) overtaken(addrs []rtnl.Addr) {
	if len(m.down) == 0 {
		return
	}
	there := places(addrs)
	var theirs []record.Address
	for _, d := range m.down {
		if isAddedAgain(d, there) && !d.InterfaceDown && !m.unsettled[ipKey{d.Index, d.Local}] {
			theirs = append(theirs, d)
		}
	}
	results, err := m.giveUp(theirs, errAddedAgain)
	for _, r := range results {
		m.log.Info("isat: " + r.String())
	}
	if err != nil {
		m.log.Error("writing down what is taken down", "error", err)
	}
}
