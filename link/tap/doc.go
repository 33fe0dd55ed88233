// Package tap is the other end of a TAP interface of Linux, as a port: the frames
// that the kernel sends by the interface come in, and what is written the kernel
// receives. The interface exists as long as the port is open.
//
// The interface is a station of its own, with an address of its own; it can be
// made a port of a bridge. The package works on Linux only.
package tap
