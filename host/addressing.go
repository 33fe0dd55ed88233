package host

import (
	"context"
	"fmt"
	"net/netip"

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
	State     acd.State   // [acd.Exempt] where there is no DAD, [acd.None] of a Released one
	Owner     lladdr.Addr // of Withdrawn: who has it
	Delayed   bool        // its announcement waits for the budget of the interface
	Restored  bool        // it was withdrawn, is to be there again, and was not named since
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

// touchOwn notes that the IP side has to be told how an own address may be used.
func (h *Host) touchOwn(o *own) {
	if h.addressing != nil {
		h.untold.add(entryKey{o.ifc.index, o.IP()})
	}
}

// runAddressing is the goroutine that tells how own addresses may be used.
func (h *Host) runAddressing(ctx context.Context) {
	if h.addressing == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.pingAddressing:
			h.pong()
			continue
		case <-h.wakeAddressing:
		}
		h.mu.Lock()
		updates := make([]OwnAddress, 0, len(h.untold.order))
		for _, key := range h.untold.order {
			updates = append(updates, h.ownAddress(key))
		}
		h.untold.clear()
		h.unlock()
		if len(updates) > 0 {
			h.addressing.UpdateAddresses(updates)
		}
	}
}

// ownAddress returns how an address may be used at present.
func (h *Host) ownAddress(key entryKey) OwnAddress {
	if ifc := h.byIndex(key.index); ifc != nil {
		if o := ifc.ownAt(key.ip); o != nil && o.watched() {
			return o.snapshot()
		}
	}
	return OwnAddress{Interface: key.index, Address: Address{Prefix: netip.PrefixFrom(key.ip, key.ip.BitLen())}}
}
