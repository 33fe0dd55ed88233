package host

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// machine is an address that package acd decides about: an own one, or one that
// somebody asks for.
type machine struct {
	acd.Address
	ifc   *Interface
	timer deadline.Timer[timed] // its Value is what the machine is part of
}

// drive tells a machine what happened, sends the probes it asks for, and hands the
// other effects to do, in order.
func (h *Host) drive(now time.Time, m *machine, in acd.Input, do func(acd.Effect)) {
	effects := m.Handle(now, in, h.detections[:0])
	h.detections = nil // what an effect leads to may drive another machine
	h.timers.Set(&m.timer, m.Deadline())
	for _, e := range effects {
		if e.Action == acd.Probe {
			h.sendProbe(m.ifc, m.IP())
		} else {
			do(e)
		}
	}
	h.detections = effects[:0]
}

// sendProbe asks everybody for an address without saying who asks (RFC 5227
// section 1.1).
func (h *Host) sendProbe(ifc *Interface, ip netip.Addr) {
	if h.sendARP(ifc, ifc.framing.Broadcast(), link.SourceRoute{}, arp.Packet{
		Operation: arp.Request,
		SenderHW:  ifc.mac, SenderIP: netip.IPv4Unspecified(),
		TargetIP: ip,
	}) {
		ifc.stats.TxRequests++
	}
}

// selfView is what package acd knows of the machine that the host runs on.
type selfView Interface

// IsSelf implements [acd.Self].
func (v *selfView) IsSelf(mac lladdr.Addr) bool { return v.host.isSelf((*Interface)(v), mac) }

// newDetector returns what the machines of an interface share.
func (h *Host) newDetector(ifc *Interface, c InterfaceConfig) *acd.Interface {
	d := acd.NewInterface(time.Now(), &ifc.settings.ACD, (*selfView)(ifc), h.rand)
	d.ReportsLink, d.Reprobe = c.ReportsLink, c.Reprobe
	d.NoARP = ifc.mode == Off
	d.SetLink(ifc.asks())
	return d
}

// asks reports whether the interface may send ARP of its own accord.
func (i *Interface) asks() bool { return i.up && !i.detached && i.mode.DoesARP() }
