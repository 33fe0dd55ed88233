package packet

import "sync/atomic"

// Stats counts the frames of a [Conn] since Listen. Every frame that the socket
// received is in exactly one of Received, Tagged, OtherHost, Outgoing,
// Truncated and Unsupported; one that is cut counts as the one it was.
type Stats struct {
	Received uint64 // given to the reader
	Sent     uint64 // taken by the kernel; segments that go as one count as one
	// Overflow is of frames lost because the receive buffer was full. The kernel
	// tells with the next frame that it queues.
	Overflow  uint64
	Tagged    uint64 // with a VLAN tag: not for this interface, but for one on top of it
	OtherHost uint64 // unicast to another host, heard because of promiscuous mode
	Outgoing  uint64 // sent by this host
	Truncated uint64 // longer than Options.FrameSize
	// Unsupported is of frames that the kernel has put together in a way that it
	// cannot tell, such as those of a tunnel; with Options.IP only.
	Unsupported uint64
	Downs       uint64 // times the interface was found down
}

// counters is Stats for one reader, concurrent writers and anybody who asks.
type counters struct {
	received, sent, overflow, tagged, otherHost, outgoing, truncated, unsupported, downs atomic.Uint64
}

// Stats returns the counters.
func (c *Conn) Stats() Stats {
	n := &c.counters
	return Stats{
		Received:    n.received.Load(),
		Sent:        n.sent.Load(),
		Overflow:    n.overflow.Load(),
		Tagged:      n.tagged.Load(),
		OtherHost:   n.otherHost.Load(),
		Outgoing:    n.outgoing.Load(),
		Truncated:   n.truncated.Load(),
		Unsupported: n.unsupported.Load(),
		Downs:       n.downs.Load(),
	}
}
