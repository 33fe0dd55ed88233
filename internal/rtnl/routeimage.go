//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// RouteImage is an IPv4 route with everything that the kernel keeps of it, also
// what [Route] has no field for, to add it again as it was: the payload of
// RTM_NEWROUTE, as `ip route save` has it, without what the kernel finds out by
// itself. Two are equal if the routes are.
type RouteImage string

// RouteImages returns the routes of all tables.
func (c *Conn) RouteImages() ([]RouteImage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(unix.RTM_GETROUTE, 0).rtmsg(rtmsg{})
	var all []RouteImage
	err := c.dump(unix.RTM_NEWROUTE, func() { all = nil }, func(payload []byte) {
		if image, ok := imageOf(payload); ok {
			all = append(all, image)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	return all, nil
}

// ownFlags are the flags of a next hop that its maker sets; the kernel knows the
// others by itself.
const ownFlags = unix.RTNH_F_ONLINK | unix.RTNH_F_PERVASIVE

// flagsAt is where rtm_flags is in struct rtmsg.
const flagsAt = 8

// imageOf returns the image of a route as the kernel tells of it.
func imageOf(payload []byte) (RouteImage, bool) {
	var r Route
	if !parseRoute(payload, &r) || r.Cloned {
		return "", false
	}
	image := append([]byte(nil), payload[:sizeofRtmsg]...)
	binary.NativeEndian.PutUint32(image[flagsAt:], binary.NativeEndian.Uint32(image[flagsAt:])&ownFlags)
	for a := attributesAfter(payload, sizeofRtmsg); a.next(); {
		switch a.typ {
		case unix.RTA_OIF, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_MULTIPATH, unix.RTA_ENCAP, unix.RTA_ENCAP_TYPE:
			if r.HopID != 0 {
				continue // the nexthop object has them, and the kernel takes only one of both
			}
		}
		start := len(image) + unix.SizeofNlAttr
		image = binary.NativeEndian.AppendUint16(image, uint16(unix.SizeofNlAttr+len(a.data)))
		image = binary.NativeEndian.AppendUint16(image, a.raw)
		image = append(image, a.data...)
		if a.typ == unix.RTA_MULTIPATH {
			clearHopFlags(image[start:])
		}
		for len(image)&3 != 0 {
			image = append(image, 0)
		}
	}
	return RouteImage(image), true
}

// clearHopFlags does for each struct rtnexthop of RTA_MULTIPATH what imageOf does
// for struct rtmsg.
func clearHopFlags(b []byte) {
	for len(b) >= sizeofRtnexthop {
		n := int(binary.NativeEndian.Uint16(b))
		if n < sizeofRtnexthop || n > len(b) {
			return
		}
		b[2] &= ownFlags
		b = b[min(align(n), len(b)):]
	}
}

// Route returns the route itself, the zero Route for what is no image.
func (i RouteImage) Route() Route {
	var r Route
	if !parseRoute([]byte(i), &r) {
		return Route{}
	}
	return r
}

// errNoImage is what is written down wrongly, or by another version.
var errNoImage = errors.New("not the image of a route")

// AddImageOp adds a route as it was; EEXIST if it is there. For [Conn.Apply].
func AddImageOp(i RouteImage) Op {
	r := i.Route()
	op := Op{what: fmt.Sprintf("adding route to %v again", r.Dst), typ: unix.RTM_NEWROUTE, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL}
	if !r.Dst.IsValid() {
		op.err = fmt.Errorf("%w: %w", errNoImage, unix.EINVAL)
		return op
	}
	op.build = func(m *builder) { m.b = append(m.b, i...) }
	return op
}
