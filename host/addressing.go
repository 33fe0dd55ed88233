package host

import (
	"fmt"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/lladdr"
)

// Addressing is the IP side of the own addresses: on Linux the addresses of the
// kernel's interface.
type Addressing interface {
	// UpdateAddresses tells how own addresses may be used now, each at most once
	// in a call. It is called by one goroutine of [Host.Run], without a lock, and
	// may call the host. An address whose use changes while a call lasts is told in
	// the next one: always its present use, so that a backlog shrinks.
	UpdateAddresses([]OwnAddress)
}

// OwnAddress is an own address of an interface as it is at one moment.
type OwnAddress struct {
	Interface int     // index
	Address   Address // of a Released one only the address itself, with 32 bits
	Usage     Usage
	State     acd.State   // [acd.Exempt] where there is no DAD
	Owner     lladdr.Addr // of Withdrawn: who has it
	Delayed   bool        // its announcement waits for the budget of the interface
}

// Usage is how an own address may be used.
type Usage uint8

// The kinds of usage.
const (
	Released  Usage = iota // it is not looked after any more: forget it
	Usable                 // without restriction
	Suspended              // nothing may be sent from it: it is not verified
	Withdrawn              // it is somebody else's: it has to be taken down
)

// String returns the name of u.
func (u Usage) String() string {
	names := [...]string{"released", "usable", "suspended", "withdrawn"}
	if int(u) < len(names) {
		return names[u]
	}
	return fmt.Sprintf("usage %d", uint8(u))
}
