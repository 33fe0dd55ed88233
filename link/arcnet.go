package link

import (
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link/internal/rfc1201"
	"github.com/isat-project/isat/lladdr"
)

// ARCnet is the framing of ARCnet (RFC 1201); it also accepts the frames of RFC
// 1051. Addresses have one byte, and 0 is broadcast.
//
// A frame holds a whole packet here, up to MaxMTU. On the wire it has at most 504
// bytes of data: link/arcnet, a port between the host and the port of the wire,
// splits packets and puts them together again, as the driver does under bpf(4).
type ARCnet struct{}

const (
	arcnetMTU    = 1500  // sys/net/if_arcsubr.c of FreeBSD, drivers/net/arcnet/rfc1201.c of Linux
	arcnetMaxMTU = 60480 // sys/net/if_arc.h of FreeBSD: ARC_PHDS_MAXMTU, 120 fragments of 504 bytes
)

// HardwareType returns [arp.ARCnet].
func (ARCnet) HardwareType() arp.HardwareType { return arp.ARCnet }

// AddrLen returns 1.
func (ARCnet) AddrLen() int { return 1 }

// Broadcast returns 00.
func (ARCnet) Broadcast() lladdr.Addr { return arcnetAddr(0) }

// IsGroup reports whether a is the broadcast address: there is no other.
func (a ARCnet) IsGroup(addr lladdr.Addr) bool { return addr == a.Broadcast() }

// Multicast returns the broadcast address (sys/net/if_arcsubr.c of FreeBSD,
// arc_resolvemulti).
func (a ARCnet) Multicast(netip.Addr) lladdr.Addr { return a.Broadcast() }

// MTU returns 1500.
func (ARCnet) MTU() int { return arcnetMTU }

// MaxMTU returns 60480.
func (ARCnet) MaxMTU() int { return arcnetMaxMTU }

// Append implements [Framing]. Both addresses of h have one byte. It panics if its
// type is not IPv4, ARP or RARP: ARCnet numbers protocols itself, and has no
// number for others here.
func (ARCnet) Append(dst []byte, h Header, payload []byte) []byte {
	header := rfc1201.Header{Source: arcnetByte(h.Source), Destination: arcnetByte(h.Destination)}
	switch h.Type {
	case TypeIPv4:
		header.Protocol = rfc1201.IP
	case TypeARP:
		header.Protocol = rfc1201.ARP
	case TypeRARP:
		header.Protocol = rfc1201.RARP
	default:
		panic(fmt.Sprintf("link: EtherType %#04x has no number on ARCnet", h.Type))
	}
	return header.Append(dst, payload)
}

// Parse implements [Framing]. Fragments are not accepted.
func (ARCnet) Parse(frame []byte) (Header, []byte, error) {
	header, payload, ok := rfc1201.Parse(frame)
	if !ok {
		return Header{}, nil, fmt.Errorf("ARCnet frame of %d bytes: %w", len(frame), ErrShort)
	}
	if header.Flag != 0 {
		return Header{}, nil, fmt.Errorf("ARCnet fragment with split flag %d: %w", header.Flag, ErrFrame)
	}
	h := Header{Destination: arcnetAddr(header.Destination), Source: arcnetAddr(header.Source)}
	switch header.Protocol {
	case rfc1201.IP, rfc1201.OldIP:
		h.Type = TypeIPv4
	case rfc1201.ARP, rfc1201.OldARP:
		h.Type = TypeARP
	case rfc1201.RARP:
		h.Type = TypeRARP
	default:
		return Header{}, nil, fmt.Errorf("ARCnet frame of protocol %d: %w", header.Protocol, ErrFrame)
	}
	return h, payload, nil
}

// arcnetAddr returns the address of one byte.
func arcnetAddr(b byte) lladdr.Addr {
	a, _ := lladdr.FromSlice([]byte{b})
	return a
}

// arcnetByte returns the byte of an address, 0 for one of another length.
func arcnetByte(a lladdr.Addr) byte {
	var b [lladdr.MaxLen]byte
	if a.Len() != 1 {
		return 0
	}
	return a.AppendBytes(b[:0])[0]
}
