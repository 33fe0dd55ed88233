package packet

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// message is one frame as the kernel gives it: bytes, struct sockaddr_ll and
// control messages.
type message struct {
	header  *mmsghdr
	iov     unix.Iovec
	control [controlLen]byte // after words, because struct cmsghdr is aligned like one
	from    unix.RawSockaddrLinklayer
	buffer  []byte

	vlan   uint16 // the VLAN of the tag, 0 without
	lost   uint32 // frames that the socket has lost so far, modulo 2^32
	losses bool   // the kernel said so: it does not until there are some
}

// controlLen is room in bytes for the control messages: struct cmsghdr (16 or 12
// bytes) with struct tpacket_auxdata (20), and with the count of SO_RXQ_OVFL (4),
// each aligned to 8.
const controlLen = (16 + 24) + (16 + 8)

// init connects a message with its header and the buffer for its bytes.
func (m *message) init(header *mmsghdr, buffer []byte) {
	m.header = header
	m.buffer = buffer
	m.iov.Base = &buffer[0]
	m.iov.SetLen(len(buffer))
	header.Iov = &m.iov
	header.SetIovlen(1)
	header.Name = (*byte)(unsafe.Pointer(&m.from))
	header.Control = &m.control[0]
}

// reset sets again what the kernel overwrites.
func (m *message) reset() {
	m.header.Namelen = unix.SizeofSockaddrLinklayer
	m.header.SetControllen(controlLen)
	m.header.Flags = 0
	m.header.n = 0
}

// read takes what the control messages say.
func (m *message) read() error {
	m.vlan, m.losses = 0, false
	rest := m.control[:m.header.Controllen]
	for len(rest) > 0 {
		header, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return err
		}
		rest = next
		switch {
		case header.Level == unix.SOL_PACKET && header.Type == unix.PACKET_AUXDATA && len(data) >= auxdataLen:
			if binary.NativeEndian.Uint32(data[auxdataStatus:])&unix.TP_STATUS_VLAN_VALID != 0 {
				m.vlan = binary.NativeEndian.Uint16(data[auxdataTCI:]) & maskVID
			}
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			m.lost, m.losses = binary.NativeEndian.Uint32(data), true
		}
	}
	return nil
}

// struct tpacket_auxdata of <linux/if_packet.h>, in bytes.
const (
	auxdataStatus = 0
	auxdataTCI    = 16
	auxdataLen    = 20

	maskVID = 0x0fff // IEEE 802.1Q-2018 section 9.6: the VLAN identifier in a tag
)

// frame returns the bytes.
func (m *message) frame() []byte { return m.buffer[:m.header.n] }

// truncated reports whether the frame was longer than the buffer.
func (m *message) truncated() bool { return m.header.Flags&unix.MSG_TRUNC != 0 }

// kind returns whom the frame is for: PACKET_HOST, PACKET_BROADCAST and so on.
func (m *message) kind() uint8 { return m.from.Pkttype }

// toGroup reports whether an Ethernet frame, which begins at the offset, is for a
// group address (IEEE 802-2014 section 8.2.2), broadcast included.
func (m *message) toGroup(offset int) bool {
	f := m.frame()[min(offset, len(m.frame())):]
	return m.from.Hatype == unix.ARPHRD_ETHER && len(f) > 0 && f[0]&1 != 0
}

// isTo reports whether an Ethernet frame, which begins at the offset, is for the
// station; never for the zero Addr.
func (m *message) isTo(offset int, station lladdr.Addr) bool {
	f := m.frame()[min(offset, len(m.frame())):]
	return station.Len() == 6 && len(f) >= 6 && lladdr.From6([6]byte(f)) == station
}
