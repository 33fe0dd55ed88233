package takeover

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
)

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
	var indices []int
	by := make(map[int][]host.OwnAddress) // by interface
	for _, u := range updates {
		if u.Usage != host.Withdrawn {
			delete(m.leases, keyOf(u)) // it is there again, or forgotten
		}
		if by[u.Interface] == nil {
			indices = append(indices, u.Interface)
		}
		by[u.Interface] = append(by[u.Interface], u)
	}
	down := make(map[ipKey][]record.Address)
	for _, d := range m.down {
		k := ipKey{d.Index, d.Local} // it may have been there with more than one network
		down[k] = append(down[k], d)
	}
	for _, index := range indices {
		if a := m.addressed[index]; a != nil {
			m.carryOutOn(a, by[index], down, before)
		} else {
			m.carryOutLate(index, before)
		}
	}
}

// carryOutOn is carryOut for one interface. down has what is taken down, and before what
// was postponed of the updates. mu is held.
func (m *Manager) carryOutOn(a *addressed, updates []host.OwnAddress, down map[ipKey][]record.Address, before []postponed) {
	tried := make(map[ipKey]bool, len(before))
	for _, p := range before {
		tried[keyOf(p.update)] = true
	}
	var withdrawn, usable, unknown []host.OwnAddress
	var free []record.Address
	for _, u := range updates {
		d, isDown := down[keyOf(u)]
		switch {
		case m.isStale(a, u):
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
	m.again(before, usable, "putting addresses back", errors.Join(m.returned(a.index, usable), m.putBack(a.index, free)))
	m.again(before, unknown, "looking for addresses that are free again", m.forsakeUnknown(a, unknown))
}

// carryOutLate is carryOut for an interface that was handed back meanwhile. mu is held.
func (m *Manager) carryOutLate(index int, before []postponed) {
	if err := m.unverified.left(index); err != nil {
		m.log.Error("letting the kernel use addresses again", "error", err)
	}
	if !slices.ContainsFunc(before, func(p postponed) bool { return p.update.Interface == index }) {
		return
	}
	if err := m.putAllBack(index); err != nil {
		m.owe(index, err)
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
