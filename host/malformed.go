package host

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
)

// checkPacket reads the packet and checks what concerns the medium and the
// protocol (facts/freebsd-arp.md 3.2, 3.4).
func (h *Host) checkPacket(now time.Time, ifc *Interface, payload []byte) (arp.Packet, bool) {
	p, err := arp.Parse(payload)
	if ifc.framing.HardwareType() == arp.ARCnet {
		p.ProtocolType = arp.ProtocolIPv4 // facts 5.1: some stations have a wrong value there
	}
	var why Drop
	switch {
	case errors.Is(err, arp.ErrHardwareLength):
		why = DropHardwareLength
	case errors.Is(err, arp.ErrProtocolLength):
		why = DropProtocolLength
	case err != nil:
		why = DropShortPacket
	case !sameMedium(ifc.framing.HardwareType(), p.HardwareType):
		why = DropHardwareType
	case p.ProtocolType != arp.ProtocolIPv4:
		why = DropProtocolType
	case !p.SenderIP.Is4():
		why = DropProtocolLength
	case p.SenderHW.Len() != ifc.framing.AddrLen() && !(ifc.settings.UnARP && p.IsUnARP()):
		why = DropHardwareLength
	default:
		return p, true
	}
	ifc.drop(why)
	h.diagnose(now, ifc, event.Malformed, netip.Addr{}, func() event.Event {
		severity, message := ifc.malformed(why, payload, p)
		return event.Event{MAC: p.SenderHW, Severity: severity, Message: message}
	})
	return p, false
}

// malformed returns the line about a packet that is dropped for what it looks
// like. It is that of FreeBSD 7 (facts/freebsd-arp.md 4.1), or of today's FreeBSD
// where 7 had none or spoke of its buffers (4.3). p is the zero Packet if the
// payload could not be read.
func (i *Interface) malformed(why Drop, payload []byte, p arp.Packet) (event.Severity, string) {
	switch {
	case why == DropShortPacket && len(payload) < arp.HeaderLen:
		return event.Notice, fmt.Sprintf("arp: packet with short header received on %s", i.name)
	case why == DropShortPacket:
		return event.Error, "arp: runt packet"
	case why == DropHardwareType:
		return event.Error, fmt.Sprintf("arp: unknown hardware address format (%#04x)", uint16(p.HardwareType))
	case why == DropHardwareLength && p.SenderHW.IsValid():
		return event.Warning, fmt.Sprintf("arp from %v: addr len: new %d, i/f %d (ignored)", p.SenderHW, p.SenderHW.Len(), i.framing.AddrLen())
	case why == DropHardwareLength: // none, or longer than any: 7 would have called it a runt or printed it
		return event.Notice, fmt.Sprintf("arp: packet with invalid %v address length %d received on %s", i.framing.HardwareType(), payload[4], i.name)
	case why == DropProtocolLength:
		return event.Notice, fmt.Sprintf("arp: requested protocol length != %d", protocolLen)
	}
	// FreeBSD drops it without a word (3.2), which is right for a protocol that is
	// none of ours; who asks for debugging hears of it.
	return event.Debug, fmt.Sprintf("arp: protocol type %#04x is not IPv4 on %s", p.ProtocolType, i.name)
}

// protocolLen is ar$pln of IPv4.
const protocolLen = 4

// sameMedium reports whether a packet's hardware type belongs on a medium:
// Ethernet and IEEE 802 take each other's (facts 3.2: FreeBSD 7 took both).
func sameMedium(medium, packet arp.HardwareType) bool {
	ieee := func(t arp.HardwareType) bool { return t == arp.Ethernet || t == arp.IEEE802 }
	return medium == packet || ieee(medium) && ieee(packet)
}
