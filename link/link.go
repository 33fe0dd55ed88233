// Package link has the framings of the media that ARP runs on: how a packet and
// its link-layer addresses stand in a frame. The packages below it are ports:
// link/packet for a Linux interface, link/segment for a network in memory,
// link/cable for one over a Unix socket, and link/arcnet, on top of another, for
// the fragments of ARCnet. link/pcap records frames.
package link

import (
	"errors"
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// EtherTypes of the protocols isat handles (IEEE 802 Numbers registry).
const (
	TypeIPv4 uint16 = 0x0800
	TypeARP  uint16 = 0x0806 // RFC 826
	TypeRARP uint16 = 0x8035 // RFC 903
	TypeVLAN uint16 = 0x8100 // IEEE 802.1Q tag
)

// Header is what a frame says of its payload.
type Header struct {
	Destination lladdr.Addr
	Source      lladdr.Addr
	Type        uint16 // EtherType
	// Route is the source route of a Token Ring frame, and none elsewhere. Parse
	// gives it as it was received: [SourceRoute.Reply] is the way back.
	Route SourceRoute
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
	// IsGroup reports whether an address of the medium stands for several
	// stations: broadcast, multicast, functional. None of them is the address of
	// an interface.
	IsGroup(lladdr.Addr) bool
	// Multicast returns the address that packets to an IPv4 multicast group go to.
	Multicast(group netip.Addr) lladdr.Addr
	// MTU returns the length in bytes of the longest IPv4 packet that every
	// station takes, and MaxMTU that of the longest a frame can carry at all.
	MTU() int
	MaxMTU() int
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
