// Package offload does what the kernel leaves to the hardware and so to whoever
// reads packets in the hardware's place: it cuts large packets into those of the
// wire and fills checksums in, and puts packets together again so that one system
// call carries many. It is pure.
//
//	kernel ── TUN, AF_PACKET ──▶ [Split] ──▶ packets of the wire
//	kernel ◀── TUN ─────────── [Merge] ◀── packets of the wire
package offload

import "encoding/binary"

// HeaderLen is the length in bytes of struct virtio_net_hdr of
// <linux/virtio_net.h>, which stands before each packet where IFF_VNET_HDR of a
// TUN device or PACKET_VNET_HDR of a packet socket is on.
const HeaderLen = 10

// Header is struct virtio_net_hdr.
type Header struct {
	Flags    uint8
	GSOType  uint8
	HdrLen   uint16 // a hint of the kernel's, not to be relied on
	GSOSize  uint16 // data bytes in each packet of the wire
	CsumFrom uint16 // the checksum covers what is from here to the end
	CsumAt   uint16 // where it stands, from CsumFrom
}

// Values of <linux/virtio_net.h>.
const (
	FlagNeedsCsum = 1 // the checksum field has the sum of the pseudo header only
	FlagDataValid = 2 // the checksum was found right

	GSONone  = 0
	GSOTCPv4 = 1
	GSOUDPL4 = 5    // UDP datagrams of equal size, Linux 6.2 for TUN
	gsoECN   = 0x80 // beside GSOTCPv4: CWR belongs to the first packet alone
)

// Decode reads the header from its [HeaderLen] bytes, which are in the byte order
// of the machine.
func (h *Header) Decode(b []byte) {
	_ = b[HeaderLen-1]
	h.Flags, h.GSOType = b[0], b[1]
	h.HdrLen = binary.NativeEndian.Uint16(b[2:])
	h.GSOSize = binary.NativeEndian.Uint16(b[4:])
	h.CsumFrom = binary.NativeEndian.Uint16(b[6:])
	h.CsumAt = binary.NativeEndian.Uint16(b[8:])
}

// Encode writes the header to [HeaderLen] bytes.
func (h Header) Encode(b []byte) {
	_ = b[HeaderLen-1]
	b[0], b[1] = h.Flags, h.GSOType
	binary.NativeEndian.PutUint16(b[2:], h.HdrLen)
	binary.NativeEndian.PutUint16(b[4:], h.GSOSize)
	binary.NativeEndian.PutUint16(b[6:], h.CsumFrom)
	binary.NativeEndian.PutUint16(b[8:], h.CsumAt)
}

// Large reports whether the packet is more than one of the wire.
func (h Header) Large() bool { return h.GSOType != GSONone }
