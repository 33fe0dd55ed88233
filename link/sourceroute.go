package link

import (
	"encoding/binary"
	"fmt"
)

// SourceRoute is the way of a Token Ring frame over bridges: the routing
// information field of IEEE 802.5, a control field and up to 14 route
// designators, each a ring and the bridge by which the frame leaves it. It is a
// comparable value; the zero SourceRoute is none: sender and receiver are on the
// same ring, or nothing is known.
type SourceRoute struct {
	control     uint16
	designators [maxDesignators]uint16 // those beyond the length are zero, so that == is right
}

// The routing control field (sys/net/iso88025.h of FreeBSD: TR_RCF_*,
// RIF_MAX_RD).
const (
	routeBroadcast = 0xe000 // how bridges spread the frame; 0 is along the route
	routeLength    = 0x1f00 // of the field in bytes, these two included
	routeDirection = 0x0080 // the designators are to be read from the last
	maxDesignators = 14
	controlLen     = 2
)

// ParseSourceRoute reads a routing information field at the beginning of b. The
// field has [SourceRoute.Len] bytes. Errors wrap [ErrShort] if b ends before it,
// and [ErrFrame] if its length is odd or 0.
func ParseSourceRoute(b []byte) (SourceRoute, error) {
	if len(b) < controlLen {
		return SourceRoute{}, fmt.Errorf("source route of %d bytes: %w", len(b), ErrShort)
	}
	r := SourceRoute{control: binary.BigEndian.Uint16(b)}
	switch n := r.Len(); {
	case n < controlLen || n%2 != 0:
		return SourceRoute{}, fmt.Errorf("source route with length %d: %w", n, ErrFrame)
	case n > len(b):
		return SourceRoute{}, fmt.Errorf("source route with length %d and %d bytes: %w", n, len(b), ErrShort)
	}
	for i := range r.hops() {
		r.designators[i] = binary.BigEndian.Uint16(b[controlLen+2*i:])
	}
	return r, nil
}

// IsZero reports whether r is no route.
func (r SourceRoute) IsZero() bool { return r == SourceRoute{} }

// Len returns the length in bytes that r has in a frame: 0, or an even number
// from 2 to 30.
func (r SourceRoute) Len() int { return int(r.control&routeLength) >> 8 }

// hops returns how many designators r has. The length has five bits, and is even:
// there are never more than fit.
func (r SourceRoute) hops() int { return max(0, r.Len()-controlLen) / 2 }

// AppendBytes appends the routing information field to dst, nothing for the zero
// SourceRoute, and returns the extended slice.
func (r SourceRoute) AppendBytes(dst []byte) []byte {
	if r.IsZero() {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, r.control)
	for _, d := range r.designators[:r.hops()] {
		dst = binary.BigEndian.AppendUint16(dst, d)
	}
	return dst
}

// Reply returns the route back to the sender of a frame that came by r: the same
// rings and bridges in the other direction, and no longer spread by bridges. A
// frame that crossed no bridge needs none: the result is the zero SourceRoute
// (facts/freebsd-arp.md 5.1; in_arpinput of FreeBSD 7).
func (r SourceRoute) Reply() SourceRoute {
	if r.hops() == 0 {
		return SourceRoute{}
	}
	r.control = r.control&^routeBroadcast ^ routeDirection
	return r
}

// String returns r as arp(8) prints it, "rt=" and the control field and
// designators in hexadecimal with ':' between, such as "rt=690:11:22". The zero
// SourceRoute gives "".
func (r SourceRoute) String() string {
	if r.IsZero() {
		return ""
	}
	text := fmt.Appendf(nil, "rt=%x", r.control)
	for _, d := range r.designators[:r.hops()] {
		text = fmt.Appendf(text, ":%x", d)
	}
	return string(text)
}
