//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// LinkFlags are the IFF_* flags of an interface, netdevice(7).
type LinkFlags uint32

// The flags that matter to ARP.
const (
	LinkUp           LinkFlags = unix.IFF_UP // by the administrator
	LinkBroadcast    LinkFlags = unix.IFF_BROADCAST
	LinkLoopback     LinkFlags = unix.IFF_LOOPBACK
	LinkPointToPoint LinkFlags = unix.IFF_POINTOPOINT
	LinkRunning      LinkFlags = unix.IFF_RUNNING // operational state up, or unknown with carrier
	LinkNoARP        LinkFlags = unix.IFF_NOARP
	LinkPromiscuous  LinkFlags = unix.IFF_PROMISC
	LinkMulticast    LinkFlags = unix.IFF_MULTICAST
	LinkLowerUp      LinkFlags = unix.IFF_LOWER_UP // has carrier
)

// OperState is the operational state of RFC 2863, as linux/if.h numbers it.
type OperState uint8

// The states, IF_OPER_* of linux/if.h.
const (
	OperUnknown        OperState = 0 // drivers that do not tell, as lo
	OperNotPresent     OperState = 1
	OperDown           OperState = 2
	OperLowerLayerDown OperState = 3
	OperTesting        OperState = 4
	OperDormant        OperState = 5
	OperUp             OperState = 6
)

// String returns the name as ip-link(8) prints it.
func (s OperState) String() string {
	names := [...]string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("%#x", uint8(s))
}

// Link is a network interface.
type Link struct {
	Index     int
	Name      string
	MAC       lladdr.Addr
	Broadcast lladdr.Addr // on a point-to-point link the peer's address
	Type      arp.HardwareType
	Flags     LinkFlags
	OperState OperState
	Carrier   bool
	// CarrierChanges counts how often the carrier came and went; it does so with
	// IFF_UP, too, where the driver says that (IFLA_CARRIER_CHANGES).
	CarrierChanges uint32
	MTU            int
	Kind           string // of driver, IFLA_INFO_KIND ("veth", "bridge"); empty for hardware
	Master         int    // index of the interface this one is a port of, 0: none
	MasterKind     string // of the master, IFLA_INFO_SLAVE_KIND ("bridge", "bond")
	LowerIndex     int    // index of the interface below (IFLA_LINK), for veth its peer; 0: none
	LowerNetNS     bool   // LowerIndex is of another namespace (IFLA_LINK_NETNSID)

	// IPv4 is the interface's net.ipv4.conf; nil for an interface without IPv4
	// (MTU below 68), or no more with it (deleted).
	IPv4 *InetConf
}

// Up reports whether the interface can carry frames: up and with carrier.
func (l *Link) Up() bool { return l.Flags&LinkUp != 0 && l.Carrier }

const sizeofIfinfomsg = 16 // struct ifinfomsg of linux/rtnetlink.h

// parseLink reads struct ifinfomsg and its attributes into l. It returns false for
// messages of a family: AF_BRIDGE repeats part of a link that has changed as a
// bridge port.
func parseLink(payload []byte, l *Link) bool {
	if len(payload) < sizeofIfinfomsg || payload[0] != unix.AF_UNSPEC {
		return false
	}
	*l = Link{
		Type:  arp.HardwareType(binary.NativeEndian.Uint16(payload[2:])),
		Index: int(int32(uint32At(payload, 4))),
		Flags: LinkFlags(uint32At(payload, 8)),
	}
	l.Carrier = l.Flags&LinkLowerUp != 0
	for a := attributesAfter(payload, sizeofIfinfomsg); a.next(); {
		switch a.typ {
		case unix.IFLA_IFNAME:
			l.Name = a.string()
		case unix.IFLA_ADDRESS:
			l.MAC = a.mac()
		case unix.IFLA_BROADCAST:
			l.Broadcast = a.mac()
		case unix.IFLA_OPERSTATE:
			l.OperState = OperState(a.uint8())
		case unix.IFLA_CARRIER:
			l.Carrier = a.uint8() != 0
		case unix.IFLA_CARRIER_CHANGES:
			l.CarrierChanges = a.uint32()
		case unix.IFLA_MTU:
			l.MTU = int(a.uint32())
		case unix.IFLA_MASTER:
			l.Master = int(a.uint32())
		case unix.IFLA_LINK:
			l.LowerIndex = int(a.uint32())
		case unix.IFLA_LINK_NETNSID:
			l.LowerNetNS = true
		case unix.IFLA_LINKINFO:
			for i := a.nested(); i.next(); {
				switch i.typ {
				case unix.IFLA_INFO_KIND:
					l.Kind = i.string()
				case unix.IFLA_INFO_SLAVE_KIND:
					l.MasterKind = i.string()
				}
			}
		case unix.IFLA_AF_SPEC:
			l.IPv4 = parseInetConf(a.nested())
		}
	}
	return l.Index > 0
}

// Links returns all interfaces of the namespace.
func (c *Conn) Links() ([]Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(unix.RTM_GETLINK, 0).ifinfomsg(0, 0, 0)
	var links []Link
	err := c.dump(unix.RTM_NEWLINK, func() { links = nil }, func(payload []byte) {
		var l Link
		if parseLink(payload, &l) {
			links = append(links, l)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	return links, nil
}

// Link returns the interface with this index, or an error that is ENODEV.
func (c *Conn) Link(index int) (Link, error) {
	l, err := c.link(index, "")
	if err != nil {
		return Link{}, fmt.Errorf("asking for link %d: %w", index, err)
	}
	return l, nil
}

// LinkByName returns the interface with this name or alternative name, or an
// error that is ENODEV.
func (c *Conn) LinkByName(name string) (Link, error) {
	l, err := c.link(0, name)
	if err != nil {
		return Link{}, fmt.Errorf("asking for link %s: %w", name, err)
	}
	return l, nil
}

func (c *Conn) link(index int, name string) (Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.begin(unix.RTM_GETLINK, 0)
	m.ifinfomsg(index, 0, 0)
	if index == 0 {
		m.linkName(name)
	}
	var l Link
	found := false
	err := c.do(func(h header, payload []byte) { found = parseLink(payload, &l) || found })
	if err == nil && !found {
		err = errMalformed
	}
	return l, err
}

// ifinfomsg appends struct ifinfomsg; change is the mask of the flags to change.
func (m *builder) ifinfomsg(index int, flags, change LinkFlags) {
	m.b = append(m.b, unix.AF_UNSPEC, 0, 0, 0)
	m.b = binary.NativeEndian.AppendUint32(m.b, uint32(index))
	m.b = binary.NativeEndian.AppendUint32(m.b, uint32(flags))
	m.b = binary.NativeEndian.AppendUint32(m.b, uint32(change))
}

// linkName appends a name to find a link by: one that is too long for an
// interface can be an alternative name only.
func (m *builder) linkName(name string) {
	if len(name) < unix.IFNAMSIZ {
		m.string(unix.IFLA_IFNAME, name)
		return
	}
	m.string(unix.IFLA_ALT_IFNAME, name)
}
