package host

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/lladdr"
)

// Neighbours is an IP side that wants bindings of its own: on Linux the
// neighbour table of the kernel.
type Neighbours interface {
	// Update tells the present binding of addresses that the IP side has asked
	// for or an administrator has set, each at most once. It is called by one
	// goroutine and without a lock; it may read the host and must not change it.
	Update([]Neighbour)
}

// Neighbour is the present binding of an address on an interface.
type Neighbour struct {
	Interface int // index
	IP        netip.Addr
	MAC       lladdr.Addr // of Valid, Watched and Fixed
	State     NeighbourState
	// Anew says that an administrator has set the entry since the IP side was told.
	Anew bool
	// Untold says that the IP side does not have this binding yet, or not for sure: it
	// is being told or will be. Only [Interface.Bindings] says so.
	Untold bool
}

// NeighbourState is what the IP side has to know of an entry.
type NeighbourState uint8

// The states of a neighbour.
const (
	// Gone: there is no entry.
	Gone NeighbourState = iota
	// Pending: the address is being asked for; packets wait.
	Pending
	// Valid: packets may be sent.
	Valid
	// Watched: packets may be sent, and the host wants to hear of it:
	// [Interface.Used].
	Watched
	// Failed: the neighbour does not answer; packets are errors.
	Failed
	// Fixed: packets may be sent, until an administrator says otherwise.
	Fixed
	// Refused: packets are errors, until an administrator says otherwise.
	Refused
	// Discarded: packets vanish, until an administrator says otherwise.
	Discarded
)

// String returns the name of s.
func (s NeighbourState) String() string {
	names := [...]string{"gone", "pending", "valid", "watched", "failed", "fixed", "refused", "discarded"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("neighbour state %d", uint8(s))
}

// touch notes that the binding of an entry has to be told.
func (h *Host) touch(key entryKey) {
	if h.neighbours == nil {
		return
	}
	h.dirty.add(key)
}

// runNeighbours is the goroutine that tells the bindings.
func (h *Host) runNeighbours(ctx context.Context) {
	if h.neighbours == nil {
		return
	}
	var updates []Neighbour
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.pingNeighbours:
			h.pong()
			continue
		case <-h.wakeNeighbours:
		}
		h.mu.Lock()
		h.tellings.begun++
		h.dirty, h.telling = h.telling, h.dirty // telling was empty
		updates = updates[:0]
		for _, key := range h.telling.order {
			updates = append(updates, h.neighbour(key))
		}
		h.mu.Unlock()
		if len(updates) > 0 {
			h.neighbours.Update(updates)
		}
		h.mu.Lock()
		h.told(updates)
		h.telling.clear()
		h.tellings.end()
		h.bindFirst = false
		h.unlock()
	}
}

// tellings counts the rounds of runNeighbours.
type tellings struct {
	begun, ended uint64
	wait         chan struct{} // closed when the present one ends, nil if nobody waits
}

func (t *tellings) end() {
	t.ended = t.begun
	if t.wait != nil {
		close(t.wait)
		t.wait = nil
	}
}

// Told waits until Neighbours has been told what has changed up to now, so that who
// changes an entry can count on its being there for the IP side. Without Neighbours, and
// while [Host.Run] does not run, it returns at once. The error is that of ctx.
func (h *Host) Told(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.neighbours == nil || h.running == nil {
		return nil
	}
	wanted := h.tellings.begun
	if len(h.dirty.order) > 0 {
		wanted++
	}
	for h.tellings.ended < wanted {
		if h.tellings.wait == nil {
			h.tellings.wait = make(chan struct{})
		}
		if err := h.pause(ctx, h.tellings.wait); err != nil {
			return fmt.Errorf("waiting until the neighbours are told: %w", err)
		}
		if h.running.Err() != nil {
			return nil
		}
	}
	return nil
}

// pause waits without the lock, which is held before and after, for a channel to be
// closed, or for the end of Run or of ctx, whose error it returns.
func (h *Host) pause(ctx context.Context, c <-chan struct{}) error {
	h.mu.Unlock()
	defer h.mu.Lock()
	select {
	case <-c:
	case <-h.running.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// told notes that bindings have been told, but for those that have changed again.
func (h *Host) told(updates []Neighbour) {
	for _, n := range updates {
		key := entryKey{n.Interface, n.IP}
		if !n.Anew || h.dirty.has(key) {
			continue
		}
		if ifc := h.byIndex(n.Interface); ifc != nil {
			if e := h.find(ifc, n.IP); e != nil {
				e.anew = false
			}
		}
	}
}

// neighbour returns the present binding.
func (h *Host) neighbour(key entryKey) Neighbour {
	n := Neighbour{Interface: key.index, IP: key.ip}
	ifc := h.byIndex(key.index)
	if ifc == nil {
		return n
	}
	e := h.find(ifc, key.ip)
	if e == nil || !e.installed {
		return n
	}
	n.MAC, n.Anew = e.Addr(), e.anew
	switch e.action {
	case Reject:
		n.State = Refused
		return n
	case Blackhole:
		n.State = Discarded
		return n
	}
	switch e.State() {
	case cache.Incomplete:
		n.State = Pending
	case cache.Reachable:
		n.State = Valid
	case cache.Verify:
		n.State = Watched
	case cache.Permanent:
		n.State = Fixed
	case cache.Down:
		n.State = Failed
		if e.Waited() {
			n.State = Pending
		}
	}
	return n
}

// Bindings returns the present binding of every address that the IP side was
// told of on an interface, for an IP side that has lost its own.
func (i *Interface) Bindings() []Neighbour {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	var all []Neighbour
	for e := range i.entries() {
		if e.installed {
			key := e.key()
			n := i.host.neighbour(key)
			n.Untold = i.host.dirty.has(key) || i.host.telling.has(key)
			all = append(all, n)
		}
	}
	return all
}
