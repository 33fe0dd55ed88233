//go:build linux

package rtnl

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// header is struct nlmsghdr of linux/netlink.h.
type header struct {
	length uint32
	typ    uint16
	flags  uint16
	seq    uint32
	pid    uint32 // port id of who caused a notification, 0 for the kernel itself
}

// nextMessage splits the first message off a datagram. It returns ok = false at
// the end, and for a message that is longer than what is left: the kernel sends
// only whole messages, so that one was cut by a buffer too small.
func nextMessage(b []byte) (h header, payload, rest []byte, ok bool) {
	if len(b) < unix.NLMSG_HDRLEN {
		return header{}, nil, b, false
	}
	h = header{
		length: binary.NativeEndian.Uint32(b[0:]),
		typ:    binary.NativeEndian.Uint16(b[4:]),
		flags:  binary.NativeEndian.Uint16(b[6:]),
		seq:    binary.NativeEndian.Uint32(b[8:]),
		pid:    binary.NativeEndian.Uint32(b[12:]),
	}
	if h.length < unix.NLMSG_HDRLEN || uint64(h.length) > uint64(len(b)) {
		return header{}, nil, b, false
	}
	payload = b[unix.NLMSG_HDRLEN:h.length]
	return h, payload, b[min(align(int(h.length)), len(b)):], true
}

// align rounds up to the 4 bytes that messages and attributes are aligned to
// (NLMSG_ALIGNTO, NLA_ALIGNTO).
func align(n int) int { return (n + 3) &^ 3 }

// attrs walks over the attributes in b: `for a := (attrs{b: b}); a.next(); {}`.
// It ends at the first attribute that does not fit.
type attrs struct {
	b    []byte // what is left
	typ  uint16 // of the present attribute, without flags
	raw  uint16 // the same with flags
	data []byte // of the present attribute, a part of b
}

// attributesAfter returns a walk over the attributes that follow a fixed header of
// n bytes.
func attributesAfter(payload []byte, n int) attrs {
	return attrs{b: payload[min(align(n), len(payload)):]}
}

// nlaTypeMask takes the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER off
// (NLA_TYPE_MASK of linux/netlink.h).
const nlaTypeMask = 0x3fff

func (a *attrs) next() bool {
	if len(a.b) < unix.SizeofNlAttr {
		return false
	}
	n := int(binary.NativeEndian.Uint16(a.b))
	if n < unix.SizeofNlAttr || n > len(a.b) {
		return false
	}
	a.raw = binary.NativeEndian.Uint16(a.b[2:])
	a.typ = a.raw & nlaTypeMask
	a.data = a.b[unix.SizeofNlAttr:n]
	a.b = a.b[min(align(n), len(a.b)):]
	return true
}

// nested returns a walk over the attributes inside the present one.
func (a *attrs) nested() attrs { return attrs{b: a.data} }

// The readers of attribute values give zero for a value that is too short.

func (a *attrs) uint8() uint8 {
	if len(a.data) < 1 {
		return 0
	}
	return a.data[0]
}

func (a *attrs) uint32() uint32 { return uint32At(a.data, 0) }

func (a *attrs) uint64() uint64 {
	if len(a.data) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(a.data)
}

// string returns the value without the zero byte that ends it.
func (a *attrs) string() string {
	for i, c := range a.data {
		if c == 0 {
			return string(a.data[:i])
		}
	}
	return string(a.data)
}

// ipv4 returns the zero Addr if the value is not of four bytes.
func (a *attrs) ipv4() netip.Addr {
	if len(a.data) != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(a.data))
}

// mac returns the zero Addr for a link-layer address longer than lladdr holds,
// which no medium of ARP has.
func (a *attrs) mac() lladdr.Addr {
	m, _ := lladdr.FromSlice(a.data)
	return m
}

// uint32At returns the word at offset i of b, 0 if b ends before.
func uint32At(b []byte, i int) uint32 {
	if len(b) < i+4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b[i:])
}

// builder appends messages to a buffer that is used again and again.
type builder struct {
	b     []byte
	start int // of the present message
}

// begin starts a message, whose length end sets. seq comes back in its answer.
func (m *builder) begin(typ, flags uint16, seq uint32) {
	m.start = len(m.b)
	m.b = binary.NativeEndian.AppendUint32(m.b, 0)
	m.b = binary.NativeEndian.AppendUint16(m.b, typ)
	m.b = binary.NativeEndian.AppendUint16(m.b, flags)
	m.b = binary.NativeEndian.AppendUint32(m.b, seq)
	m.b = binary.NativeEndian.AppendUint32(m.b, 0) // to the kernel
}

// end closes the message.
func (m *builder) end() {
	binary.NativeEndian.PutUint32(m.b[m.start:], uint32(len(m.b)-m.start))
}

// setFlags adds flags to the present message.
func (m *builder) setFlags(flags uint16) {
	at := m.b[m.start+6:]
	binary.NativeEndian.PutUint16(at, binary.NativeEndian.Uint16(at)|flags)
}

// setSeq changes the sequence number of the present message.
func (m *builder) setSeq(seq uint32) { binary.NativeEndian.PutUint32(m.b[m.start+8:], seq) }

// attr starts an attribute with a value of n bytes that the caller appends, n a
// multiple of 4 or padded by pad.
func (m *builder) attr(typ uint16, n int) {
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(unix.SizeofNlAttr+n))
	m.b = binary.NativeEndian.AppendUint16(m.b, typ)
}

func (m *builder) pad() {
	for len(m.b)&3 != 0 { // every message starts aligned
		m.b = append(m.b, 0)
	}
}

func (m *builder) uint8(typ uint16, v uint8) {
	m.attr(typ, 1)
	m.b = append(m.b, v)
	m.pad()
}

func (m *builder) uint32(typ uint16, v uint32) {
	m.attr(typ, 4)
	m.b = binary.NativeEndian.AppendUint32(m.b, v)
}

func (m *builder) uint64(typ uint16, v uint64) {
	m.attr(typ, 8)
	m.b = binary.NativeEndian.AppendUint64(m.b, v)
}

// string appends s with a zero byte after it (NLA_NUL_STRING).
func (m *builder) string(typ uint16, s string) {
	m.attr(typ, len(s)+1)
	m.b = append(append(m.b, s...), 0)
	m.pad()
}

// ipv4 appends an IPv4 address.
func (m *builder) ipv4(typ uint16, ip netip.Addr) {
	a := ip.As4()
	m.attr(typ, len(a))
	m.b = append(m.b, a[:]...)
}

func (m *builder) mac(typ uint16, a lladdr.Addr) {
	m.attr(typ, a.Len())
	m.b = a.AppendBytes(m.b)
	m.pad()
}

// nest starts an attribute that holds attributes, and returns what endNest wants.
func (m *builder) nest(typ uint16) (at int) {
	at = len(m.b)
	m.attr(typ|unix.NLA_F_NESTED, 0)
	return at
}

// endNest closes the attribute begun at at.
func (m *builder) endNest(at int) {
	binary.NativeEndian.PutUint16(m.b[at:], uint16(len(m.b)-at))
}
