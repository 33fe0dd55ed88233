package api

import (
	"fmt"
	"net/http"
	"syscall"
)

// Error is a failed request: the body of every answer with a status of 400 and
// above. It wraps the [syscall.Errno] that Errno names, so that
// errors.Is(err, syscall.ENXIO) tells one from another.
type Error struct {
	Text   string `json:"error"` // what failed and why
	Errno  string `json:"errno"` // the name of the errno, such as "ENXIO"
	Status int    `json:"-"`     // the HTTP status
}

// Error implements error with the text of the daemon.
func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("HTTP status %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Text
}

// Unwrap returns the [syscall.Errno] of this system that Errno names, nil if
// that is none of those the API uses.
func (e *Error) Unwrap() error {
	for _, n := range errnos {
		if n.name == e.Errno {
			return n.errno
		}
	}
	return nil
}

// ErrnoName returns the name of errno in the API, and false if the API does not
// use it.
func ErrnoName(errno syscall.Errno) (string, bool) {
	for _, n := range errnos {
		if n.errno == errno {
			return n.name, true
		}
	}
	return "", false
}

// errnos are the errors the API tells apart, and with which status. Numbers
// differ between systems, so names are what is sent.
var errnos = []struct {
	name   string
	errno  syscall.Errno
	status int
}{
	{"EINVAL", syscall.EINVAL, http.StatusBadRequest},
	{"ERANGE", syscall.ERANGE, http.StatusBadRequest},
	{"EAFNOSUPPORT", syscall.EAFNOSUPPORT, http.StatusBadRequest},
	{"EADDRNOTAVAIL", syscall.EADDRNOTAVAIL, http.StatusBadRequest},
	{"EMSGSIZE", syscall.EMSGSIZE, http.StatusRequestEntityTooLarge},
	{"EPERM", syscall.EPERM, http.StatusForbidden},
	{"EACCES", syscall.EACCES, http.StatusForbidden},
	{"ENOENT", syscall.ENOENT, http.StatusNotFound},
	{"ENXIO", syscall.ENXIO, http.StatusNotFound},
	{"ENODEV", syscall.ENODEV, http.StatusNotFound},
	{"ESRCH", syscall.ESRCH, http.StatusNotFound},
	{"ENETUNREACH", syscall.ENETUNREACH, http.StatusNotFound},
	{"EEXIST", syscall.EEXIST, http.StatusConflict},
	{"EBUSY", syscall.EBUSY, http.StatusConflict},
	{"EADDRINUSE", syscall.EADDRINUSE, http.StatusConflict},
	{"EALREADY", syscall.EALREADY, http.StatusConflict},
	{"ENETDOWN", syscall.ENETDOWN, http.StatusConflict},
	{"ENOSYS", syscall.ENOSYS, http.StatusNotImplemented},
	{"EOPNOTSUPP", syscall.EOPNOTSUPP, http.StatusNotImplemented},
	{"EAGAIN", syscall.EAGAIN, http.StatusServiceUnavailable},
	{"ENOMEM", syscall.ENOMEM, http.StatusServiceUnavailable},
	{"ENOBUFS", syscall.ENOBUFS, http.StatusServiceUnavailable},
	{"ENOSPC", syscall.ENOSPC, http.StatusServiceUnavailable},
	{"ESHUTDOWN", syscall.ESHUTDOWN, http.StatusServiceUnavailable},
	{"EHOSTDOWN", syscall.EHOSTDOWN, http.StatusGatewayTimeout},
	{"EHOSTUNREACH", syscall.EHOSTUNREACH, http.StatusGatewayTimeout},
	{"ETIMEDOUT", syscall.ETIMEDOUT, http.StatusGatewayTimeout},
	{"EIO", syscall.EIO, http.StatusInternalServerError},
}

// ErrnoStatus returns the HTTP status that goes with errno, 500 for one that the
// API does not use.
func ErrnoStatus(errno syscall.Errno) int {
	for _, n := range errnos {
		if n.errno == errno {
			return n.status
		}
	}
	return http.StatusInternalServerError
}
