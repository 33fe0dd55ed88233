// Package tun is TUN devices of Linux: interfaces whose IP packets a program
// reads and writes in the place of a wire
// (Documentation/networking/tuntap.rst of the kernel).
//
// The device exists as long as the program has it open: it vanishes at Close and
// when the process dies. The kernel does not segment TCP for it, nor does it fill
// checksums in: one read gives what is many packets on the wire, which package
// offload makes of it.
//
// The package works on Linux only.
package tun
