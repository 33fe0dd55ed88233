package ip4

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds the 16-bit words of data to a sum in one's complement (RFC 1071) and
// returns the new sum, not folded. An odd byte at the end counts as followed by
// zero, so only the last part of what is summed may have one.
//
// It adds eight bytes at a time: one's complement addition does not care how
// wide its words are (RFC 1071 section 2), nor in which byte order (section 1.2.B).
func Sum(data []byte, sum uint64) uint64 {
	var carry uint64
	for len(data) >= 32 {
		d := data[:32]
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[0:]), 0)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[8:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[16:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[24:]), carry)
		sum, carry = bits.Add64(sum, 0, carry)
		sum += carry
		data = data[32:]
	}
	for len(data) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data), 0)
		sum += carry
		data = data[8:]
	}
	if len(data) == 0 {
		return sum
	}
	var last [8]byte
	copy(last[:], data)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(last[:]), 0)
	return sum + carry
}

// Fold folds a sum to 16 bits.
func Fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// Checksum returns the Internet checksum of data, of which a sum is known
// already: 0 if data has its own checksum in it and is undamaged.
func Checksum(data []byte, sum uint64) uint16 { return ^Fold(Sum(data, sum)) }

// PseudoSum returns the sum of the pseudo header that TCP and UDP checksums
// cover (RFC 9293 section 3.1, RFC 768). packet has a sound header; length is that
// of header and data of the transport protocol in bytes.
func PseudoSum(packet []byte, protocol uint8, length int) uint64 {
	return Sum(packet[atSource:atDestination+4], uint64(protocol)+uint64(length))
}
