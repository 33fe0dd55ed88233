package takeover

import (
	"net/netip"
	"sync"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// written has the entries that isat has written lately: somebody else's change that the
// kernel tells of now may be older than that, and the kernel's entry be isat's.
//
// The kernel does one change after the other and tells of each before the next (RTNL).
// So what went before an own write is in the queue of the socket when the write ends.
// Once that queue has been emptied and followed, the write is not lately any more. The
// socket does not tell of own writes: on a quiet machine that is when others change
// something, which costs a question to the kernel more than is needed.
//
// The zero written is empty. Its methods are safe for concurrent use. None takes longer
// for having many entries.
type written struct {
	mu    sync.Mutex
	under int // writes under way
	// When that was written which an administrator had just set with isat; zero if none
	// was. Those before the last turn are in old.
	old, last map[ipKey]time.Time
}

// maxLag is how old what the kernel tells may be when it is followed: the manager may be
// busy with a large table for seconds.
const maxLag = 10 * time.Second

// begin notes entries that are about to be written.
func (w *written) begin(updates []host.Neighbour) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = make(map[ipKey]time.Time)
	}
	w.under++
	now := time.Now()
	for _, u := range updates {
		key := ipKey{u.Interface, u.IP}
		if u.Anew {
			w.last[key] = now
		} else if _, ok := w.last[key]; !ok {
			w.last[key] = time.Time{}
		}
	}
}

// end notes that what begin noted has been written.
func (w *written) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under--
}

// turn is called before what the kernel has told up to now is read. While a write is
// under way it does nothing: another turn comes.
func (w *written) turn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.under == 0 && w.old == nil {
		w.old, w.last = w.last, nil
	}
}

// forget forgets what was written before the last turn: all has been followed that the
// kernel had told then.
func (w *written) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.old = nil
}

// lately returns whether isat has written an entry lately, and whether one was among that
// which an administrator had just set with isat, and that what is told now may be older.
func (w *written) lately(index int, ip netip.Addr) (ok, anew bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := ipKey{index, ip}
	old, wasOld := w.old[key]
	last, isLast := w.last[key]
	if last.Before(old) {
		last = old
	}
	return wasOld || isLast, time.Since(last) < maxLag
}

// crossing is a permanent entry that others have set, and isat has written lately.
type crossing struct {
	ipKey
	deleting bool // of isat's deletions of it one came after that
}

// compare has what others have set written again where an own write, of what the host
// had before, has overwritten it in the kernel. mu is held.
func (m *Manager) compare() {
	for _, c := range m.crossed {
		t := m.get(c.index)
		if t == nil {
			continue
		}
		var k rtnl.Neighbour
		var err error
		m.betweenWrites(func() { k, err = m.conn.Neighbour(c.index, c.ip) })
		t.mu.Lock()
		mac, isForeign := t.foreign[c.ip]
		t.mu.Unlock()
		if isForeign && isOverwritten(k, err, mac, c.deleting) {
			t.ifc.Tell(c.ip)
		}
	}
	m.crossed = m.crossed[:0]
}

// isOverwritten reports whether isat has overwritten or deleted the permanent entry that
// somebody else has set with a link-layer address: k is the kernel's now, unless there
// was an error. What others have done to it since, the kernel tells.
func isOverwritten(k rtnl.Neighbour, err error, mac lladdr.Addr, deleting bool) bool {
	switch {
	case err != nil:
		return deleting && rtnl.IsNotExist(err)
	case k.State == rtnl.StateFailed:
		return k.Flags&rtnl.FlagExtLearned != 0 // see isBeingDeleted
	case k.State == rtnl.StateNoARP:
		return false
	}
	return k.State != rtnl.StatePermanent || k.MAC != mac
}

// deleteWritten deletes the kernel's entry of an address that isat has written after
// others had deleted it, and before it heard of that. updating is held.
func (m *Manager) deleteWritten(t *taken, ip netip.Addr) {
	gone := host.Neighbour{Interface: t.index, IP: ip}
	m.written.begin([]host.Neighbour{gone})
	defer m.written.end()
	if op, ok := t.operation(gone); ok {
		m.write([]rtnl.NeighbourOp{op})
	}
}
