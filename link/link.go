// Package link has the framings of the media that ARP runs on: how a packet and
// its link-layer addresses stand in a frame. The packages below it are ports:
// link/packet for a Linux interface, link/segment for a network in memory, and
// link/pcap records frames.
package link

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// EtherTypes of the protocols isat handles (IEEE 802 Numbers registry).
const (
	TypeIPv4 uint16 = 0x0800
	TypeARP  uint16 = 0x0806 // RFC 826
	TypeVLAN uint16 = 0x8100 // IEEE 802.1Q tag
)

// Header is what a frame says of its payload.
type Header struct {
	Destination lladdr.Addr
	Source      lladdr.Addr
	Type        uint16 // EtherType
}

// Framing is a medium: a stateless value that turns headers into frames and
// back. Its methods are safe for concurrent use and do not allocate, errors
// apart.
type Framing interface {
	// HardwareType returns ar$hrd of packets on this medium.
	HardwareType() arp.HardwareType
	// AddrLen returns the length in bytes of its link-layer addresses.
	AddrLen() int
	// Broadcast returns its broadcast address.
	Broadcast() lladdr.Addr
	// Append appends a frame with the payload to dst and returns the extended
	// slice, zero padding to the medium's smallest frame included.
	Append(dst []byte, h Header, payload []byte) []byte
	// Parse returns header and payload of a frame. The payload is a part of
	// frame, padding included. Errors wrap ErrShort or ErrFrame.
	Parse(frame []byte) (Header, []byte, error)
}

// The errors that [Framing.Parse] wraps.
var (
	// ErrShort is a frame that ends before its header does.
	ErrShort = errors.New("frame shorter than its header")
	// ErrFrame is a frame whose header this framing does not accept.
	ErrFrame = errors.New("frame format not accepted")
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
	if int(h.Type) > len(payload) || h.Type < snapHeaderLen {
		return Header{}, nil, fmt.Errorf("IEEE 802.3 frame with length %d and %d bytes: %w", h.Type, len(payload), ErrShort)
	}
	payload = payload[:h.Type]
	if [6]byte(payload[:6]) != [6]byte{0xaa, 0xaa, 0x03, 0, 0, 0} { // RFC 1042: LLC and OUI of SNAP
		return Header{}, nil, fmt.Errorf("IEEE 802.3 frame without SNAP header: %w", ErrFrame)
	}
	h.Type = binary.BigEndian.Uint16(payload[6:8])
	return h, payload[snapHeaderLen:], nil
}
