package httpapi

import (
	"fmt"
	"slices"
	"syscall"
)

// Credentials say who is at the other end of a Unix socket, as of the moment it
// connected, in the ids of the daemon's user namespace: root is uid 0 of that
// namespace. The zero Credentials are of nobody.
type Credentials struct {
	Known  bool // whether the system told for sure; without it the rest means nothing
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary groups
}

// NoGroup is [Rights.Group] where there is no such group.
const NoGroup = -1

// Rights is the part of the configuration that says who may do what. Root and
// Owner may do everything.
type Rights struct {
	Owner      uint32 // uid of the daemon's user
	Group      int    // gid of socket-group, which may follow events; [NoGroup]: nobody may by group
	GroupReads bool   // read = "group": reading is for Group as well, not for all
}

// right is what a route asks of its caller.
type right uint8

const (
	reading   right = iota // what ip neigh shows anyone
	scraping               // metrics, which name no address
	following              // events
	changing
)

// caller is who sent a request: a peer on the Unix socket, or anybody over TCP.
type caller struct {
	Credentials
	tcp bool
}

// check returns nil if c may do what needs the right, else an error that wraps
// EPERM and says who may.
func (r Rights) check(c caller, need right) error {
	trusted := r.trusts(c)
	member := c.Known && r.Group >= 0 &&
		(int(c.GID) == r.Group || slices.Contains(c.Groups, uint32(r.Group)))
	var ok bool
	var what string
	switch need {
	case reading:
		ok, what = !r.GroupReads || trusted || member, "reading is for root, the daemon's user and socket-group"
	case scraping:
		// Whoever opened the TCP port meant it for this.
		ok, what = c.tcp || !r.GroupReads || trusted || member, "reading is for root, the daemon's user and socket-group"
	case following:
		ok, what = trusted || member, "events are for root, the daemon's user and socket-group"
	case changing:
		ok, what = trusted, "changing is for root and the daemon's user"
	}
	if ok {
		return nil
	}
	return fmt.Errorf("%s, not for %s: %w", what, c, syscall.EPERM)
}

// MayRead returns nil if c, at a Unix socket, may read what ip neigh shows anyone,
// else an error that wraps EPERM and says who may.
func (r Rights) MayRead(c Credentials) error { return r.check(caller{Credentials: c}, reading) }

// MayChange is MayRead of changing.
func (r Rights) MayChange(c Credentials) error { return r.check(caller{Credentials: c}, changing) }

// trusts reports whether c may do everything.
func (r Rights) trusts(c caller) bool { return c.Known && (c.UID == 0 || c.UID == r.Owner) }

// String says who c is.
func (c caller) String() string {
	switch {
	case c.tcp:
		return "callers over TCP"
	case !c.Known:
		return "a caller whom the system does not name for sure"
	}
	return fmt.Sprintf("uid %d", c.UID)
}
