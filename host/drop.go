package host

import "fmt"

// Drop is why a received frame was not acted on. Each has a counter, so that
// every frame is accounted for.
type Drop uint8

// The reasons, in the order in which they are looked at.
const (
	DropInterfaceDown    Drop = iota // the link is down
	DropShortFrame                   // the frame ends before its link header does
	DropFrameFormat                  // a link header that the medium does not have
	DropNotARP                       // no ARP and no packet for this host
	DropOtherHost                    // to the link-layer address of another station
	DropInterfaceOff                 // IFF_NOARP
	DropShortPacket                  // the packet ends before the lengths in it
	DropHardwareType                 // ar$hrd is not of this medium
	DropHardwareLength               // ar$hln is not that of this medium
	DropProtocolType                 // ar$pro is not IPv4
	DropProtocolLength               // ar$pln is not 4
	DropSelf                         // sent by this machine
	DropBroadcastSender              // the sender's link-layer address is broadcast
	DropMulticastSender              // the sender's link-layer address is multicast
	DropZeroSender                   // the sender's link-layer address is all zero
	DropLoopbackSender               // the sender's address is in 127/8
	DropMulticastAddress             // the sender's address is multicast
	DropBroadcastAddress             // the sender's address is a broadcast address
	DropUnARP                        // UNARP of an address whose entry stays
	DropOperation                    // neither request nor reply
	DropGratuitous                   // an announcement, which the interface ignores
	DropProxyRefused                 // a request for somebody else that proxying refuses
	DropNotForUs                     // a request for somebody else
	DropNoAddress                    // the interface has no IPv4 address
	DropWatching                     // answered by nobody: the interface observes
	DropClaim                        // its sender claims an own address, which is detected
	numDrops
)

var dropNames = [numDrops]string{
	"interface_down", "short_frame", "frame_format", "not_arp", "other_host", "interface_off", "short_packet", "hardware_type", "hardware_length",
	"protocol_type", "protocol_length", "self", "broadcast_sender", "multicast_sender", "zero_sender",
	"loopback_address", "multicast_address", "broadcast_address", "unarp", "operation", "gratuitous", "proxy_refused", "not_for_us", "no_address", "observing", "claim",
}

var dropDescriptions = [numDrops]string{
	"frames on an interface whose link is down",
	"frames shorter than their link header",
	"frames of a format the medium does not have",
	"frames that are no ARP and not for this host",
	"frames to the link-layer address of another station",
	"frames on an interface that does no ARP",
	"packets shorter than the lengths in them",
	"packets with the hardware type of another medium",
	"packets with the hardware address length of another medium",
	"packets for another protocol than IPv4",
	"packets with a protocol address length other than 4",
	"packets sent by this machine itself",
	"packets with a broadcast sender link-layer address",
	"packets with a multicast sender link-layer address",
	"packets with an all-zero sender link-layer address",
	"packets with a sender address in 127/8",
	"packets with a multicast sender address",
	"packets with a broadcast sender address",
	"UNARP packets of addresses without an entry that they can remove",
	"packets that are neither request nor reply",
	"announcements on an interface that ignores them",
	"requests for another host that a rule of proxying refuses to answer",
	"requests for another host",
	"requests on an interface without an address",
	"requests on an interface that only observes",
	"requests and replies whose sender claims an own address that is probed and watched",
}

// String returns the name of d in the MIB, such as "short_packet".
func (d Drop) String() string {
	if d < numDrops {
		return dropNames[d]
	}
	return fmt.Sprintf("reason %d", uint8(d))
}

// Drops returns all reasons.
func Drops() []Drop {
	all := make([]Drop, numDrops)
	for i := range all {
		all[i] = Drop(i)
	}
	return all
}
