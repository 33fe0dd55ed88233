// Package rtnl has the rtnetlink(7) messages that isat needs of Linux, as value
// types of net/netip and lladdr: neighbours and their parameters, links with
// their IPv4 configuration, addresses and routes. A [Conn] asks and changes; a
// [Misses] receives what the kernel asks of user space, and a [Changes] what
// happens to the host:
//
//	         RTM_NEWNEIGH, RTM_SETLINK ...
//	Conn    ──────────────────────────────▶  kernel
//	        ◀──────────────────────────────
//	         dumps, errors
//	Misses  ◀── RTM_GETNEIGH ──────────────  address not known, packets wait
//	Changes ◀── RTM_NEWNEIGH, RTM_DELLINK ─  all but the neighbours of our own writes
//
// Sockets come from github.com/mdlayher/netlink. Encoding and decoding are done
// here, on the buffers of the socket, because no library knows all the attributes
// (NDA_PROTOCOL, RTM_SETNEIGHTBL, IFA_PROTO) or takes a dump of a million
// neighbours without an allocation for each.
//
// It is for Linux only, 5.16 and later; elsewhere the package is empty. Only IPv4
// is carried: neighbours, addresses and routes of other families are left out.
//
// Errors of the kernel are of type *[Error]: errors.Is finds the errno in them.
package rtnl
