package offload

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/isat-project/isat/internal/ip4"
)

// ErrPacket is a packet that is not what its header says.
var ErrPacket = errors.New("packet does not fit its offload header")

// Offsets in the headers of TCP (RFC 9293 section 3.1) and UDP (RFC 768).
const (
	minTCP      = 20
	tcpSeq      = 4
	tcpDataOff  = 12
	tcpFlags    = 13
	tcpChecksum = 16
	udpHeader   = 8
	udpLength   = 4
	udpChecksum = 6

	fragment = 0x3fff // MF and the offset in the IPv4 header, RFC 791 section 3.1

	flagFIN = 0x01
	flagPSH = 0x08
	flagACK = 0x10
	flagCWR = 0x80
)

// Split appends the packets of the wire that frame stands for to dst. frame has
// an IPv4 packet, of which Split changes the checksums, after link bytes of link
// header, which each of the results gets. A frame that is one packet already is
// appended itself; the others are in buf, which is extended as needed and returned
// to be used again. Errors wrap ErrPacket; dst and buf are then as they were.
func Split(dst [][]byte, buf []byte, h Header, frame []byte, link int) ([][]byte, []byte, error) {
	if !h.Large() {
		if err := h.complete(frame); err != nil {
			return dst, buf, err
		}
		return append(dst, frame), buf, nil
	}
	s, err := h.large(frame, link)
	if err != nil {
		return dst, buf, err
	}
	packets := (len(s.data) + s.size - 1) / s.size
	if need := len(frame) + packets*len(s.headers); cap(buf)-len(buf) < need {
		buf = make([]byte, 0, max(need, 2*cap(buf))) // what is in the old one stays
	}
	for i := range packets {
		start := len(buf)
		data := s.data[i*s.size : min((i+1)*s.size, len(s.data))]
		buf = append(append(buf, s.headers...), data...)
		packet := buf[start:len(buf):len(buf)]
		s.finish(packet, i, i == packets-1)
		dst = append(dst, packet)
	}
	return dst, buf, nil
}

// complete fills in the checksum of a frame that is one packet.
func (h Header) complete(frame []byte) error {
	if h.Flags&FlagNeedsCsum == 0 {
		return nil
	}
	from, at := int(h.CsumFrom), int(h.CsumFrom)+int(h.CsumAt)
	if at+2 > len(frame) {
		return fmt.Errorf("checksum at %d of %d bytes: %w", at, len(frame), ErrPacket)
	}
	// The field has the sum of the pseudo header, which the sum over all takes in.
	sum := ip4.Checksum(frame[from:], 0)
	if sum == 0 && h.CsumAt == udpChecksum {
		sum = 0xffff // RFC 768: 0 means that there is none
	}
	binary.BigEndian.PutUint16(frame[at:], sum)
	return nil
}

// large is a packet that is to be cut.
type large struct {
	headers   []byte // link header, IPv4 and transport header
	data      []byte
	size      int // of the data in each packet of the wire
	network   int // offset of the IPv4 header
	transport int // offset of the TCP or UDP header
	protocol  uint8
	id        uint16 // of the first packet
	seq       uint32 // of the first packet
}

// large reads the headers of a packet that is to be cut.
func (h Header) large(frame []byte, link int) (large, error) {
	s := large{network: link, size: int(h.GSOSize)}
	switch h.GSOType &^ gsoECN {
	case GSOTCPv4:
		s.protocol = ip4.TCP
	case GSOUDPL4:
		s.protocol = ip4.UDP
	default:
		return s, fmt.Errorf("offload of type %d: %w", h.GSOType, ErrPacket)
	}
	if len(frame) < link+ip4.MinHeader {
		return s, fmt.Errorf("%d bytes: %w", len(frame), ErrPacket)
	}
	s.transport = link + int(frame[link]&0x0f)*4
	end := s.transport + udpHeader
	if s.protocol == ip4.TCP {
		if end = s.transport + minTCP; len(frame) >= end {
			end = s.transport + int(frame[s.transport+tcpDataOff]>>4)*4
		}
	}
	switch {
	case frame[link]>>4 != 4 || frame[link+9] != s.protocol || s.transport < link+ip4.MinHeader || end < s.transport+udpHeader:
		return s, fmt.Errorf("headers do not fit offload type %d: %w", h.GSOType, ErrPacket)
	case binary.BigEndian.Uint16(frame[link+6:])&fragment != 0:
		return s, fmt.Errorf("a fragment with offload of type %d: %w", h.GSOType, ErrPacket) // the kernel fragments what it has cut
	case s.protocol == ip4.TCP && end < s.transport+minTCP:
		return s, fmt.Errorf("TCP header of %d bytes: %w", end-s.transport, ErrPacket)
	case end >= len(frame) || s.size == 0 || end-link+s.size > ip4.MaxPacket:
		return s, fmt.Errorf("%d bytes with headers of %d and segments of %d: %w", len(frame), end, s.size, ErrPacket)
	}
	s.headers, s.data = frame[:end], frame[end:]
	s.id = binary.BigEndian.Uint16(frame[link+4:])
	if s.protocol == ip4.TCP {
		s.seq = binary.BigEndian.Uint32(frame[s.transport+tcpSeq:])
	}
	return s, nil
}

// finish makes the headers those of the i-th packet (RFC 9293, the kernel's
// tcp_gso_segment and __udp_gso_segment).
func (s *large) finish(packet []byte, i int, last bool) {
	ip4.SetTotalLen(packet[s.network:], uint16(len(packet)-s.network), s.id+uint16(i))
	t := packet[s.transport:]
	at := udpChecksum
	if s.protocol == ip4.TCP {
		at = tcpChecksum
		binary.BigEndian.PutUint32(t[tcpSeq:], s.seq+uint32(i*s.size))
		if !last {
			t[tcpFlags] &^= flagFIN | flagPSH
		}
		if i > 0 {
			t[tcpFlags] &^= flagCWR // RFC 3168 section 6.1.2: said once
		}
	} else {
		binary.BigEndian.PutUint16(t[udpLength:], uint16(len(t)))
	}
	t[at], t[at+1] = 0, 0
	sum := ip4.Checksum(t, ip4.PseudoSum(packet[s.network:], s.protocol, len(t)))
	if sum == 0 && s.protocol == ip4.UDP {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(t[at:], sum)
}
