// Package datapath is hosts of their own on Linux: IP packets come from a TUN
// device that the kernel routes to, and isat does all that is between IP and the
// wire.
//
//	programs, the kernel's IP
//	   │ packets            ▲ packets, ICMP errors
//	 isat0: TUN device      │
//	   ▼ ReadPackets        │ WritePackets
//	 reader ─ fragments   writer ◀─ queue
//	   ▼ Output             │ Deliver
//	┌─ host: routes, ARP, the hold queue, framing ─┐
//	└──────────────────────┬───────────────────────┘
//	                       ▼
//	port: AF_PACKET on an interface, the other end of a TAP interface, a cable
//
// # Errors
//
// What isat cannot send is an ICMP error of the next hop that is silent: Linux
// drops one of an own address as a martian. Which code makes which errno was tried
// (DESIGN section 5).
//
// # The kernel's side
//
// The device has the addresses of the configuration, with the length of their
// network, so the kernel routes that network to it. It gets no default route: the
// gateway is where isat sends what the kernel routes to the device and what is in
// no network of its addresses. Which packets those are is the kernel's routing and
// so the administrator's: "ip route add default dev isat0". Own addresses the
// kernel routes through lo, before the device could see them.
//
// The device, its addresses and the routes to it vanish when isat closes it or
// dies. A packet port is held meanwhile: the kernel neither answers ARP on it nor
// takes its IPv4 packets.
//
// The package works on Linux only.
package datapath
