package host

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// announcement is the repetition of the announcement of one own address:
// garp_rexmit_count more, at gaps that double (facts/freebsd-arp.md 5.2).
type announcement struct {
	ifc   *Interface
	ip    netip.Addr
	done  int
	gap   time.Duration // before the next one
	timer deadline.Timer[timed]
}

// firstGap is between the first announcement and its first repetition
// (facts/freebsd-arp.md 5.2).
const firstGap = time.Second

// fire implements [timed].
func (a *announcement) fire(h *Host, now time.Time) {
	count := a.ifc.settings.GarpRexmitCount // it may be another than at the start
	if a.done < count {
		h.announce(a.ifc, a.ip)
		a.done++
	}
	if a.done >= count {
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
		a := &announcement{ifc: ifc, ip: ip, gap: firstGap}
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

// announce announces an own address.
func (h *Host) announce(ifc *Interface, ip netip.Addr) { h.announceAs(ifc, ip, ifc.mac) }

// announceAs sends one announcement: a request with spa = tpa and tha = 0 (DESIGN
// section 3).
func (h *Host) announceAs(ifc *Interface, ip netip.Addr, mac lladdr.Addr) {
	if !ifc.up || !ifc.mode.DoesARP() {
		return
	}
	if h.sendARP(ifc, ifc.framing.Broadcast(), link.SourceRoute{}, arp.Packet{Operation: arp.Request, SenderHW: mac, SenderIP: ip, TargetIP: ip}) {
		ifc.stats.TxRequests++
	}
	h.record(event.Event{Type: event.Announced, Interface: ifc.name, IP: ip, MAC: mac})
}

// Announce announces addresses of the interface now, its own or published ones;
// without any, all its own that may be used. The error wraps EADDRNOTAVAIL for an
// address that is neither, or not verified, and ENETDOWN while the link is down;
// nothing is announced then.
func (i *Interface) Announce(addresses ...netip.Addr) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if !i.up {
		return fmt.Errorf("announcing on %s: its link is down: %w", i.name, syscall.ENETDOWN)
	}
	if !i.mode.DoesARP() {
		return fmt.Errorf("announcing on %s: it is only watched, or has no ARP (%s): %w", i.name, i.mode, syscall.EOPNOTSUPP)
	}
	for _, ip := range addresses {
		if why := h.checkAnnounceable(i, ip); why != nil {
			return fmt.Errorf("announcing %v: %w", ip, why)
		}
	}
	if len(addresses) == 0 {
		for _, a := range i.addresses {
			if i.uses(a.Prefix.Addr()) {
				addresses = append(addresses, a.Prefix.Addr())
			}
		}
	}
	for _, ip := range addresses {
		mac, _ := h.announceable(i, ip)
		h.announceAs(i, ip, mac)
	}
	return nil
}

// checkAnnounceable returns why an interface may not announce an address.
func (h *Host) checkAnnounceable(ifc *Interface, ip netip.Addr) error {
	o := ifc.ownAt(ip)
	switch {
	case o != nil && o.withdrawn():
		return fmt.Errorf("it is withdrawn from %s, because %v has it: %w", ifc.name, o.Owner(), syscall.EADDRNOTAVAIL)
	case o != nil && !o.usable():
		return fmt.Errorf("it is being probed on %s, and not verified yet: %w", ifc.name, syscall.EADDRNOTAVAIL)
	case o == nil && !ifc.verified(ip):
		return fmt.Errorf("it is published on %s, but not verified: %w", ifc.name, syscall.EADDRNOTAVAIL)
	}
	if _, ok := h.announceable(ifc, ip); !ok {
		return fmt.Errorf("neither an address of %s nor published there: %w", ifc.name, syscall.EADDRNOTAVAIL)
	}
	return nil
}

// announceable returns the link-layer address with which an interface announces an
// address, and whether it may: one of its own, or one that it publishes and that is
// not the host's own elsewhere.
func (h *Host) announceable(ifc *Interface, ip netip.Addr) (lladdr.Addr, bool) {
	if h.ownsAnywhere(ip) {
		return ifc.mac, ifc.owns(ip)
	}
	mac, ok := h.publishedOn(ifc, ip)
	if !mac.IsValid() {
		mac = ifc.mac
	}
	return mac, ok
}
