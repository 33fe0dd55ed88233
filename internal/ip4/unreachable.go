package ip4

import (
	"encoding/binary"
	"net/netip"
)

// Code is the code of an ICMP message "destination unreachable" (RFC 792, RFC
// 1122 section 3.2.2.1).
type Code uint8

// The codes.
const (
	NetUnreachable      Code = 0
	HostUnreachable     Code = 1
	FragmentationNeeded Code = 4
	HostUnknown         Code = 7
	HostProhibited      Code = 10
)

const (
	typeUnreachable      = 3 // RFC 792
	icmpHeader           = 8
	maxError             = 576  // RFC 1812 section 4.3.2.3: as much as possible up to this
	tosError             = 0xc0 // RFC 1812 section 4.3.2.5: precedence 6, internetwork control
	ttlError             = 64   // RFC 1700; IANA's recommended default
	classE          byte = 240  // RFC 1112 section 4: 240/4 and 255.255.255.255
)

// AppendUnreachable appends a whole packet to dst, which tells the source of
// about why about was not delivered, and returns the extended slice. from is its
// source; mtu, in bytes, is that of the link with [FragmentationNeeded] and else
// ignored.
//
// It returns dst as it was if there must be no error about that packet (RFC 1122
// section 3.2.2): it is itself an ICMP error, a fragment other than the first, for
// a multicast or the limited broadcast address, from no single host, or not sound.
// Directed broadcasts only their link knows.
func AppendUnreachable(dst []byte, code Code, mtu int, from netip.Addr, about []byte) []byte {
	h, err := Parse(about)
	if err != nil || !reportable(h, about) {
		return dst
	}
	quote := about[:min(h.TotalLen, maxError-MinHeader-icmpHeader)]
	start := len(dst)
	dst = append(dst, make([]byte, MinHeader+icmpHeader)...)
	dst = append(dst, quote...)
	packet := dst[start:]

	packet[0] = 4<<4 | MinHeader/4
	packet[1] = tosError
	binary.BigEndian.PutUint16(packet[atTotalLen:], uint16(len(packet)))
	binary.BigEndian.PutUint16(packet[atFragment:], flagDF) // RFC 6864 section 4.1: then ID means nothing
	packet[atTTL] = ttlError
	packet[atProtocol] = ICMP
	source, destination := from.As4(), h.Source.As4()
	copy(packet[atSource:], source[:])
	copy(packet[atDestination:], destination[:])
	setChecksum(packet, MinHeader)

	message := packet[MinHeader:]
	message[0], message[1] = typeUnreachable, byte(code)
	if code == FragmentationNeeded {
		binary.BigEndian.PutUint16(message[6:], uint16(mtu)) // RFC 1191 section 4
	}
	binary.BigEndian.PutUint16(message[2:], Checksum(message, 0))
	return dst
}

// reportable reports whether there may be an error about a packet.
func reportable(h Header, packet []byte) bool {
	single := func(ip netip.Addr) bool {
		return !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsMulticast() && ip.As4()[0] < classE
	}
	if h.Offset != 0 || !single(h.Source) || h.Destination.IsMulticast() || h.Destination.As4()[0] >= classE {
		return false
	}
	if h.Protocol != ICMP {
		return true
	}
	return h.TotalLen > h.Len && !isError(packet[h.Len])
}

// isError reports whether an ICMP type is one of the errors (RFC 1122 section
// 3.2.2): destination unreachable, source quench, redirect, time exceeded and
// parameter problem.
func isError(icmpType byte) bool {
	switch icmpType {
	case typeUnreachable, 4, 5, 11, 12:
		return true
	}
	return false
}
