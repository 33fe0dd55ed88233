// Package lladdr has the link-layer address value that every other package of
// isat uses: it is to Ethernet, ARCnet or InfiniBand addresses what
// [net/netip.Addr] is to IP addresses.
package lladdr

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
)

// MaxLen is the length in bytes of the longest address an [Addr] holds: that of
// IP over InfiniBand (RFC 4391 section 9.1.1), the longest in use with ARP.
const MaxLen = 20

// maxTextLen is the length of the longest text form: three characters a byte,
// without the last colon.
const maxTextLen = 3*MaxLen - 1

// Addr is a link-layer address of 0 to [MaxLen] bytes. It is a comparable value
// of 24 bytes: == tells whether two addresses have the same length and bytes,
// and it may be a map key. The zero Addr has no bytes and means "none"; an
// address of six zero bytes is not the zero Addr.
type Addr struct {
	// The bytes, the first one highest; those beyond n are zero, so that == is
	// right. Words and not an array: the compiler keeps them in registers, and a
	// lookup that returns an Addr takes a third of the time.
	hi  uint64 // bytes 0 to 7
	mid uint64 // bytes 8 to 15
	lo  uint32 // bytes 16 to 19
	n   uint8  // how many
}

// fromBytes returns the address of the first n bytes of b; the rest is zero.
func fromBytes(b *[MaxLen]byte, n int) Addr {
	return Addr{
		hi:  binary.BigEndian.Uint64(b[0:]),
		mid: binary.BigEndian.Uint64(b[8:]),
		lo:  binary.BigEndian.Uint32(b[16:]),
		n:   uint8(n),
	}
}

// bytes returns the bytes of a, with zeros after them.
func (a Addr) bytes() (b [MaxLen]byte) {
	binary.BigEndian.PutUint64(b[0:], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.mid)
	binary.BigEndian.PutUint32(b[16:], a.lo)
	return b
}

// Broadcast is the Ethernet, IEEE 802 and Token Ring broadcast address.
func Broadcast() Addr { return From6([6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) }

// From6 returns the address of the six bytes b, the length that Ethernet and
// Token Ring have.
func From6(b [6]byte) Addr {
	return Addr{hi: uint64(binary.BigEndian.Uint32(b[0:]))<<32 | uint64(binary.BigEndian.Uint16(b[4:]))<<16, n: 6}
}

// FromSlice returns the address of the bytes b and true, or the zero Addr and
// false if b is longer than [MaxLen]. It does not keep b. An empty b gives the
// zero Addr and true.
func FromSlice(b []byte) (Addr, bool) {
	switch {
	case len(b) == 6:
		return From6([6]byte(b)), true
	case len(b) > MaxLen:
		return Addr{}, false
	}
	var all [MaxLen]byte
	copy(all[:], b)
	return fromBytes(&all, len(b)), true
}

// Len returns the length of a in bytes, 0 to [MaxLen].
func (a Addr) Len() int { return int(a.n) }

// IsValid reports whether a has any bytes: whether it is not the zero Addr.
func (a Addr) IsValid() bool { return a.n != 0 }

// IsZero reports whether every byte of a is zero, as in the target hardware
// address of a request. It is true of the zero Addr too.
func (a Addr) IsZero() bool { return a.hi == 0 && a.mid == 0 && a.lo == 0 }

// IsBroadcast reports whether a is the broadcast address that the media with
// addresses of its length share: all ones, or the single byte 0 of ARCnet (RFC
// 1201). It does not know that of IP over InfiniBand, which names a partition
// (RFC 4391 section 4).
func (a Addr) IsBroadcast() bool {
	switch a.n {
	case 6:
		return a == Broadcast()
	case 1:
		return a.hi == 0
	}
	b := a.bytes()
	for _, c := range b[:a.n] {
		if c != 0xff {
			return false
		}
	}
	return a.n != 0
}

// IsMulticast reports whether a six-byte address has the group bit set (IEEE
// 802-2014 section 8.2.2), which the broadcast address has too. It is false for
// other lengths, which have no such bit.
func (a Addr) IsMulticast() bool { return a.n == 6 && a.hi>>56&1 != 0 }

// As6 returns the bytes of a six-byte address and true, else zeros and false.
func (a Addr) As6() (b [6]byte, ok bool) {
	if a.n != 6 {
		return b, false
	}
	binary.BigEndian.PutUint32(b[0:], uint32(a.hi>>32))
	binary.BigEndian.PutUint16(b[4:], uint16(a.hi>>16))
	return b, true
}

// AppendBytes appends the bytes of a to dst and returns the extended slice.
func (a Addr) AppendBytes(dst []byte) []byte {
	b := a.bytes()
	return append(dst, b[:a.n]...)
}

// HardwareAddr returns a copy of a as the type of package net, nil for the zero
// Addr.
func (a Addr) HardwareAddr() net.HardwareAddr {
	if a.n == 0 {
		return nil
	}
	return a.AppendBytes(nil)
}

// Compare orders addresses by length, then by bytes. It returns -1, 0 or +1.
func (a Addr) Compare(b Addr) int {
	return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.hi, b.hi), cmp.Compare(a.mid, b.mid), cmp.Compare(a.lo, b.lo))
}

// errText is the reason of every failed parse of a malformed text.
var errText = errors.New("want bytes in hexadecimal with ':' or '-' between, such as 02:00:00:00:00:01")

// Parse reads the forms arp(8) and ip(8) take: one or two hexadecimal digits a
// byte, ':' or '-' (not both) between bytes, 1 to [MaxLen] bytes. The empty text
// is an error.
func Parse(s string) (Addr, error) {
	var b [MaxLen]byte
	n := 0
	var sep byte
	for i := 0; ; {
		v, digits := 0, 0
		for ; i < len(s) && digits < 2; i, digits = i+1, digits+1 {
			d := unhex(s[i])
			if d < 0 {
				break
			}
			v = v<<4 | d
		}
		if digits == 0 {
			return Addr{}, fmt.Errorf("link-layer address %q: %w", s, errText)
		}
		if n == MaxLen {
			return Addr{}, fmt.Errorf("link-layer address %q: longer than %d bytes", s, MaxLen)
		}
		b[n] = byte(v)
		n++
		if i == len(s) {
			return fromBytes(&b, n), nil
		}
		if c := s[i]; c != ':' && c != '-' || sep != 0 && c != sep {
			return Addr{}, fmt.Errorf("link-layer address %q: %w", s, errText)
		}
		sep = s[i]
		i++
	}
}

// MustParse is [Parse] for constants and tests: it panics on an error.
func MustParse(s string) Addr {
	a, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// String returns the form of FreeBSD's %D and of ip(8): two lower-case
// hexadecimal digits a byte, ':' between. The zero Addr gives "".
func (a Addr) String() string {
	var text [maxTextLen]byte // on the stack: the string is the only allocation
	return string(a.AppendTo(text[:0]))
}

// AppendTo appends what [Addr.String] returns to dst.
func (a Addr) AppendTo(dst []byte) []byte {
	const hex = "0123456789abcdef"
	b := a.bytes()
	for i, c := range b[:a.n] {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, hex[c>>4], hex[c&15])
	}
	return dst
}

// MarshalText implements [encoding.TextMarshaler] with [Addr.String].
func (a Addr) MarshalText() ([]byte, error) {
	return a.AppendTo(make([]byte, 0, maxTextLen)), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] with [Parse]; the empty
// text gives the zero Addr.
func (a *Addr) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Addr{}
		return nil
	}
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
