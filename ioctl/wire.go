package ioctl

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// Lengths in bytes of what precedes the struct in a packet of ioctl.sock.
const (
	RequestHeaderLen = 16
	AnswerHeaderLen  = 12
)

// MaxRequest is the length of the longest request.
const MaxRequest = RequestHeaderLen + XARPReqLen

// MaxAnswer is the length of the longest answer, which has lines of [Table]. A
// packet of this size fits the default buffer of a Unix socket.
const MaxAnswer = 32 << 10

// magic begins every packet and names the version of the protocol.
const magic = "ISA1"

// Request is a packet to ioctl.sock, in native byte order:
//
//	offset 0  char magic[4]  "ISA1"
//	       4  u32 cmd
//	       8  u32 family     SO_DOMAIN of the caller's descriptor
//	      12  u32 len        of the struct; 0 asks for privilege only
//	      16  the struct
type Request struct {
	Command Command
	Family  uint32
	Arg     []byte
	// Fits says whether the struct is as long as the packet says and the command
	// demands, or absent.
	Fits bool
}

// AppendTo appends the packet. Fits does not count.
func (r Request) AppendTo(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = binary.NativeEndian.AppendUint32(dst, uint32(r.Command))
	dst = binary.NativeEndian.AppendUint32(dst, r.Family)
	dst = binary.NativeEndian.AppendUint32(dst, uint32(len(r.Arg)))
	return append(dst, r.Arg...)
}

// ParseRequest reads a packet. Arg is part of it. The error wraps EINVAL if it has
// no header, or one of another protocol or command. A struct of a wrong length is
// no error but not Fits: whether the caller may ask at all comes first.
func ParseRequest(packet []byte) (Request, error) {
	if len(packet) < RequestHeaderLen {
		return Request{}, fmt.Errorf("request of %d bytes, its header has %d: %w", len(packet), RequestHeaderLen, syscall.EINVAL)
	}
	if got := string(packet[:4]); got != magic {
		return Request{}, fmt.Errorf("request begins with %q, not %q: %w", got, magic, syscall.EINVAL)
	}
	r := Request{
		Command: Command(binary.NativeEndian.Uint32(packet[4:])),
		Family:  binary.NativeEndian.Uint32(packet[8:]),
		Arg:     packet[RequestHeaderLen:],
	}
	size, known := r.Command.Size()
	if !known {
		return Request{}, fmt.Errorf("request of %v, which is none of ARP: %w", r.Command, syscall.EINVAL)
	}
	// Compared as it is: a length near 4 GiB must not become another.
	said := uint64(binary.NativeEndian.Uint32(packet[12:]))
	r.Fits = said == uint64(len(r.Arg)) && (said == 0 || said == uint64(size))
	return r, nil
}

// Answer is a packet from ioctl.sock, in native byte order:
//
//	offset 0  char magic[4]  "ISA1"
//	       4  i32 errno      0, or one of Linux
//	       8  u32 len        of the struct
//	      12  the struct of a GET, or lines of [Table]; else nothing
type Answer struct {
	Errno syscall.Errno
	Arg   []byte
}

// AppendTo appends the packet.
func (a Answer) AppendTo(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = binary.NativeEndian.AppendUint32(dst, uint32(a.Errno))
	dst = binary.NativeEndian.AppendUint32(dst, uint32(len(a.Arg)))
	return append(dst, a.Arg...)
}

// maxErrno is MAX_ERRNO (linux/err.h).
const maxErrno = 4095

// ParseAnswer reads a packet. Arg is part of it. The error wraps EPROTO if it is
// not an answer of this protocol.
func ParseAnswer(packet []byte) (Answer, error) {
	if len(packet) < AnswerHeaderLen || string(packet[:4]) != magic {
		return Answer{}, fmt.Errorf("answer of %d bytes without a header: %w", len(packet), syscall.EPROTO)
	}
	errno, said := binary.NativeEndian.Uint32(packet[4:]), binary.NativeEndian.Uint32(packet[8:])
	a := Answer{Errno: syscall.Errno(errno), Arg: packet[AnswerHeaderLen:]}
	switch {
	case errno > maxErrno:
		return Answer{}, fmt.Errorf("answer with errno %#x: %w", errno, syscall.EPROTO)
	case uint64(said) != uint64(len(a.Arg)):
		return Answer{}, fmt.Errorf("answer with %d bytes that says %d: %w", len(a.Arg), said, syscall.EPROTO)
	}
	return a, nil
}
