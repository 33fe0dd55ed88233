// Package ioctlsrv is the server half of ioctl.sock: it decides about the ARP
// ioctls of package ioctl as Solaris' kernel does, in the order of checks of
// facts/solaris-arp-ipmp.md 2.1, on the table of a host.
//
//	packet ─▶ caller's right ─▶ form ─▶ interface ─▶ lengths ─▶ get, set, delete
//	  EINVAL      EPERM         ENXIO     ENXIO       EINVAL     ENOTSUP, ENXIO
//	                            EINVAL
//
// Serving needs Linux; the decisions do not.
package ioctlsrv
