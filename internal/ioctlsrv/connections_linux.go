package ioctlsrv

import (
	"io"
	"sync"
)

// connections are those open, and how many of whom.
type connections struct {
	mu      sync.Mutex
	closed  bool
	all     map[io.Closer]bool
	trusted int
	others  int
	count   map[uint32]int // of others, by uid
}

// add takes a place for a connection. It returns false if there is none.
func (o *connections) add(c io.Closer, who caller, trusted bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed, trusted && o.trusted >= maxTrusted, !trusted && o.others >= maxOthers,
		!trusted && who.Known && o.count[who.UID] >= maxUser:
		return false
	}
	o.all[c] = true
	o.change(who, trusted, 1)
	return true
}

// remove closes a connection and gives its place back.
func (o *connections) remove(c io.Closer, who caller, trusted bool) {
	c.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, c)
	o.change(who, trusted, -1)
}

func (o *connections) change(who caller, trusted bool, by int) {
	if trusted {
		o.trusted += by
		return
	}
	o.others += by
	if !who.Known {
		return
	}
	if o.count[who.UID] += by; o.count[who.UID] == 0 {
		delete(o.count, who.UID)
	}
}

// close closes all, and those that come.
func (o *connections) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.all {
		c.Close()
	}
}
