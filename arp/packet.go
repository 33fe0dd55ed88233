// Package arp reads and writes the packet of the Address Resolution Protocol
// (RFC 826) for any hardware and protocol address length that a [lladdr.Addr]
// and a [netip.Addr] hold: IPv4 over Ethernet, Token Ring, ARCnet or InfiniBand.
//
// It knows the layout and nothing else: whether a packet is acceptable on an
// interface is for package host to say.
package arp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/lladdr"
)

// HeaderLen is the length in bytes of the fixed part of a packet: ar$hrd,
// ar$pro, ar$hln, ar$pln and ar$op.
const HeaderLen = 8

// ProtocolIPv4 is ar$pro of IPv4: its EtherType.
const ProtocolIPv4 = 0x0800

// Packet is an ARP packet: a comparable value. The zero Packet is not valid.
//
// [Parse] gives hardware addresses of one length and protocol addresses of one
// length. Those who make a packet may leave the target hardware address out.
type Packet struct {
	HardwareType HardwareType // ar$hrd
	ProtocolType uint16       // ar$pro, an EtherType
	Operation    Operation    // ar$op
	SenderHW     lladdr.Addr  // ar$sha
	SenderIP     netip.Addr   // ar$spa
	TargetHW     lladdr.Addr  // ar$tha
	TargetIP     netip.Addr   // ar$tpa
}

// The errors that [Parse] wraps.
var (
	// ErrShort is a packet that ends before the lengths it declares.
	ErrShort = errors.New("packet shorter than the lengths in it")
	// ErrHardwareLength is an ar$hln beyond [lladdr.MaxLen].
	ErrHardwareLength = errors.New("hardware address length not supported")
	// ErrProtocolLength is an ar$pln that is neither 4 nor 16.
	ErrProtocolLength = errors.New("protocol address length not supported")
)

// Parse reads the packet at the start of b. Bytes after it, such as the padding
// of a short Ethernet frame, are ignored. It does not keep b and does not
// allocate unless it fails.
//
// Every length is checked before a byte is read. Which values of ar$hrd, ar$pro
// and ar$op make sense is left to the caller. ar$hln of 0 is accepted: UNARP
// (RFC 1868) has it.
func Parse(b []byte) (Packet, error) {
	if len(b) < HeaderLen {
		return Packet{}, fmt.Errorf("ARP header of %d bytes: %w", len(b), ErrShort)
	}
	hln, pln := int(b[4]), int(b[5])
	if len(b) < HeaderLen+2*hln+2*pln {
		return Packet{}, fmt.Errorf("ARP packet of %d bytes with address lengths %d and %d: %w", len(b), hln, pln, ErrShort)
	}
	if hln > lladdr.MaxLen {
		return Packet{}, fmt.Errorf("ARP packet with ar$hln %d: %w", hln, ErrHardwareLength)
	}
	if pln != 4 && pln != 16 {
		return Packet{}, fmt.Errorf("ARP packet with ar$pln %d: %w", pln, ErrProtocolLength)
	}
	p := Packet{
		HardwareType: HardwareType(binary.BigEndian.Uint16(b[0:])),
		ProtocolType: binary.BigEndian.Uint16(b[2:]),
		Operation:    Operation(binary.BigEndian.Uint16(b[6:])),
	}
	b = b[HeaderLen:]
	p.SenderHW, _ = lladdr.FromSlice(b[:hln])
	p.SenderIP, _ = netip.AddrFromSlice(b[hln : hln+pln])
	p.TargetHW, _ = lladdr.FromSlice(b[hln+pln : 2*hln+pln])
	p.TargetIP, _ = netip.AddrFromSlice(b[2*hln+pln : 2*hln+2*pln])
	return p, nil
}

// Len returns the length in bytes of p on the wire, of what [Packet.AppendTo]
// appends.
func (p Packet) Len() int {
	return HeaderLen + 2*p.hardwareLen() + 2*p.SenderIP.BitLen()/8
}

// hardwareLen is ar$hln: the longer of the two, because a request may leave its
// target hardware address out and gets it filled with zeros.
func (p Packet) hardwareLen() int { return max(p.SenderHW.Len(), p.TargetHW.Len()) }

// AppendTo appends p as it is on the wire to dst and returns the extended slice.
// A hardware address shorter than the other, the zero Addr in particular, is
// filled with zeros.
//
// Protocol addresses are taken as they are: an IPv4-mapped IPv6 address has 16
// bytes, as in a packet that Parse got it from, and no zone is sent. AppendTo
// panics if the two are not of the same length, 4 or 16 bytes: no packet has such
// a form. So who takes addresses from elsewhere calls [netip.Addr.Unmap] first.
func (p Packet) AppendTo(dst []byte) []byte {
	if p.SenderIP.BitLen() != p.TargetIP.BitLen() || !p.SenderIP.IsValid() {
		panic("arp: sender and target protocol addresses of different length")
	}
	hln := p.hardwareLen()
	dst = binary.BigEndian.AppendUint16(dst, uint16(p.HardwareType))
	dst = binary.BigEndian.AppendUint16(dst, p.ProtocolType)
	dst = append(dst, uint8(hln), uint8(p.SenderIP.BitLen()/8))
	dst = binary.BigEndian.AppendUint16(dst, uint16(p.Operation))
	dst = appendHardware(dst, p.SenderHW, hln)
	dst = appendProtocol(dst, p.SenderIP)
	dst = appendHardware(dst, p.TargetHW, hln)
	return appendProtocol(dst, p.TargetIP)
}

func appendHardware(dst []byte, a lladdr.Addr, hln int) []byte {
	dst = a.AppendBytes(dst)
	for range hln - a.Len() {
		dst = append(dst, 0)
	}
	return dst
}

func appendProtocol(dst []byte, a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return append(dst, b[:]...)
	}
	b := a.As16()
	return append(dst, b[:]...)
}

// IsProbe reports whether p is a probe of RFC 5227 section 1.1: a request whose
// sender address is all zero.
func (p Packet) IsProbe() bool {
	return p.Operation == Request && p.SenderIP.IsUnspecified()
}

// IsAnnouncement reports whether p is an announcement of RFC 5227 section 1.1, or
// the same as a reply, which section 3 there finds in use: gratuitous ARP, where
// sender and target address are the same.
func (p Packet) IsAnnouncement() bool {
	return (p.Operation == Request || p.Operation == Reply) &&
		p.SenderIP == p.TargetIP && p.SenderIP.IsValid() && !p.SenderIP.IsUnspecified()
}

// IsUnARP reports whether p is an UNARP of RFC 1868 section 3: an unsolicited reply
// without link-layer addresses, to the limited broadcast address. Its sender
// address is that of a host that leaves the link.
func (p Packet) IsUnARP() bool {
	return p.Operation == Reply && !p.SenderHW.IsValid() && !p.TargetHW.IsValid() && p.TargetIP == limitedBroadcast
}

// limitedBroadcast is 255.255.255.255 (RFC 919 section 7).
var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// String returns p as tcpdump(8) words it, for diagnostics.
func (p Packet) String() string {
	switch p.Operation {
	case Request:
		return fmt.Sprintf("who-has %v tell %v", p.TargetIP, p.SenderIP)
	case Reply:
		return fmt.Sprintf("%v is-at %v", p.SenderIP, p.SenderHW)
	}
	return fmt.Sprintf("%v from %v (%v) to %v (%v)", p.Operation, p.SenderIP, p.SenderHW, p.TargetIP, p.TargetHW)
}
