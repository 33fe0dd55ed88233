// Package cable joins hosts by a hub on a Unix socket: a network for media that
// the system has no driver for, and for hosts without privileges.
//
//	host ── Port ──┐
//	host ── Port ──┼── Hub at /run/cable
//	host ── Port ──┘    │
//	                   Tap
//
// Each frame is one packet of a SOCK_SEQPACKET socket, of 1 to [MaxFrame] bytes,
// and the hub does not look into it: which medium the cable is of is what its
// hosts agree on. The queue of a port is that of its socket. A system without such
// sockets, macOS and Windows among them, is told by the errors of [Dial] and
// [Listen].
package cable

// MaxFrame is the length in bytes of the longest frame: the longest IPv4 packet
// (RFC 791) with the longest header, that of a Token Ring frame with a source route
// of 30 bytes.
const MaxFrame = 65535 + 52

// network is the kind of Unix socket: SOCK_SEQPACKET.
const network = "unixpacket"
