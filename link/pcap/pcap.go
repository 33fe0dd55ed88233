// Package pcap writes and reads captures: files that tcpdump(8) and Wireshark
// open. The format is the classic one of pcap-savefile(5), with times in
// nanoseconds.
package pcap

import "errors"

// Link-layer types of a file (https://www.tcpdump.org/linktypes.html): what its
// frames begin with.
const (
	LinkTypeEthernet uint32 = 1
	LinkTypeIEEE8025 uint32 = 6 // Token Ring
	LinkTypeARCnet   uint32 = 7 // ARCnet with the header of RFC 1201, as BSD shows it
)

// SnapLen is the length in bytes beyond which frames are cut: the largest that
// libpcap accepts (MAXIMUM_SNAPLEN).
const SnapLen = 262144

// ErrFormat is what a [Reader] finds that is no capture, or a damaged one.
var ErrFormat = errors.New("not a valid pcap file")

// Layout, pcap-savefile(5). All numbers have the byte order of the machine that
// wrote the file: its magic number tells which. This package writes little
// endian.
const (
	magicMicroseconds = 0xa1b2c3d4
	magicNanoseconds  = 0xa1b23c4d
	magicNextGen      = 0x0a0d0d0a // of pcapng, the same in both byte orders

	versionMajor = 2
	versionMinor = 4

	fileHeaderLen  = 24 // magic, version, zone, accuracy, snapshot length, link type
	frameHeaderLen = 16 // seconds, fraction, length here, length on the wire
)
