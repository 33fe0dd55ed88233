package link

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// Ethernet is the framing of Ethernet II (RFC 894). It also accepts IEEE 802.3
// frames with a SNAP header of OUI 0 (RFC 1042), as arp(4) does; what it makes is
// always Ethernet II.
type Ethernet struct{}

const (
	ethernetHeaderLen = 14
	ethernetMinFrame  = 60     // IEEE 802.3-2018 section 4.2.3.3: 64 bytes with the check sequence
	maxLengthField    = 0x05dc // IEEE 802.3-2018 section 3.2.6: up to here it is a length
	ethernetMTU       = 1500   // RFC 894
	maxIPv4           = 65535  // RFC 791 section 3.1: total length
)

// HardwareType returns [arp.Ethernet].
func (Ethernet) HardwareType() arp.HardwareType { return arp.Ethernet }

// AddrLen returns 6.
func (Ethernet) AddrLen() int { return 6 }

// Broadcast returns ff:ff:ff:ff:ff:ff.
func (Ethernet) Broadcast() lladdr.Addr { return lladdr.Broadcast() }

// IsGroup reports whether a has the group bit.
func (Ethernet) IsGroup(a lladdr.Addr) bool { return a.IsMulticast() }

// Multicast returns 01:00:5e and the low 23 bits of the group.
func (Ethernet) Multicast(group netip.Addr) lladdr.Addr {
	b := group.As4()
	return lladdr.From6([6]byte{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}) // RFC 1112 section 6.4
}

// MTU returns 1500.
func (Ethernet) MTU() int { return ethernetMTU }

// MaxMTU returns 65535, the longest IPv4 packet: an Ethernet II frame has no
// length of its own, and which jumbo frames an interface takes is its own affair.
func (Ethernet) MaxMTU() int { return maxIPv4 }

// Append implements [Framing]. Both addresses of h have six bytes.
func (Ethernet) Append(dst []byte, h Header, payload []byte) []byte {
	start := len(dst)
	dst = h.Destination.AppendBytes(dst)
	dst = h.Source.AppendBytes(dst)
	dst = binary.BigEndian.AppendUint16(dst, h.Type)
	dst = append(dst, payload...)
	for len(dst)-start < ethernetMinFrame {
		dst = append(dst, 0) // RFC 894: padding is of zeros
	}
	return dst
}

// Parse implements [Framing].
func (Ethernet) Parse(frame []byte) (Header, []byte, error) {
	if len(frame) < ethernetHeaderLen {
		return Header{}, nil, fmt.Errorf("Ethernet frame of %d bytes: %w", len(frame), ErrShort)
	}
	h := Header{
		Destination: lladdr.From6([6]byte(frame[0:6])),
		Source:      lladdr.From6([6]byte(frame[6:12])),
		Type:        binary.BigEndian.Uint16(frame[12:14]),
	}
	payload := frame[ethernetHeaderLen:]
	if h.Type > maxLengthField {
		return h, payload, nil
	}
	if int(h.Type) > len(payload) {
		return Header{}, nil, fmt.Errorf("IEEE 802.3 frame with length %d and %d bytes: %w", h.Type, len(payload), ErrShort)
	}
	var err error
	h.Type, payload, err = parseSNAP(payload[:h.Type]) // what follows is padding
	if err != nil {
		return Header{}, nil, fmt.Errorf("IEEE 802.3 frame: %w", err)
	}
	return h, payload, nil
}
