package route

import (
	"fmt"
	"net/netip"
)

// MessageType tells what a [Message] reports: RTM_* of FreeBSD 7's net/route.h,
// with its numbers.
type MessageType uint8

// The types in use.
const (
	Add     MessageType = 0x1 // RTM_ADD: a route was added
	Delete  MessageType = 0x2 // RTM_DELETE: a route was deleted
	Change  MessageType = 0x3 // RTM_CHANGE: gateway, metric, flags or link-layer address changed
	Miss    MessageType = 0x7 // RTM_MISS: a lookup found no route
	Resolve MessageType = 0xb // RTM_RESOLVE: the link-layer address of a clone is asked for
)

// String returns "add", "delete", "change", "miss" or "resolve", the words of
// route(8).
func (t MessageType) String() string {
	switch t {
	case Add:
		return "add"
	case Delete:
		return "delete"
	case Change:
		return "change"
	case Miss:
		return "miss"
	case Resolve:
		return "resolve"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Message reports one change of the table, in the manner of a routing socket
// (route(4)).
type Message[E any] struct {
	Type      MessageType
	Prefix    netip.Prefix // the destination; an address as a prefix of 32 bits
	Gateway   netip.Addr   // the gateway of a network, invalid if it is on the link
	Interface int          // the interface index, 0 if none
	Flags     Flags        // of the route, as it is or, for Delete, as it was
	// Entry is what the clone carries, for messages about a clone; it is nil for
	// those about a network and for Miss. The link-layer address is the entry's.
	Entry *E
}
