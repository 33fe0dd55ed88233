// Package ip4 reads, fragments and reports on IPv4 packets: what a host does
// between its programs and ARP. It is pure.
package ip4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Protocols (IANA Assigned Internet Protocol Numbers).
const (
	ICMP uint8 = 1
	TCP  uint8 = 6
	UDP  uint8 = 17
)

const (
	// MinHeader is the length in bytes of a header without options (RFC 791
	// section 3.1).
	MinHeader = 20
	// MaxPacket is the longest packet in bytes: Total Length has 16 bits.
	MaxPacket = 1<<16 - 1
	// MinMTU is the packet in bytes that every link carries whole (RFC 791
	// section 3.2).
	MinMTU = 68
)

// Offsets of fields in the header (RFC 791 section 3.1).
const (
	atTotalLen    = 2
	atID          = 4
	atFragment    = 6
	atTTL         = 8
	atProtocol    = 9
	atChecksum    = 10
	atSource      = 12
	atDestination = 16

	flagDF       = 0x4000
	flagMF       = 0x2000
	maskFragment = 0x1fff // the offset, in units of 8 bytes
)

// Header is what a header says.
type Header struct {
	Len           int // of the header with its options, in bytes
	TotalLen      int // of the packet, in bytes
	ID            uint16
	DontFragment  bool
	MoreFragments bool
	Offset        int // of the data in that of the whole packet, in bytes
	TTL           uint8
	Protocol      uint8
	Source        netip.Addr
	Destination   netip.Addr
}

// The errors of [Parse].
var (
	// ErrShort is a packet that ends before it should.
	ErrShort = errors.New("IPv4 packet shorter than it says")
	// ErrHeader is what is no IPv4 header.
	ErrHeader = errors.New("not an IPv4 header")
	// ErrChecksum is a header that was damaged on its way.
	ErrChecksum = errors.New("IPv4 header with a wrong checksum")
)

// Parse reads the header of a packet, which may be followed by padding of the
// link. It checks what RFC 1122 section 3.2.1 (3.2.1.1, 3.2.1.2) wants checked.
// Errors wrap ErrShort, ErrHeader or ErrChecksum.
func Parse(packet []byte) (Header, error) {
	if len(packet) < MinHeader {
		return Header{}, fmt.Errorf("%d bytes: %w", len(packet), ErrShort)
	}
	fragment := binary.BigEndian.Uint16(packet[atFragment:])
	h := Header{
		Len:           int(packet[0]&0x0f) * 4,
		TotalLen:      int(binary.BigEndian.Uint16(packet[atTotalLen:])),
		ID:            binary.BigEndian.Uint16(packet[atID:]),
		DontFragment:  fragment&flagDF != 0,
		MoreFragments: fragment&flagMF != 0,
		Offset:        int(fragment&maskFragment) * 8,
		TTL:           packet[atTTL],
		Protocol:      packet[atProtocol],
		Source:        netip.AddrFrom4([4]byte(packet[atSource:])),
		Destination:   netip.AddrFrom4([4]byte(packet[atDestination:])),
	}
	switch {
	case packet[0]>>4 != 4:
		return Header{}, fmt.Errorf("version %d: %w", packet[0]>>4, ErrHeader)
	case h.Len < MinHeader || h.TotalLen < h.Len:
		return Header{}, fmt.Errorf("header of %d bytes in a packet of %d: %w", h.Len, h.TotalLen, ErrHeader)
	case h.Offset+h.TotalLen-h.Len > MaxPacket:
		return Header{}, fmt.Errorf("%d bytes of data at %d: %w", h.TotalLen-h.Len, h.Offset, ErrHeader)
	case h.TotalLen > len(packet):
		return Header{}, fmt.Errorf("%d bytes of %d: %w", len(packet), h.TotalLen, ErrShort)
	case Checksum(packet[:h.Len], 0) != 0:
		return Header{}, ErrChecksum
	}
	return h, nil
}

// setChecksum writes the header checksum of a packet.
func setChecksum(packet []byte, headerLen int) {
	packet[atChecksum], packet[atChecksum+1] = 0, 0
	binary.BigEndian.PutUint16(packet[atChecksum:], Checksum(packet[:headerLen], 0))
}

// SetTotalLen writes the total length of a packet and its identification, and
// the checksum that follows from them. The header has to be a sound one.
func SetTotalLen(packet []byte, length, id uint16) {
	binary.BigEndian.PutUint16(packet[atTotalLen:], length)
	binary.BigEndian.PutUint16(packet[atID:], id)
	setChecksum(packet, int(packet[0]&0x0f)*4)
}
