// Package ioctl has the ARP ioctls of Solaris' arp(7P) and Linux' arp(7) as isat
// takes them: numbers, structs and flags, the packets of the daemon's ioctl.sock,
// and its client.
//
//	program ── ioctl(2) ──▶ libisat-ioctl.so ──┐
//	Go program ── [Dial], [Conn.Do] ───────────┴── ioctl.sock ──▶ daemon
//
// The plain three, [SIOCSARP], [SIOCGARP] and [SIOCDARP], have Linux' numbers and
// Linux' struct arpreq, so that programs for Linux need not be built anew: see
// [ARPReq]. The extended three, [SIOCSXARP], [SIOCGXARP] and [SIOCDXARP], have the
// numbers and the struct xarpreq of Solaris, which names an interface and holds
// addresses of any length: see [XARPReq].
//
// docs/ioctl.md says what each does, and which errno means what.
package ioctl
