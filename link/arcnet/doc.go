// Package arcnet splits packets into the frames that ARCnet takes, and puts them
// together again (RFC 1201 section 2).
//
//	host, recording    frames of whole packets, up to 60,480 bytes of data
//	      │
//	     Port          split flags, sequence numbers, exception frames
//	      │
//	port of the wire   frames of at most 504 bytes of data
//
// What is above a [Port] sees frames as bpf(4) of FreeBSD shows them, and the link
// type LinkTypeARCnet of captures means.
package arcnet
