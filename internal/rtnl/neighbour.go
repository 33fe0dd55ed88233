//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/lladdr"
)

// State is the NUD_* state of a neighbour, one bit of linux/neighbour.h.
type State uint16

// The states of linux/neighbour.h.
const (
	StateNone       State = unix.NUD_NONE
	StateIncomplete State = unix.NUD_INCOMPLETE // asked for, packets wait
	StateReachable  State = unix.NUD_REACHABLE
	StateStale      State = unix.NUD_STALE
	StateDelay      State = unix.NUD_DELAY
	StateProbe      State = unix.NUD_PROBE
	StateFailed     State = unix.NUD_FAILED
	StateNoARP      State = unix.NUD_NOARP     // needs no resolution: multicast, NOARP interfaces
	StatePermanent  State = unix.NUD_PERMANENT // the administrator's
)

// Valid reports whether the kernel sends to a neighbour in this state without
// asking first (NUD_VALID of include/net/neighbour.h).
func (s State) Valid() bool {
	return s&(StatePermanent|StateNoARP|StateReachable|StateProbe|StateStale|StateDelay) != 0
}

// String returns the name as ip-neighbour(8) prints it.
func (s State) String() string {
	switch s {
	case StateNone:
		return "NONE"
	case StateIncomplete:
		return "INCOMPLETE"
	case StateReachable:
		return "REACHABLE"
	case StateStale:
		return "STALE"
	case StateDelay:
		return "DELAY"
	case StateProbe:
		return "PROBE"
	case StateFailed:
		return "FAILED"
	case StateNoARP:
		return "NOARP"
	case StatePermanent:
		return "PERMANENT"
	}
	return fmt.Sprintf("%#x", uint16(s))
}

// NeighbourFlags are the NTF_* flags of linux/neighbour.h.
type NeighbourFlags uint8

// The flags that ARP meets.
const (
	FlagUse        NeighbourFlags = unix.NTF_USE         // in requests only: resolve now
	FlagProxy      NeighbourFlags = unix.NTF_PROXY       // answered for, not a neighbour
	FlagExtLearned NeighbourFlags = unix.NTF_EXT_LEARNED // owned by a program, never collected
	FlagOffloaded  NeighbourFlags = unix.NTF_OFFLOADED
	FlagRouter     NeighbourFlags = unix.NTF_ROUTER
)

// String returns the names that ip-neighbour(8) prints, with spaces between.
func (f NeighbourFlags) String() string {
	var names []string
	for _, n := range []struct {
		flag NeighbourFlags
		name string
	}{{FlagUse, "use"}, {FlagProxy, "proxy"}, {FlagExtLearned, "extern_learn"}, {FlagOffloaded, "offload"}, {FlagRouter, "router"}} {
		if f&n.flag != 0 {
			names = append(names, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		names = append(names, fmt.Sprintf("%#x", uint8(f)))
	}
	return strings.Join(names, " ")
}

// ProtocolISAT marks what isat puts into the kernel: neighbours (NDA_PROTOCOL),
// routes (rtm_protocol) and addresses (IFA_PROTO). It begins RFC 826, and neither
// linux/rtnetlink.h (RTPROT_*, up to Linux 6.18) nor the table of iproute2's
// etc/iproute2/rt_protos has a name for it.
const ProtocolISAT = 82

// Neighbour is an entry of the kernel's IPv4 neighbour table.
type Neighbour struct {
	Index    int // of the interface
	IP       netip.Addr
	MAC      lladdr.Addr // the zero Addr while State is not valid
	State    State
	Flags    NeighbourFlags
	Protocol uint8  // of who made the entry, NDA_PROTOCOL; 0: not said
	Probes   uint32 // sent for it so far, NDA_PROBES
	Ages     NeighbourAges
}

// NeighbourAges says how long ago things happened to a neighbour, in steps of
// 10 ms (struct nda_cacheinfo counts in USER_HZ, which is 100). A new entry that
// was never confirmed has a Confirmed that means nothing.
type NeighbourAges struct {
	Confirmed time.Duration // last proof of reachability
	Used      time.Duration // last packet to it, or start of its timer
	Updated   time.Duration // last change of state or address
}

// userHZ is what the kernel counts the ages in: USER_HZ of include/asm-generic/param.h.
const userHZ = 100

const sizeofNdmsg = 12 // struct ndmsg of linux/neighbour.h

// parseNeighbour reads struct ndmsg and its attributes into n. It returns false if
// the message is not about an IPv4 neighbour.
func parseNeighbour(payload []byte, n *Neighbour) bool {
	if len(payload) < sizeofNdmsg || payload[0] != unix.AF_INET {
		return false
	}
	*n = Neighbour{
		Index: int(int32(uint32At(payload, 4))),
		State: State(binary.NativeEndian.Uint16(payload[8:])),
		Flags: NeighbourFlags(payload[10]),
	}
	for a := attributesAfter(payload, sizeofNdmsg); a.next(); {
		switch a.typ {
		case unix.NDA_DST:
			n.IP = a.ipv4()
		case unix.NDA_LLADDR:
			n.MAC = a.mac()
		case unix.NDA_PROBES:
			n.Probes = a.uint32()
		case ndaProtocol:
			n.Protocol = a.uint8()
		case unix.NDA_CACHEINFO:
			n.Ages = NeighbourAges{
				Confirmed: ticks(uint32At(a.data, 0)),
				Used:      ticks(uint32At(a.data, 4)),
				Updated:   ticks(uint32At(a.data, 8)),
			}
		}
	}
	return n.IP.IsValid()
}

func ticks(n uint32) time.Duration { return time.Duration(n) * (time.Second / userHZ) }

const ndaProtocol = 12 // NDA_PROTOCOL of linux/neighbour.h, Linux 5.0

// AppendNeighbours appends the IPv4 neighbours of the interface with this index,
// of all if it is 0, to dst and returns the extended slice. There is one
// allocation at most for all that dst has room for already.
func (c *Conn) AppendNeighbours(dst []Neighbour, index int) ([]Neighbour, error) {
	return c.appendNeighbours(dst, index, 0)
}

// AppendProxies is AppendNeighbours for the addresses the kernel answers for by
// an entry each (`ip neigh add proxy`), which have no more than Index, IP, Flags
// and Protocol.
func (c *Conn) AppendProxies(dst []Neighbour, index int) ([]Neighbour, error) {
	return c.appendNeighbours(dst, index, FlagProxy)
}

func (c *Conn) appendNeighbours(dst []Neighbour, index int, flags NeighbourFlags) ([]Neighbour, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETNEIGH, 0)
	// Under strict checking the index stands in an attribute, not in the header.
	m.ndmsg(0, StateNone, flags)
	if index != 0 {
		m.uint32(unix.NDA_IFINDEX, uint32(index))
	}
	old := len(dst)
	err := c.dump(unix.RTM_NEWNEIGH, func() { dst = dst[:old] }, func(payload []byte) {
		var n Neighbour
		if parseNeighbour(payload, &n) && (index == 0 || n.Index == index) {
			dst = append(dst, n)
		}
	})
	if err != nil {
		return dst[:old], fmt.Errorf("listing neighbours: %w", err)
	}
	return dst, nil
}

// Neighbour returns one entry, or an error that is ENOENT if there is none.
func (c *Conn) Neighbour(index int, ip netip.Addr) (Neighbour, error) {
	var n Neighbour
	if !ip.Is4() {
		return n, fmt.Errorf("asking for neighbour %v: %w", ip, unix.EAFNOSUPPORT)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETNEIGH, 0)
	m.ndmsg(index, StateNone, 0)
	m.ipv4(unix.NDA_DST, ip)
	err := c.do(func(h header, payload []byte) { parseNeighbour(payload, &n) })
	if err != nil {
		return Neighbour{}, fmt.Errorf("asking for neighbour %v: %w", ip, err)
	}
	return n, nil
}

// ndmsg appends struct ndmsg for IPv4.
func (m *builder) ndmsg(index int, s State, f NeighbourFlags) {
	m.b = append(m.b, unix.AF_INET, 0, 0, 0)
	m.b = binary.NativeEndian.AppendUint32(m.b, uint32(index))
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(s))
	m.b = append(m.b, byte(f), 0)
}
