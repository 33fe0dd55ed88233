// Package packet is a port on a Linux interface: a packet(7) socket that sends
// and receives whole ARP frames. It needs CAP_NET_RAW and exists on Linux only.
//
// What the kernel does to frames and interfaces decides much here. The comments
// that say "(tried)" were tried on Linux 6.18.
package packet
