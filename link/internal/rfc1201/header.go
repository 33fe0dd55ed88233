// Package rfc1201 is the header of an ARCnet frame: that of RFC 1201 and the
// shorter one of RFC 1051. Frames are as they are on the wire and as bpf(4) shows
// them: without the padding and the offset that the buffers of the hardware have.
//
//	RFC 1201                      exception frame               RFC 1051
//	source       1                source       1                source    1
//	destination  1                destination  1                destination 1
//	protocol     1                protocol     1                protocol  1
//	split flag   1                ff           1
//	sequence     2                ffff         2
//	                              protocol     1
//	                              split flag   1
//	                              sequence     2
package rfc1201

import "encoding/binary"

// Protocols: the third byte of a frame.
const (
	IP   = 212 // RFC 1201
	ARP  = 213 // RFC 1201
	RARP = 214 // RFC 1201

	OldIP  = 240 // RFC 1051
	OldARP = 241 // RFC 1051

	diagnose = 128 // ANSI/ATA 878.1, has the header of RFC 1051
)

// Lengths in bytes.
const (
	HeaderLen    = 6
	oldHeaderLen = 3
	exceptionLen = 4 // what an exception frame has more

	// RFC 1201 section 2.1: a short frame holds data of 0 to 249 bytes, a long one
	// 253 to 504. Between them is the exception frame: a long one with four bytes
	// more of header.
	maxShort = 249
	minLong  = 253
	MaxData  = 504
)

// exceptionFlag in place of the split flag begins an exception frame.
const exceptionFlag = 0xff

// Header is what a frame says of its data.
type Header struct {
	Source      byte
	Destination byte // 0 is broadcast
	Protocol    byte
	Flag        byte   // the split flag, 0 unless the data is a fragment
	Sequence    uint16 // the same in all fragments of a packet
}

// IsOld reports whether frames of a protocol have the header of RFC 1051, without
// split flag and sequence number.
func IsOld(protocol byte) bool {
	return protocol == OldIP || protocol == OldARP || protocol == diagnose
}

// AppendTo appends the header of RFC 1201 to dst.
func (h Header) AppendTo(dst []byte) []byte {
	dst = append(dst, h.Source, h.Destination, h.Protocol, h.Flag)
	return binary.BigEndian.AppendUint16(dst, h.Sequence)
}

// Append appends a frame of RFC 1201: an exception frame for data of a length
// that needs one. Data beyond [MaxData] bytes is a packet that is split elsewhere:
// then the frame is one for bpf(4), not for the wire.
func (h Header) Append(dst, data []byte) []byte {
	if maxShort < len(data) && len(data) < minLong {
		dst = append(dst, h.Source, h.Destination, h.Protocol, exceptionFlag, 0xff, 0xff, h.Protocol, h.Flag)
		return append(binary.BigEndian.AppendUint16(dst, h.Sequence), data...)
	}
	return append(h.AppendTo(dst), data...)
}

// Parse returns header and data of a frame of either RFC, and false if it ends
// before its header does.
func Parse(frame []byte) (h Header, data []byte, ok bool) {
	if len(frame) < oldHeaderLen {
		return Header{}, nil, false
	}
	h = Header{Source: frame[0], Destination: frame[1], Protocol: frame[2]}
	if IsOld(h.Protocol) {
		return h, frame[oldHeaderLen:], true
	}
	if len(frame) > oldHeaderLen && frame[3] == exceptionFlag {
		frame = frame[exceptionLen:]
	}
	if len(frame) < HeaderLen {
		return Header{}, nil, false
	}
	h.Flag, h.Sequence = frame[3], binary.BigEndian.Uint16(frame[4:])
	return h, frame[HeaderLen:], true
}
