package link

import (
	"encoding/binary"
	"fmt"
)

// snapHeaderLen is the length in bytes of the headers of LLC and SNAP.
const snapHeaderLen = 8

// appendSNAP appends the headers of LLC and SNAP (RFC 1042): unnumbered
// information between the SAPs of SNAP, and OUI 0, which makes the type that
// follows an EtherType.
func appendSNAP(dst []byte, etherType uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, 0xaa, 0xaa, 0x03, 0, 0, 0), etherType)
}

// parseSNAP reads what appendSNAP writes. Its error wraps ErrFrame.
func parseSNAP(b []byte) (etherType uint16, payload []byte, err error) {
	if len(b) < snapHeaderLen || [6]byte(b[:6]) != [6]byte{0xaa, 0xaa, 0x03, 0, 0, 0} {
		return 0, nil, fmt.Errorf("no SNAP header with OUI 0: %w", ErrFrame)
	}
	return binary.BigEndian.Uint16(b[6:8]), b[snapHeaderLen:], nil
}
