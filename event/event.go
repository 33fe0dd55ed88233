// Package event has the types of what happens in an ARP host, and the ring that
// keeps the last of them for any number of readers. It decides nothing: whoever
// appends an event has decided already.
package event

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/lladdr"
)

// Event is one thing that happened. Fields that do not apply have their zero
// value. It is a value: receivers may keep it.
type Event struct {
	Seq       uint64      // position in its ring, from 1, without gaps
	Time      time.Time   // when it happened
	Type      Type        // what happened
	Interface string      // the interface, as named at that moment
	IP        netip.Addr  // the protocol address concerned
	MAC       lladdr.Addr // the link-layer address concerned
	OldMAC    lladdr.Addr // what it replaced, for Moved
	Count     uint64      // how many, for Lost and Suppressed
	Severity  Severity    // of Message
	Message   string      // the diagnostic line where there is one, "arp: " included
}
