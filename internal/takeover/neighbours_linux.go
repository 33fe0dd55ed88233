package takeover

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// Update implements [host.Neighbours]: it writes the bindings into the kernel's
// neighbour table, all in few datagrams.
func (m *Manager) Update(updates []host.Neighbour) {
	m.updating.Lock()
	defer m.updating.Unlock()
	ops := make([]rtnl.NeighbourOp, 0, len(updates))
	written := make([]host.Neighbour, 0, len(updates))
	var unrejected []host.Neighbour
	for _, u := range updates {
		t := m.get(u.Interface)
		if t == nil || t.spec.Observe {
			continue
		}
		if m.isLate(t, u) {
			continue
		}
		if routeType(u.State) != 0 {
			m.rejectUpdate(t, u)
		} else {
			unrejected = append(unrejected, u)
		}
		if op, ok := t.operation(u); ok {
			ops = append(ops, op)
			written = append(written, u)
		}
	}
	m.written.begin(written)
	defer m.written.end()
	m.write(ops)
	// A route goes last: who sees that the address is free may put a neighbour there,
	// which no deletion of isat's may hit.
	for _, u := range unrejected {
		if t := m.get(u.Interface); t != nil {
			m.rejectUpdate(t, u)
		}
	}
	m.forgotten = false // the host has told what comes next after that
}

// isLate reports whether others have changed the kernel's entry since the host told of
// an update, and the host has followed. That is looked at where a late update would
// undo what they did.
func (m *Manager) isLate(t *taken, u host.Neighbour) bool {
	t.mu.Lock()
	foreign, isForeign := t.foreign[u.IP]
	t.mu.Unlock()
	route := routeType(u.State)
	if route == 0 && !m.forgotten && !(isForeign && (foreign != u.MAC || u.State != host.Fixed)) {
		return false
	}
	e, ok := m.entry(t, u.IP)
	switch {
	case !ok, e.Publish == host.PublishedOnly:
		return u.State != host.Gone
	case actionType(e.Action) != route, u.MAC.IsValid() && e.MAC != u.MAC:
		return true
	}
	return isForeign && route == 0 && (e.State == cache.Permanent) != (u.State == host.Fixed)
}

// write carries operations out. What the kernel refuses because the entry or the
// interface has gone meanwhile is no failure: a notification tells of that.
func (m *Manager) write(ops []rtnl.NeighbourOp) {
	if len(ops) == 0 {
		return
	}
	err := m.writer.WriteNeighbours(ops)
	var batch *rtnl.BatchError
	if !errors.As(err, &batch) {
		if err != nil {
			m.log.Error("writing the kernel's neighbour table", "error", err)
		}
		return
	}
	for _, f := range batch.Failed {
		op := ops[f.Index]
		if op.Action == rtnl.Delete {
			if t := m.get(op.Index); t != nil {
				t.deleted(op.IP)
			}
		}
		switch {
		case errors.Is(f.Err, syscall.ENOENT), errors.Is(f.Err, syscall.ENODEV), errors.Is(f.Err, syscall.ENETDOWN):
		default:
			m.log.Error("writing the kernel's neighbour table", "ip", op.IP, "error", f.Err)
		}
	}
}

// operation returns what makes the kernel's entry that of the host.
func (t *taken) operation(u host.Neighbour) (rtnl.NeighbourOp, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	op := rtnl.NeighbourOp{Action: rtnl.Put, Index: t.index, IP: u.IP, MAC: u.MAC, Flags: rtnl.FlagExtLearned, Protocol: rtnl.ProtocolISAT}
	foreign, isForeign := t.foreign[u.IP]
	if u.State != host.Fixed || isForeign && foreign != u.MAC {
		delete(t.foreign, u.IP) // whosever it was, isat has it now
	}
	switch u.State {
	case host.Pending:
		op.Action, op.MAC = rtnl.Claim, lladdr.Addr{}
	case host.Valid:
		op.State = rtnl.StateReachable
	case host.Watched:
		op.State = rtnl.StateStale
	case host.Failed:
		// Update: an entry that the kernel no longer has need not fail.
		op.Action, op.State, op.MAC = rtnl.Update, rtnl.StateFailed, lladdr.Addr{}
	case host.Fixed:
		op.State = rtnl.StatePermanent
		// The kernel collects no permanent entries, and `ip neigh flush` takes what is
		// externally learned with what is not permanent (iproute2, ip/ipneigh.c).
		op.Flags = 0
		if isForeign && foreign == u.MAC {
			// It was somebody else's: it goes back as it was, without our mark.
			op.Protocol = 0
		}
	default:
		delete(t.foreign, u.IP)
		t.deleting[u.IP]++
		op = rtnl.NeighbourOp{Action: rtnl.Delete, Index: t.index, IP: u.IP}
	}
	return op, true
}

// deleted takes note of one notification of a deletion, or of its not coming. It
// reports whether an own one was expected.
func (t *taken) deleted(ip netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.deleting[ip]
	if n <= 1 {
		delete(t.deleting, ip)
	} else {
		t.deleting[ip] = n - 1
	}
	return ok
}

// deleteOwn deletes the entries that isat has put into the kernel's table of an
// interface. Those of others stay, with isat's mark too: the kernel keeps the mark of
// an entry that "ip neigh replace" changes. mu is held.
func (m *Manager) deleteOwn(index int, foreign map[netip.Addr]lladdr.Addr) error {
	all, err := m.conn.AppendNeighbours(nil, index)
	if err != nil {
		return err
	}
	var ops []rtnl.NeighbourOp
	for _, n := range all {
		mac, ok := foreign[n.IP]
		others := ok && mac == n.MAC && n.State == rtnl.StatePermanent || n.State == rtnl.StateNoARP
		if n.Protocol == rtnl.ProtocolISAT && !others {
			ops = append(ops, rtnl.NeighbourOp{Action: rtnl.Delete, Index: index, IP: n.IP})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	err = m.conn.WriteNeighbours(ops)
	if m.left != nil { // else nobody listens: see Restore
		m.leave(index, ops, err)
	}
	if rtnl.IsNotExist(err) {
		return nil
	}
	return err
}

// leave notes the deletions on an interface that is handed back, but for those that
// have failed: it may be taken over again before their notifications have come, which
// must not be taken for those of somebody else's deletions. mu is held.
func (m *Manager) leave(index int, deletions []rtnl.NeighbourOp, err error) {
	left := m.left[index]
	if left == nil {
		left = make(map[netip.Addr]int)
		m.left[index] = left
	}
	failed := make(map[int]bool)
	var batch *rtnl.BatchError
	if errors.As(err, &batch) {
		for _, f := range batch.Failed {
			failed[f.Index] = true
		}
	}
	for i, op := range deletions {
		if !failed[i] {
			left[op.IP]++
		}
	}
}

// hasLeft takes note of a notification of a deletion on an interface that is not
// taken over. mu is held.
func (m *Manager) hasLeft(index int, ip netip.Addr) {
	left := m.left[index]
	if left[ip]--; left[ip] <= 0 {
		delete(left, ip)
	}
	if len(left) == 0 {
		delete(m.left, index)
	}
}

// Sweep deletes the entries that a daemon which was killed has left on interfaces
// that this one has not taken over: the kernel would keep them for ever. And it puts
// the addresses back that were taken down of interfaces whose addresses nobody looks
// after now. It does so once: later such an entry has been made another's meanwhile, with isat's mark.
func (m *Manager) Sweep() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.swept {
		return nil
	}
	m.swept = true
	links, err := m.conn.Links()
	if err != nil {
		return err
	}
	errs := []error{m.sweepAddresses()}
	for _, l := range links {
		if m.get(l.Index) == nil {
			errs = append(errs, m.deleteOwn(l.Index, nil))
		}
	}
	return errors.Join(errs...)
}
