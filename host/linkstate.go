package host

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// SetMAC tells the host that the interface has another link-layer address.
// Dynamic entries go, as they do in the kernel; permanent ones and the own and
// published addresses are told anew (facts/freebsd-arp.md 5.2). The error wraps
// EINVAL for an address that no station of the medium has.
func (i *Interface) SetMAC(mac lladdr.Addr) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if i.mac == mac {
		return nil
	}
	if err := h.checkStation(i.name, i.framing, mac); err != nil {
		return fmt.Errorf("changing the address of %s: %w", i.name, err)
	}
	old := i.mac
	i.mac = mac
	h.publishOutlets()
	// Those that are waited for go on: the next request has the new address.
	h.dropDynamic(i, func(e *entry) bool { return len(e.waiters) > 0 })
	h.followMAC(time.Now(), i)
	h.record(event.Event{Type: event.Changed, Interface: i.name, MAC: mac, OldMAC: old, Severity: event.Info,
		Message: fmt.Sprintf("isat: %s has address %v now, had %v", i.name, mac, old)})
	if i.up {
		h.restoreLink(i)
	}
	return nil
}

// SetRunning tells the host that the link came up or went down. While it is down
// nothing is sent. Dynamic entries end with the link (facts/freebsd-arp.md 2.5);
// when it comes back permanent ones are told to the IP side again, and the own and
// the published addresses are announced; with DAD, the own ones are probed too.
func (i *Interface) SetRunning(up bool) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if i.up == up {
		return
	}
	i.up = up
	h.publishOutlets()
	if !up {
		h.followLink(time.Now(), i, false)
		h.dropDynamic(i, func(*entry) bool { return false })
		h.record(event.Event{Type: event.LinkDown, Interface: i.name, Severity: event.Info, Message: fmt.Sprintf("isat: %s: link is down", i.name)})
		return
	}
	h.record(event.Event{Type: event.LinkUp, Interface: i.name, Severity: event.Info, Message: fmt.Sprintf("isat: %s: link is up", i.name)})
	h.restoreLink(i)
}

// restoreLink tells a link that is there again what it has to know.
func (h *Host) restoreLink(ifc *Interface) {
	for e := range ifc.entries() {
		if e.installed {
			h.touch(e.key())
		}
	}
	for _, a := range ifc.addresses {
		if !ifc.detecting {
			h.announce(ifc, a.Prefix.Addr())
		}
	}
	h.followLink(time.Now(), ifc, true)
	h.announcePublished(ifc)
}

// dropDynamic removes the entries that are not permanent, but those to keep and
// those that say more than where their owner is on the link.
func (h *Host) dropDynamic(ifc *Interface, keep func(*entry) bool) {
	for _, e := range slices.Clone(ifc.dynamic) {
		if !keep(e) && !e.ordered() {
			h.deleteEntry(e, syscall.ENETDOWN)
		}
	}
}
