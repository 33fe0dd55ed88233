package arcnet

import (
	"github.com/isat-project/isat/link/internal/rfc1201"
)

// maxFragments is how many frames a packet is split into at most (RFC 1201
// section 2; ARC_PHDS_MAXMTU of FreeBSD is 120 times 504).
const maxFragments = 120

// firstFlag returns the split flag of the first of n fragments, and laterFlag
// that of each later one, counted from 1 (RFC 1201 section 2; arc_frag_next of
// FreeBSD, continue_tx of Linux). The flag of the last is one more than that of
// the first.
func firstFlag(n int) byte { return byte(2*(n-2) + 1) }
func laterFlag(i int) byte { return byte(2 * i) }

// appendFrames appends the frames that carry a packet to dst, and the end of each
// in dst to ends. The header is that of the packet; all frames have its sequence
// number.
func appendFrames(dst []byte, ends []int, h rfc1201.Header, packet []byte) ([]byte, []int) {
	n := (len(packet) + rfc1201.MaxData - 1) / rfc1201.MaxData
	for i := range max(n, 1) {
		data := packet[:min(len(packet), rfc1201.MaxData)]
		packet = packet[len(data):]
		switch {
		case n <= 1:
			h.Flag = 0
		case i == 0:
			h.Flag = firstFlag(n)
		default:
			h.Flag = laterFlag(i)
		}
		dst = h.Append(dst, data)
		ends = append(ends, len(dst))
	}
	return dst, ends
}
