//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// AddrFlags are the IFA_F_* flags of an address, linux/if_addr.h.
type AddrFlags uint32

// The flags that IPv4 addresses have.
const (
	AddrSecondary     AddrFlags = unix.IFA_F_SECONDARY // another of the same network is first
	AddrPermanent     AddrFlags = unix.IFA_F_PERMANENT // without a lifetime
	AddrNoPrefixRoute AddrFlags = unix.IFA_F_NOPREFIXROUTE
	AddrMCAutoJoin    AddrFlags = unix.IFA_F_MCAUTOJOIN
)

// Scope is the RT_SCOPE_* of an address or route, linux/rtnetlink.h.
type Scope uint8

// The scopes of linux/rtnetlink.h. Those between are free for the administrator.
const (
	ScopeUniverse Scope = unix.RT_SCOPE_UNIVERSE
	ScopeSite     Scope = unix.RT_SCOPE_SITE
	ScopeLink     Scope = unix.RT_SCOPE_LINK
	ScopeHost     Scope = unix.RT_SCOPE_HOST
	ScopeNowhere  Scope = unix.RT_SCOPE_NOWHERE
)

// Forever is the lifetime of an address that has none (INFINITY_LIFE_TIME).
const Forever time.Duration = 1<<63 - 1

// Addr is an IPv4 address of an interface.
type Addr struct {
	Index     int
	Local     netip.Addr   // the interface's own address
	Prefix    netip.Prefix // the network it connects to, masked; that of Peer if there is one
	Peer      netip.Addr   // of a point-to-point link, else the zero Addr
	Broadcast netip.Addr   // the zero Addr: none
	Label     string       // the interface's name, or that with ":" and more
	Scope     Scope
	Flags     AddrFlags
	Protocol  uint8         // of who added it, IFA_PROTO, Linux 5.18; 0: not said
	Metric    uint32        // of the prefix route, IFA_RT_PRIORITY; 0: none
	Preferred time.Duration // for how long it is still preferred, or Forever
	Valid     time.Duration // for how long it is still there, or Forever
}

const (
	sizeofIfaddrmsg    = 8  // struct ifaddrmsg of linux/if_addr.h
	sizeofIfaCacheinfo = 16 // struct ifa_cacheinfo of linux/if_addr.h
	ifaProto           = 11 // IFA_PROTO of linux/if_addr.h
	infinite           = 1<<32 - 1
)

// parseAddr reads struct ifaddrmsg and its attributes into a. It returns false if
// the message is not about an IPv4 address.
func parseAddr(payload []byte, a *Addr) bool {
	if len(payload) < sizeofIfaddrmsg || payload[0] != unix.AF_INET || payload[1] > 32 {
		return false
	}
	*a = Addr{
		Index:     int(int32(uint32At(payload, 4))),
		Flags:     AddrFlags(payload[2]),
		Scope:     Scope(payload[3]),
		Preferred: Forever,
		Valid:     Forever,
	}
	var network netip.Addr
	for at := attributesAfter(payload, sizeofIfaddrmsg); at.next(); {
		switch at.typ {
		case unix.IFA_ADDRESS:
			network = at.ipv4() // the peer's on a point-to-point link, else the same as IFA_LOCAL
		case unix.IFA_LOCAL:
			a.Local = at.ipv4()
		case unix.IFA_BROADCAST:
			a.Broadcast = at.ipv4()
		case unix.IFA_LABEL:
			a.Label = at.string()
		case unix.IFA_FLAGS:
			a.Flags = AddrFlags(at.uint32()) // the header has only eight of them
		case unix.IFA_RT_PRIORITY:
			a.Metric = at.uint32()
		case ifaProto:
			a.Protocol = at.uint8()
		case unix.IFA_CACHEINFO:
			a.Preferred, a.Valid = lifetime(uint32At(at.data, 0)), lifetime(uint32At(at.data, 4))
		}
	}
	if !a.Local.IsValid() || !network.IsValid() {
		return false
	}
	if network != a.Local {
		a.Peer = network
	}
	a.Prefix = netip.PrefixFrom(network, int(payload[1])).Masked()
	return true
}

// lifetime reads a time of struct ifa_cacheinfo, in seconds.
func lifetime(seconds uint32) time.Duration {
	if seconds == infinite {
		return Forever
	}
	return time.Duration(seconds) * time.Second
}

// seconds is the inverse of lifetime. It rounds up: less than a second is not
// "gone", and 0 is not forever.
func seconds(d time.Duration) uint32 {
	s := (d + time.Second - 1) / time.Second
	if d <= 0 || s >= infinite || d == Forever {
		return infinite
	}
	return uint32(s)
}

// Addrs returns the IPv4 addresses of the interface with this index, of all if it
// is 0: for each interface in the order in which the kernel prefers them.
func (c *Conn) Addrs(index int) ([]Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETADDR, 0)
	m.ifaddrmsg(index, 0, 0, 0) // under strict checking the kernel filters by index
	addrs := c.addrs.list()
	err := c.dump(unix.RTM_NEWADDR, func() { addrs = addrs[:0] }, func(payload []byte) {
		var a Addr
		if parseAddr(payload, &a) && (index == 0 || a.Index == index) {
			addrs = append(addrs, a)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	c.addrs.was(addrs)
	return addrs, nil
}

// AddAddr adds an address; EEXIST if the interface has it with this Prefix. Of
// Flags, the kernel sets Secondary and Permanent itself. Preferred and Valid may
// be 0 for Forever; else they count in seconds. So what [Conn.Addrs] gives can be
// added again.
func (c *Conn) AddAddr(a Addr) error { return c.one(AddAddrOp(a)) }

// AddAddrOp is [Conn.AddAddr] for [Conn.Apply].
func AddAddrOp(a Addr) Op {
	return addrOp("adding", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, a)
}

// ReplaceAddr adds an address or changes Flags, Scope, Metric and lifetimes of the
// one there.
func (c *Conn) ReplaceAddr(a Addr) error {
	return c.one(addrOp("replacing", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, a))
}

// DeleteAddr removes the address with this Index, Local, Peer, length of Prefix
// and, if given, Label; EADDRNOTAVAIL if there is none. With a primary address go
// its secondaries, unless promote_secondaries is set.
func (c *Conn) DeleteAddr(a Addr) error { return c.one(DeleteAddrOp(a)) }

// DeleteAddrOp is [Conn.DeleteAddr] for [Conn.Apply].
func DeleteAddrOp(a Addr) Op { return addrOp("deleting", unix.RTM_DELADDR, 0, a) }

func addrOp(what string, typ, flags uint16, a Addr) Op {
	op := Op{what: fmt.Sprintf("%s address %v", what, a.Local), typ: typ, flags: flags}
	network := a.Local
	if a.Peer.IsValid() {
		network = a.Peer
	}
	if !a.Local.Is4() || !network.Is4() || !a.Prefix.Addr().Is4() || a.Broadcast.IsValid() && !a.Broadcast.Is4() {
		op.err = unix.EAFNOSUPPORT
		return op
	}
	op.build = func(m *builder) {
		m.ifaddrmsg(a.Index, a.Prefix.Bits(), 0, a.Scope)
		m.ipv4(unix.IFA_LOCAL, a.Local)
		m.ipv4(unix.IFA_ADDRESS, network)
		if a.Label != "" {
			m.string(unix.IFA_LABEL, a.Label)
		}
		if typ == unix.RTM_NEWADDR {
			m.addrValues(&a)
		}
	}
	return op
}

// addrValues appends what an address has beyond its identity.
func (m *builder) addrValues(a *Addr) {
	m.uint32(unix.IFA_FLAGS, uint32(a.Flags&^(AddrSecondary|AddrPermanent)))
	if a.Broadcast.IsValid() {
		m.ipv4(unix.IFA_BROADCAST, a.Broadcast)
	}
	if a.Metric != 0 {
		m.uint32(unix.IFA_RT_PRIORITY, a.Metric)
	}
	if a.Protocol != 0 {
		m.uint8(ifaProto, a.Protocol)
	}
	m.attr(unix.IFA_CACHEINFO, sizeofIfaCacheinfo)
	for _, v := range []uint32{seconds(a.Preferred), seconds(a.Valid), 0, 0} {
		m.b = binary.NativeEndian.AppendUint32(m.b, v)
	}
}

// ifaddrmsg appends struct ifaddrmsg for IPv4. Flags go into an attribute.
func (m *builder) ifaddrmsg(index, bits int, flags AddrFlags, scope Scope) {
	m.b = append(m.b, unix.AF_INET, byte(bits), byte(flags), byte(scope))
	m.b = binary.NativeEndian.AppendUint32(m.b, uint32(index))
}
