package takeover

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// addressed is an interface whose own addresses are probed, announced, watched and
// defended: one that is taken over, or the device of a host of its own.
type addressed struct {
	index  int
	ifc    ownAddresses
	down   Down
	device *Device // nil for one that is taken over
}

// ownAddresses is what the manager needs of a [host.Interface].
type ownAddresses interface {
	OwnAddress(netip.Addr) (host.OwnAddress, bool)
	SetAddresses([]host.Address) error
	SetPolicy(netip.Addr, acd.Policy)
	Reassign(netip.Addr) error
	Forsake(netip.Addr)
}

// Device is the TUN device of a host of its own.
type Device struct {
	Index     int
	Host      *host.Interface
	Down      Down
	Addresses []netip.Prefix // of the configuration
	// InUse says that the device has its addresses already, and that they are used.
	InUse bool
	// Follow is told which of them the device has, each time that changes. It must
	// not call the manager.
	Follow func([]netip.Prefix)
}

// Serve has the own addresses of a device treated like those of an interface that
// is taken over with DAD, until [Manager.Unserve]: the host gets those that the
// kernel has on the device. It is called before the device has addresses, which the
// kernel cannot send from before they are verified, unless they are InUse; and again
// when it has them, or what is said of it has changed.
func (m *Manager) Serve(d Device) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.addressed[d.Index] != nil
	if err := m.unverified.silence.hold(); err != nil {
		return err
	}
	m.addressed[d.Index] = &addressed{index: d.Index, ifc: d.Host, down: d.Down, device: &d}
	if !known && !d.InUse {
		var coming []host.OwnAddress
		for _, p := range d.Addresses {
			coming = append(coming, host.OwnAddress{Interface: d.Index, Address: host.Address{Prefix: p}, Usage: host.Suspended})
		}
		if err := m.unverified.update(coming); err != nil {
			return err
		}
	}
	return m.readdress(d.Index)
}

// Unserve ends [Manager.Serve]. What was taken down is put back, if the device is
// still there. One that is not served is no error.
func (m *Manager) Unserve(index int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unaddress(index)
}

// address has the own addresses of an interface that is taken over treated as its
// spec says. The table of those that are not verified is there from then on. mu is
// held.
func (m *Manager) address(t *taken) error {
	if !t.spec.DAD || t.spec.Observe {
		return nil
	}
	if err := m.unverified.silence.hold(); err != nil {
		return err
	}
	m.addressed[t.index] = &addressed{index: t.index, ifc: t.ifc, down: t.spec.Down}
	return nil
}

// unaddress is the reverse of address, after the host has let the addresses go:
// what was taken down is put back, since nobody watches any more. mu is held.
func (m *Manager) unaddress(index int) error {
	if m.addressed[index] == nil {
		return nil
	}
	delete(m.addressed, index)
	maps.DeleteFunc(m.leases, func(k ipKey, _ time.Time) bool { return k.index == index })
	err := m.putAllBack(index)
	if err != nil {
		m.owe(index, err)
	}
	err = errors.Join(err, m.unverified.left(index))
	if len(m.addressed) == 0 {
		err = errors.Join(err, m.unverified.silence.release())
	}
	return err
}

// usageQueue has what the host has told of own addresses and the manager has not
// followed yet: of each the last.
type usageQueue struct {
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	updates []host.OwnAddress
	at      map[ipKey]int // in updates
}

func newUsageQueue() *usageQueue {
	return &usageQueue{wake: make(chan struct{}, 1), at: make(map[ipKey]int)}
}

// put adds what the host tells now.
func (q *usageQueue) put(updates []host.OwnAddress) { q.add(updates, true) }

// again adds what could not be followed, unless there is something newer.
func (q *usageQueue) again(updates []host.OwnAddress) { q.add(updates, false) }

func (q *usageQueue) add(updates []host.OwnAddress, newer bool) {
	if len(updates) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, u := range updates {
		k := keyOf(u)
		if i, ok := q.at[k]; ok {
			if newer {
				q.updates[i] = u
			}
			continue
		}
		q.at[k] = len(q.updates)
		q.updates = append(q.updates, u)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *usageQueue) take() []host.OwnAddress {
	q.mu.Lock()
	defer q.mu.Unlock()
	updates := q.updates
	q.updates = nil
	clear(q.at)
	return updates
}

// UpdateAddresses implements [host.Addressing]. The kernel cannot send from what
// must not be used when it returns. The rest is done by [Manager.Run]: the host
// takes a call that lasts for a hang, and the manager may be busy with a large
// table.
func (m *Manager) UpdateAddresses(updates []host.OwnAddress) {
	if err := m.unverified.update(updates); err != nil {
		m.log.Error("keeping the kernel from using addresses that are not verified", "error", err)
	}
	m.usage.put(updates)
}

// runAddressed follows what the host tells of own addresses until ctx is done.
func (m *Manager) runAddressed(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.usage.wake:
		}
		m.followUsage(m.usage.take())
	}
}

// followUsage takes down what is somebody else's, and puts back what is free again.
func (m *Manager) followUsage(updates []host.OwnAddress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.carryOut(updates)
}

// carryOut is followUsage. mu is held.
func (m *Manager) carryOut(updates []host.OwnAddress) {
	before := m.resumed(updates)
	tried := make(map[ipKey]bool, len(before))
	for _, p := range before {
		tried[keyOf(p.update)] = true
	}
	var indices []int
	for _, u := range updates {
		if u.Usage != host.Withdrawn {
			delete(m.leases, keyOf(u)) // it is there again, or forgotten
		}
		if !slices.Contains(indices, u.Interface) {
			indices = append(indices, u.Interface)
		}
	}
	down := make(map[ipKey][]record.Address)
	for _, d := range m.down {
		k := ipKey{d.Index, d.Local} // it may have been there with more than one network
		down[k] = append(down[k], d)
	}
	for _, index := range indices {
		a := m.addressed[index]
		if a == nil { // it was handed back meanwhile
			if err := m.unverified.left(index); err != nil {
				m.log.Error("letting the kernel use addresses again", "error", err)
			}
			if slices.ContainsFunc(before, func(p postponed) bool { return p.update.Interface == index }) {
				if err := m.putAllBack(index); err != nil {
					m.owe(index, err)
				}
			}
			continue
		}
		var withdrawn, usable, unknown []host.OwnAddress
		var free []record.Address
		for _, u := range updates {
			if u.Interface != index || m.isStale(a, u) {
				continue
			}
			d, isDown := down[keyOf(u)]
			switch {
			case u.Usage == host.Withdrawn && (!isDown || tried[keyOf(u)]): // else it is done
				withdrawn = append(withdrawn, u)
			case u.Usage == host.Usable && isDown:
				free = append(free, d...)
				usable = append(usable, u)
			case u.Usage == host.Usable && u.Restored:
				unknown = append(unknown, u)
			}
		}
		m.again(before, withdrawn, "taking addresses down that are somebody else's", m.takeDown(a, withdrawn))
		free = slices.DeleteFunc(free, func(d record.Address) bool { return d.InterfaceDown })
		m.again(before, usable, "putting addresses back", errors.Join(m.returned(index, usable), m.putBack(index, free)))
		m.again(before, unknown, "looking for addresses that are free again", m.forsakeUnknown(a, unknown))
	}
}

// isStale reports whether the host says something else of an address by now, which is
// told next: who has it may have deleted it and added it again meanwhile, and the new
// one is not to be taken down for the old one.
func (m *Manager) isStale(a *addressed, u host.OwnAddress) bool {
	ip := u.Address.Prefix.Addr()
	now, known := a.ifc.OwnAddress(ip)
	switch {
	case known:
		return now.Usage != u.Usage
	case u.Usage != host.Withdrawn:
		return false
	}
	if err := m.unverified.gone(a.index, ip); err != nil {
		m.log.Error("letting the kernel use addresses again", "error", err)
	}
	return true
}

// readdress makes the addresses of an interface those of the kernel. mu is held.
func (m *Manager) readdress(index int) error {
	t, a := m.get(index), m.addressed[index]
	if t == nil && a == nil {
		return nil
	}
	addrs, err := m.conn.Addrs(index)
	if err != nil {
		if rtnl.IsNotExist(err) {
			return nil
		}
		return err
	}
	m.overtaken(addrs)
	if a != nil {
		m.deletedWhileDown(a, addrs)
	}
	own := m.hostAddresses(addrs)
	if t == nil {
		return a.follow(own)
	}
	m.displace(t, own)
	for _, address := range own {
		t.setProxy(address.Prefix.Addr(), false) // adopted anew when the address goes
	}
	return t.ifc.SetAddresses(own)
}

// follow tells the host of a device which of its addresses are there: others that
// the kernel has are not isat's.
func (a *addressed) follow(own []host.Address) error {
	own = slices.DeleteFunc(own, func(o host.Address) bool { return !slices.Contains(a.device.Addresses, o.Prefix) })
	there := make([]netip.Prefix, 0, len(own))
	for _, o := range own {
		there = append(there, o.Prefix)
	}
	a.device.Follow(there)
	return a.ifc.SetAddresses(own)
}
