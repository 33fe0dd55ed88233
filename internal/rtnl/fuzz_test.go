//go:build linux

package rtnl

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// messageTypes are those of all that is decoded.
var messageTypes = []uint16{
	unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.RTM_GETNEIGH, unix.RTM_NEWLINK, unix.RTM_NEWADDR, unix.RTM_NEWROUTE,
	unix.RTM_NEWNEIGHTBL, unix.NLMSG_ERROR, unix.NLMSG_DONE,
}

// decode does with a datagram what readers do with it, whatever its types say.
func decode(b []byte) (messages int) {
	for {
		h, payload, rest, ok := nextMessage(b)
		if !ok {
			return messages
		}
		messages++
		for _, typ := range messageTypes {
			h.typ = typ
			parseChange(h, payload)
		}
		var p NeighParams
		parseNeighParams(payload, &p)
		for _, done := range []bool{false, true} {
			if err := parseError(payload, h.flags, done); err != nil && err.Error() == "" {
				panic("error without words")
			}
		}
		b = rest
	}
}

// FuzzDecode: no bytes make a decoder panic, read beyond the datagram, or loop.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 16)) // a length of 0 would loop
	for _, typ := range messageTypes {
		m := seed(typ)
		f.Add(m.b)
		f.Add(append(m.b, m.b...))
		f.Add(m.b[:len(m.b)-3])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := decode(b); n > len(b)/unix.NLMSG_HDRLEN {
			t.Errorf("%d messages in %d bytes", n, len(b))
		}
	})
}

// FuzzRouteImage reads what is written down of a route, by whomever: an image that
// is one is the same when it is taken again.
func FuzzRouteImage(f *testing.F) {
	m := seed(unix.RTM_NEWROUTE)
	f.Add(m.b[unix.NLMSG_HDRLEN:])
	f.Add(make([]byte, sizeofRtmsg))
	f.Fuzz(func(t *testing.T, b []byte) {
		RouteImage(b).Route()
		image, ok := imageOf(b)
		if !ok {
			return
		}
		if again, ok := imageOf([]byte(image)); !ok || again != image {
			t.Errorf("the image % x becomes % x", image, again)
		}
	})
}

// seed is a message with attributes of all kinds, nested ones among them.
func seed(typ uint16) *builder {
	m := &builder{}
	m.begin(typ, unix.NLM_F_ACK_TLVS|unix.NLM_F_CAPPED, 1)
	switch typ {
	case unix.RTM_NEWLINK:
		m.ifinfomsg(2, LinkUp, 0)
		m.linkName("e0")
		n := m.nest(unix.IFLA_AF_SPEC)
		inet := m.nest(unix.AF_INET)
		conf := m.nest(unix.IFLA_INET_CONF)
		m.b = append(m.b, make([]byte, 4*int(confEnd-1))...)
		m.endNest(conf)
		m.endNest(inet)
		m.endNest(n)
	case unix.RTM_NEWADDR:
		m.ifaddrmsg(2, 24, 0, ScopeUniverse)
		m.ipv4(unix.IFA_LOCAL, ip4)
		m.ipv4(unix.IFA_ADDRESS, ip4)
		m.addrValues(&Addr{Broadcast: ip4, Protocol: ProtocolISAT})
	case unix.RTM_NEWROUTE:
		m.rtmsg(rtmsg{bits: 24})
		m.ipv4(unix.RTA_DST, ip4)
		m.hops(&Route{Hops: []NextHop{{OIF: 2, Gateway: ip4}, {OIF: 3}}})
	case unix.RTM_NEWNEIGHTBL:
		m.ndtmsg()
		n := m.nest(ndtaParms)
		m.uint32(uint16(paramIfindex), 2)
		m.uint64(uint16(ParamLockTime), 1)
		m.endNest(n)
	default:
		m.ndmsg(2, StateStale, FlagExtLearned)
		m.ipv4(unix.NDA_DST, ip4)
		m.mac(unix.NDA_LLADDR, lladdr.Broadcast())
		m.uint8(ndaProtocol, ProtocolISAT)
	}
	m.end()
	return m
}
