package host

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/route"
)

// Action is what becomes of packets to the address of an entry: reject and
// blackhole of arp(8).
type Action uint8

// The actions.
const (
	Forward   Action = iota // they are sent to the link-layer address
	Reject                  // whoever sends them gets an error
	Blackhole               // they vanish
)

// String returns the word of the API, "" for Forward.
func (a Action) String() string {
	names := [...]string{"", "reject", "blackhole"}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Errors of addresses that take no packets. That of Reject is for the destination
// itself; of a gateway it is EHOSTUNREACH, as if the gateway were silent
// (facts/freebsd-arp.md 2.2 step 2). That of Blackhole is for [Host.Resolve]:
// packets get none.
var (
	errReject        = fmt.Errorf("a reject entry: %w", syscall.EHOSTDOWN)
	errRejectGateway = fmt.Errorf("a reject entry: %w", syscall.EHOSTUNREACH)
	errNotAsked      = fmt.Errorf("ARP may not ask on this interface: %w", syscall.EINVAL) // 2.2 step 5
	errBlackhole     = fmt.Errorf("a blackhole entry: %w", syscall.EHOSTUNREACH)
)

// refusal returns why no packet goes to the link-layer address of e; nil if they
// do, once it is known.
func (e *entry) refusal() error {
	switch e.action {
	case Reject:
		return errReject
	case Blackhole:
		return errBlackhole
	}
	return nil
}

// hopError returns the error of a next hop as the sender gets it: a gateway that
// does not take packets is not the destination that is down.
func hopError(err error, gateway bool) error {
	switch {
	case !gateway || !errors.Is(err, syscall.EHOSTDOWN):
		return err
	case err == errReject:
		return errRejectGateway
	}
	return syscall.EHOSTUNREACH
}

// usable reports whether packets may be sent to e.
func (e *entry) usable() bool { return e.action == Forward && e.State().Usable() }

// word is what lookups read of e.
func (e *entry) word() cache.Word {
	if e.action != Forward {
		return 0
	}
	return e.Word()
}

// ordered reports whether an administrator has said more of e than where its
// owner is. What the owner says is no news then, and the link is not what e is
// about.
func (e *entry) ordered() bool { return e.publish != Unpublished || e.action != Forward }

// orderFlags are the flags of a host route for what the administrator has said of
// it (facts/freebsd-arp.md 2.5).
func orderFlags(p Publish, a Action) (f route.Flags) {
	if p != Unpublished {
		f |= route.Announce
	}
	switch a {
	case Reject:
		f |= route.Reject
	case Blackhole:
		f |= route.Blackhole
	}
	return f
}
