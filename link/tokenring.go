package link

import (
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// TokenRing is the framing of IEEE 802.5 with SNAP headers (RFC 1042) and source
// routes. Addresses are in the bit order that the ring sends: their group bit is
// 80 in the first byte, not 01 as on Ethernet.
type TokenRing struct{}

const (
	tokenRingHeaderLen = 14 // access control, frame control, destination, source

	// sys/net/iso88025.h of FreeBSD: TR_AC, TR_LLC_FRAME, FC_FT_MASK, TR_RII,
	// DA_IG, ISO88025_DEFAULT_MTU.
	accessControl  = 0x10 // a frame, not a token, of the lowest priority
	frameLLC       = 0x40 // frame control: it carries LLC
	frameTypeMask  = 0xc0
	routeIndicator = 0x80 // in the first byte of the source: a route follows
	tokenRingGroup = 0x80 // in the first byte of the destination
	tokenRingMTU   = 1500

	// tokenRingMaxMTU is the MTU of a ring of 16 Mbit/s (RFC 1191 section 7.1).
	tokenRingMaxMTU = 17914
)

// HardwareType returns [arp.IEEE802].
func (TokenRing) HardwareType() arp.HardwareType { return arp.IEEE802 }

// AddrLen returns 6.
func (TokenRing) AddrLen() int { return 6 }

// Broadcast returns ff:ff:ff:ff:ff:ff.
func (TokenRing) Broadcast() lladdr.Addr { return lladdr.Broadcast() }

// IsGroup reports whether a is a group or functional address.
func (TokenRing) IsGroup(a lladdr.Addr) bool {
	b, ok := a.As6()
	return ok && b[0]&tokenRingGroup != 0
}

// Multicast returns c0:00:00:04:00:00, the functional address of IP multicast.
// It is the same for all groups, and the default of RFC 1469.
func (TokenRing) Multicast(netip.Addr) lladdr.Addr {
	return lladdr.From6([6]byte{0xc0, 0x00, 0x00, 0x04, 0x00, 0x00})
}

// MTU returns 1500.
func (TokenRing) MTU() int { return tokenRingMTU }

// MaxMTU returns 17914.
func (TokenRing) MaxMTU() int { return tokenRingMaxMTU }

// Append implements [Framing]. Both addresses of h have six bytes, and the source
// is no group address: that bit says whether there is a route.
func (TokenRing) Append(dst []byte, h Header, payload []byte) []byte {
	dst = append(dst, accessControl, frameLLC)
	dst = h.Destination.AppendBytes(dst)
	source := len(dst)
	dst = h.Source.AppendBytes(dst)
	if !h.Route.IsZero() {
		dst[source] |= routeIndicator
		dst = h.Route.AppendBytes(dst)
	}
	return append(appendSNAP(dst, h.Type), payload...)
}

// Parse implements [Framing].
func (TokenRing) Parse(frame []byte) (Header, []byte, error) {
	if len(frame) < tokenRingHeaderLen {
		return Header{}, nil, fmt.Errorf("IEEE 802.5 frame of %d bytes: %w", len(frame), ErrShort)
	}
	if frame[1]&frameTypeMask != frameLLC {
		return Header{}, nil, fmt.Errorf("IEEE 802.5 frame with frame control %#02x: %w", frame[1], ErrFrame)
	}
	source, rest := [6]byte(frame[8:14]), frame[tokenRingHeaderLen:]
	h := Header{Destination: lladdr.From6([6]byte(frame[2:8]))}
	var err error
	if source[0]&routeIndicator != 0 {
		source[0] &^= routeIndicator
		if h.Route, err = ParseSourceRoute(rest); err != nil {
			return Header{}, nil, fmt.Errorf("IEEE 802.5 frame: %w", err)
		}
		rest = rest[h.Route.Len():]
	}
	h.Source = lladdr.From6(source)
	if h.Type, rest, err = parseSNAP(rest); err != nil {
		return Header{}, nil, fmt.Errorf("IEEE 802.5 frame: %w", err)
	}
	return h, rest, nil
}
