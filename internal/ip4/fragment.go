package ip4

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The errors of [AppendFragments] besides those of [Parse].
var (
	// ErrDontFragment is a packet that is too long and may not be divided.
	ErrDontFragment = errors.New("IPv4 packet longer than the MTU that must not be fragmented")
	// ErrMTU is a link that carries not even the header and eight bytes.
	ErrMTU = errors.New("MTU too small for IPv4")
)

// AppendFragments divides a packet into such of at most mtu bytes and appends
// them to dst, each in memory of its own (RFC 791 section 3.2). A packet that is
// short enough is appended itself, without what follows its total length. A
// fragment can be divided again.
func AppendFragments(dst [][]byte, packet []byte, mtu int) ([][]byte, error) {
	h, err := Parse(packet)
	if err != nil {
		return dst, err
	}
	packet = packet[:h.TotalLen]
	switch {
	case len(packet) <= mtu:
		return append(dst, packet), nil
	case h.DontFragment:
		return dst, ErrDontFragment
	case mtu < h.Len+8:
		return dst, fmt.Errorf("%d bytes for a header of %d: %w", mtu, h.Len, ErrMTU)
	}
	data := packet[h.Len:]
	header := packet[:h.Len]
	later := copied(header)
	for offset := h.Offset; len(data) > 0; header = later {
		n := len(data)
		more := h.MoreFragments
		if room := mtu - len(header); n > room {
			n, more = room&^7, true // offsets count units of 8 bytes
		}
		fragment := make([]byte, 0, len(header)+n)
		fragment = append(append(fragment, header...), data[:n]...)
		field := uint16(offset / 8)
		if more {
			field |= flagMF
		}
		fragment[0] = 4<<4 | byte(len(header)/4)
		binary.BigEndian.PutUint16(fragment[atTotalLen:], uint16(len(fragment)))
		binary.BigEndian.PutUint16(fragment[atFragment:], field)
		setChecksum(fragment, len(header))
		dst = append(dst, fragment)
		offset += n
		data = data[n:]
	}
	return dst, nil
}

// Option types of one byte (RFC 791 section 3.1).
const (
	optionEnd  = 0
	optionNOP  = 1
	flagCopied = 0x80 // in the type: into all fragments
)

// copied returns the header that the fragments after the first have: with the
// options alone whose type says that they are copied, padded to words. What
// follows an option with an impossible length is left out.
func copied(header []byte) []byte {
	later := append([]byte(nil), header[:MinHeader]...)
	options := header[MinHeader:]
	for len(options) > 0 && options[0] != optionEnd {
		n := 1
		if options[0] != optionNOP {
			if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
				break
			}
			n = int(options[1])
		}
		if options[0]&flagCopied != 0 {
			later = append(later, options[:n]...)
		}
		options = options[n:]
	}
	for len(later)%4 != 0 {
		later = append(later, optionEnd)
	}
	return later
}
