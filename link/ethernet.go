package link

import (
	"encoding/binary"
	"fmt"

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
	snapHeaderLen     = 8
)

// HardwareType returns [arp.Ethernet].
func (Ethernet) HardwareType() arp.HardwareType { return arp.Ethernet }

// AddrLen returns 6.
func (Ethernet) AddrLen() int { return 6 }

// Broadcast returns ff:ff:ff:ff:ff:ff.
func (Ethernet) Broadcast() lladdr.Addr { return lladdr.Broadcast() }

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
	payload = payload[:h.Type] // what follows is padding
	// RFC 1042: LLC and OUI of SNAP.
	if len(payload) < snapHeaderLen || [6]byte(payload[:6]) != [6]byte{0xaa, 0xaa, 0x03, 0, 0, 0} {
		return Header{}, nil, fmt.Errorf("IEEE 802.3 frame without SNAP header: %w", ErrFrame)
	}
	h.Type = binary.BigEndian.Uint16(payload[6:8])
	return h, payload[snapHeaderLen:], nil
}
