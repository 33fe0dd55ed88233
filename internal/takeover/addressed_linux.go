package takeover

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
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
