package arp

import "strconv"

// Operation is ar$op (IANA registry "ARP Parameters", Operation Codes).
type Operation uint16

// The operations that have a name here. ARP acts on the first two only.
const (
	Request        Operation = 1 // RFC 826
	Reply          Operation = 2 // RFC 826
	ReverseRequest Operation = 3 // RFC 903
	ReverseReply   Operation = 4 // RFC 903
	InverseRequest Operation = 8 // RFC 2390
	InverseReply   Operation = 9 // RFC 2390
)

// String returns "request", "reply" and so on, or "operation N".
func (o Operation) String() string {
	switch o {
	case Request:
		return "request"
	case Reply:
		return "reply"
	case ReverseRequest:
		return "reverse request"
	case ReverseReply:
		return "reverse reply"
	case InverseRequest:
		return "inverse request"
	case InverseReply:
		return "inverse reply"
	}
	return "operation " + strconv.Itoa(int(o))
}

// HardwareType is ar$hrd (IANA registry "ARP Parameters", Hardware Types).
type HardwareType uint16

// The hardware types that have a name here.
const (
	Ethernet   HardwareType = 1  // RFC 826
	IEEE802    HardwareType = 6  // RFC 1042: Token Ring and other IEEE 802 networks
	ARCnet     HardwareType = 7  // RFC 1201, and RFC 1051 before it
	FrameRelay HardwareType = 15 // RFC 2427
	IEEE1394   HardwareType = 24 // RFC 2734
	InfiniBand HardwareType = 32 // RFC 4391
)

// String returns the name that arp(8) puts in brackets or would, such as
// "ethernet", or "hardware type N".
func (t HardwareType) String() string {
	switch t {
	case Ethernet:
		return "ethernet"
	case IEEE802:
		return "token-ring"
	case ARCnet:
		return "arcnet"
	case FrameRelay:
		return "frame-relay"
	case IEEE1394:
		return "firewire"
	case InfiniBand:
		return "infiniband"
	}
	return "hardware type " + strconv.Itoa(int(t))
}
