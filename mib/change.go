package mib

import (
	"slices"
	"sync"
)

// Change is one change of a tunable.
type Change struct {
	Name      string
	Interface string // "": the whole host, and every interface without a value of its own
	Old, New  int64  // the values in force there before and after, in the unit of the node
	IsSet     bool   // whether New was set there: false after a reset
}

// OnChange makes f be called after every change from now on; that a value is set
// or reset which is the same as before is a change too. Calls come one at a
// time, in the order of the changes and without a lock, so that f may use the
// tree, though what it reads there may be newer than its argument. They are made
// by the goroutine that changes something: [Tree.Set] has called f when it
// returns, unless another goroutine or f itself was in the midst of calling,
// which then goes on with this change too.
//
// stop ends the calls; one that is under way may still end after it.
func (t *Tree) OnChange(f func(Change)) (stop func()) {
	return t.changes.subscribe(f)
}

// notifier hands changes to subscribers, in order, outside of every lock.
type notifier struct {
	mu          sync.Mutex
	subscribers []*subscriber // replaced, never edited: deliver reads it without the lock
	pending     []Change
	delivering  bool // a goroutine is in deliver and takes what is pending
}

type subscriber struct{ call func(Change) }

func (n *notifier) subscribe(f func(Change)) (stop func()) {
	s := &subscriber{call: f}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subscribers = append(slices.Clone(n.subscribers), s)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.subscribers = slices.DeleteFunc(slices.Clone(n.subscribers), func(other *subscriber) bool { return other == s })
	}
}

// add appends a change to those pending. The caller holds the lock of the tree,
// which makes the order that of the changes, and calls deliver when it does not
// any more.
func (n *notifier) add(c Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = append(n.pending, c)
}

// deliver calls the subscribers with what is pending, if nobody does already.
func (n *notifier) deliver() {
	if !n.begin() {
		return
	}
	for c, subscribers, ok := n.next(); ok; c, subscribers, ok = n.next() {
		for _, s := range subscribers {
			s.call(c)
		}
	}
}

// begin reports whether the caller is the one to deliver.
func (n *notifier) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.delivering {
		return false
	}
	n.delivering = true
	return true
}

// next returns the oldest pending change and those to call. If there is none it
// returns false, and the caller no longer delivers.
func (n *notifier) next() (c Change, subscribers []*subscriber, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pending) == 0 {
		n.delivering = false
		return Change{}, nil, false
	}
	c, n.pending = n.pending[0], n.pending[1:]
	return c, n.subscribers, true
}
