//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Error is a refusal by the kernel. It wraps the errno.
type Error struct {
	Errno   syscall.Errno
	Message string // of the extended acknowledgement, may be empty
	Offset  uint32 // in bytes from the start of the request to what was wrong with it, 0 if not told
}

// Error returns the kernel's own words, if there are any, and the errno's text.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Errno.Error()
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Errno.Error())
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// BatchError lists the operations of a batch that failed; all others were done.
type BatchError struct {
	Total  int       // operations in the batch
	Failed []OpError // in the order of the batch
}

// OpError is one failed operation of a batch.
type OpError struct {
	Index int // of the operation in the slice that was given
	Err   error
}

// Error names the first failures and says how many there are.
func (e *BatchError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d operations failed", len(e.Failed), e.Total)
	for i, f := range e.Failed {
		if i == shown {
			b.WriteString(", ...")
			break
		}
		fmt.Fprintf(&b, "%s [%d] %v", map[bool]string{true: ":", false: ","}[i == 0], f.Index, f.Err)
	}
	return b.String()
}

// Unwrap returns the errors of the failed operations.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

var (
	// ErrOverrun is received when the kernel had notifications that found no room
	// in the socket's receive buffer: what is known of the kernel has to be read
	// again. The socket stays usable.
	ErrOverrun = errors.New("notifications lost: receive buffer overrun")

	// ErrInterrupted is a dump that the kernel could not make consistent, because
	// what was read changed meanwhile (NLM_F_DUMP_INTR), several times in a row.
	ErrInterrupted = errors.New("dump interrupted by changes")

	// errMalformed is a message from the kernel that is not as its headers say.
	errMalformed = errors.New("malformed netlink message")
)

// parseError returns the error in the payload of NLMSG_ERROR, or of NLMSG_DONE if
// done is set; nil if there is none, which is an acknowledgement.
func parseError(payload []byte, flags uint16, done bool) error {
	if len(payload) < 4 {
		if done {
			return nil // NLMSG_DONE of an old kind, without a status
		}
		return fmt.Errorf("error message of %d bytes: %w", len(payload), errMalformed)
	}
	code := int32(binary.NativeEndian.Uint32(payload))
	if code >= 0 {
		return nil
	}
	e := &Error{Errno: syscall.Errno(-code)}
	if flags&unix.NLM_F_ACK_TLVS == 0 {
		return e
	}
	// struct nlmsgerr is the code and the header of the request, then the rest of
	// the request unless NLM_F_CAPPED says that it was left out.
	at := 4
	if !done {
		at += unix.NLMSG_HDRLEN
		if flags&unix.NLM_F_CAPPED == 0 {
			at = 4 + align(int(min(uint32At(payload, 4), uint32(len(payload)))))
		}
	}
	for a := attributesAfter(payload, at); a.next(); {
		switch a.typ {
		case unix.NLMSGERR_ATTR_MSG:
			e.Message = a.string()
		case unix.NLMSGERR_ATTR_OFFS:
			e.Offset = a.uint32()
		}
	}
	return e
}

// IsNotExist reports whether err is of a thing that is not there: ENOENT, ESRCH,
// ENODEV, ENXIO or EADDRNOTAVAIL, which the kernel gives depending on the table.
func IsNotExist(err error) bool {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.ESRCH, unix.ENODEV, unix.ENXIO, unix.EADDRNOTAVAIL} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
