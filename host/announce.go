package host

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/deadline"
)

// announcement is the repetition of the announcement of one own address:
// garp_rexmit_count more, at gaps that double (facts/freebsd-arp.md 5.2).
type announcement struct {
	ifc   *Interface
	ip    netip.Addr
	left  int
	gap   time.Duration // before the next one
	timer deadline.Timer[timed]
}

// firstGap is between the first announcement and its first repetition
// (facts/freebsd-arp.md 5.2).
const firstGap = time.Second

// fire implements [timed].
func (a *announcement) fire(h *Host, now time.Time) {
	h.announce(a.ifc, a.ip)
	a.left--
	if a.left <= 0 {
		delete(a.ifc.announcements, a.ip)
		return
	}
	a.gap *= 2
	h.timers.Set(&a.timer, now.Add(a.gap))
}

// announceNew announces an address that was added, now and as often again as
// garp_rexmit_count says.
func (h *Host) announceNew(now time.Time, ifc *Interface, ip netip.Addr) {
	h.announce(ifc, ip)
	h.unannounce(ifc, ip)
	if ifc.settings.GarpRexmitCount > 0 {
		a := &announcement{ifc: ifc, ip: ip, left: ifc.settings.GarpRexmitCount, gap: firstGap}
		a.timer.Value = a
		ifc.announcements[ip] = a
		h.timers.Set(&a.timer, now.Add(a.gap))
	}
}

// unannounce ends the repetitions for an address.
func (h *Host) unannounce(ifc *Interface, ip netip.Addr) {
	if a, ok := ifc.announcements[ip]; ok {
		h.timers.Remove(&a.timer)
		delete(ifc.announcements, ip)
	}
}

// announce sends one announcement: a request with spa = tpa and tha = 0 (DESIGN
// section 3).
func (h *Host) announce(ifc *Interface, ip netip.Addr) {
	if !ifc.up || ifc.mode == Off || ifc.mode == Watch {
		return
	}
	h.sendRequest(ifc, ip, ip)
	h.record(event.Event{Type: event.Announced, Interface: ifc.name, IP: ip, MAC: ifc.mac})
}

// Announce announces own addresses of the interface now; without any, all of
// them. The error wraps EADDRNOTAVAIL for an address that is not its own, and
// ENETDOWN while the link is down; nothing is announced then.
func (i *Interface) Announce(addresses ...netip.Addr) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if !i.up {
		return fmt.Errorf("announcing on %s: its link is down: %w", i.name, syscall.ENETDOWN)
	}
	if i.mode == Watch || i.mode == Off {
		return fmt.Errorf("announcing on %s: ARP is %s there: %w", i.name, i.mode, syscall.EOPNOTSUPP)
	}
	for _, ip := range addresses {
		if !i.owns(ip) {
			return fmt.Errorf("announcing %v: not an address of %s: %w", ip, i.name, syscall.EADDRNOTAVAIL)
		}
	}
	if len(addresses) == 0 {
		for _, a := range i.addresses {
			addresses = append(addresses, a.Prefix.Addr())
		}
	}
	for _, ip := range addresses {
		h.announce(i, ip)
	}
	return nil
}
