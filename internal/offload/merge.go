package offload

import (
	"bytes"
	"encoding/binary"

	"github.com/isat-project/isat/internal/ip4"
)

// maxParts bounds the packets that are put together: what a full packet of
// ordinary segments takes, and far below IOV_MAX of <linux/uio.h>.
const maxParts = 64

// Merger puts consecutive TCP segments of one connection together, as the
// kernel's GRO does: the receiver has the work of one packet. The zero Merger is
// ready. It is not safe for concurrent use.
type Merger struct {
	parts [][]byte
}

// Merge takes packets from the front, as many as make one, and returns how many,
// the header for the kernel and the parts that make the packet one behind the
// other. They belong to the Merger until the next call. Each packet has link bytes
// of link header and an IPv4 packet without padding; the headers of the first
// are changed. There is at least one packet.
//
// Only segments whose checksum is right are put together, because the kernel does
// not look at it any more.
func (m *Merger) Merge(packets [][]byte, link int) (n int, h Header, parts [][]byte) {
	m.parts = append(m.parts[:0], packets[0])
	first, ok := readSegment(packets[0], link)
	if !ok {
		return 1, Header{}, m.parts
	}
	previous, total := first, len(packets[0])-link
	for _, p := range packets[1:] {
		if len(m.parts) == maxParts || previous.ends {
			break
		}
		next, ok := readSegment(p, link)
		if !ok || !first.continues(&previous, &next) || total+len(next.data) > ip4.MaxPacket {
			break
		}
		m.parts = append(m.parts, next.data)
		total += len(next.data)
		next.ends = next.ends || len(next.data) < len(first.data)
		previous = next
	}
	if len(m.parts) == 1 {
		return 1, Header{}, m.parts
	}
	return len(m.parts), first.join(total, previous.flags), m.parts
}

// segment is a TCP segment that may be part of a larger one.
type segment struct {
	packet  []byte
	network []byte // from the IPv4 header on
	tcp     []byte // from the TCP header on
	headers int    // of link, IPv4 and TCP, in bytes
	data    []byte
	link    int
	seq     uint32
	flags   byte
	ends    bool // nothing may follow it
}

// readSegment returns the segment in a packet, if it is one that carries data and
// nothing that must stand alone, and is undamaged.
func readSegment(packet []byte, link int) (segment, bool) {
	if len(packet) < link+ip4.MinHeader+minTCP {
		return segment{}, false
	}
	s := segment{packet: packet, network: packet[link:], link: link}
	ip := s.network
	headerLen := int(ip[0]&0x0f) * 4
	if ip[0] != 4<<4|ip4.MinHeader/4 || ip[9] != ip4.TCP || int(binary.BigEndian.Uint16(ip[2:])) != len(ip) ||
		binary.BigEndian.Uint16(ip[6:])&fragment != 0 {
		return segment{}, false
	}
	s.tcp = ip[headerLen:]
	s.flags = s.tcp[tcpFlags]
	tcpLen := int(s.tcp[tcpDataOff]>>4) * 4
	s.headers = link + headerLen + tcpLen
	if s.flags&^flagPSH != flagACK || tcpLen < minTCP || s.headers >= len(packet) {
		return segment{}, false
	}
	s.data = packet[s.headers:]
	s.seq = binary.BigEndian.Uint32(s.tcp[tcpSeq:])
	s.ends = s.flags&flagPSH != 0
	if ip4.Checksum(s.tcp, ip4.PseudoSum(ip, ip4.TCP, len(s.tcp))) != 0 || ip4.Checksum(ip[:headerLen], 0) != 0 {
		return segment{}, false
	}
	return s, true
}

// continues reports whether next comes right behind previous in the packet that
// begins with s: everything but the numbers that count on is the same.
func (s *segment) continues(previous, next *segment) bool {
	const atTOS, atFragment, atTTL, atSource, flagDF = 1, 6, 8, 12, 0x40
	a, b := s.network, next.network
	id := func(p []byte) uint16 { return binary.BigEndian.Uint16(p[4:]) }
	return next.headers == s.headers &&
		next.seq == previous.seq+uint32(len(previous.data)) &&
		len(next.data) <= len(s.data) &&
		a[atTOS] == b[atTOS] && a[atTTL] == b[atTTL] && a[atFragment] == b[atFragment] &&
		(a[atFragment]&flagDF != 0 || id(b) == id(previous.network)+1) && // RFC 6864: with DF the number means nothing
		bytes.Equal(a[atSource:ip4.MinHeader], b[atSource:ip4.MinHeader]) &&
		bytes.Equal(s.tcp[:tcpSeq], next.tcp[:tcpSeq]) && // ports
		bytes.Equal(s.tcp[tcpSeq+4:tcpFlags], next.tcp[tcpSeq+4:tcpFlags]) && // acknowledgement, lengths
		bytes.Equal(s.tcp[tcpFlags+1:tcpChecksum], next.tcp[tcpFlags+1:tcpChecksum]) && // window
		bytes.Equal(s.tcp[tcpChecksum+2:s.headers-s.link-ip4.MinHeader], next.tcp[tcpChecksum+2:s.headers-s.link-ip4.MinHeader]) && // options
		bytes.Equal(s.packet[:s.link], next.packet[:s.link])
}

// join makes the headers of s those of a packet of total bytes without its link
// header, and returns what the kernel has to know to cut it again.
func (s *segment) join(total int, flags byte) Header {
	ip4.SetTotalLen(s.network, uint16(total), binary.BigEndian.Uint16(s.network[4:]))
	s.tcp[tcpFlags] |= flags
	// The kernel adds the rest.
	sum := ip4.Fold(ip4.PseudoSum(s.network, ip4.TCP, total-ip4.MinHeader))
	binary.BigEndian.PutUint16(s.tcp[tcpChecksum:], sum)
	return Header{
		Flags: FlagNeedsCsum, GSOType: GSOTCPv4, HdrLen: uint16(s.headers), GSOSize: uint16(len(s.data)),
		CsumFrom: uint16(s.link + ip4.MinHeader), CsumAt: tcpChecksum,
	}
}
