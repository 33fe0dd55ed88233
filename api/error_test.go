package api_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"
	"testing"

	"github.com/isat-project/isat/api"
)

func TestErrorIsErrno(t *testing.T) {
	var err error = fmt.Errorf("setting: %w", &api.Error{Text: "no such interface", Errno: "ENXIO", Status: 404})
	if !errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENOENT) {
		t.Error("ENXIO is not ENXIO alone")
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno != syscall.ENXIO {
		t.Errorf("as errno: %v", errno)
	}
	if !errors.Is(&api.Error{Errno: "ENOENT"}, fs.ErrNotExist) {
		t.Error("ENOENT is not fs.ErrNotExist")
	}
	if err := (&api.Error{Errno: "EWHATEVER"}).Unwrap(); err != nil {
		t.Errorf("an unknown name wraps %v", err)
	}
	if got := (&api.Error{Status: 502}).Error(); got != "HTTP status 502 Bad Gateway" {
		t.Errorf("an error without text says %q", got)
	}
}

func TestErrnos(t *testing.T) {
	for errno, want := range map[syscall.Errno]struct {
		name   string
		status int
	}{
		syscall.EINVAL:       {"EINVAL", http.StatusBadRequest},
		syscall.EPERM:        {"EPERM", http.StatusForbidden},
		syscall.ENXIO:        {"ENXIO", http.StatusNotFound},
		syscall.EHOSTDOWN:    {"EHOSTDOWN", http.StatusGatewayTimeout},
		syscall.EHOSTUNREACH: {"EHOSTUNREACH", http.StatusGatewayTimeout},
		syscall.EIO:          {"EIO", http.StatusInternalServerError},
	} {
		name, ok := api.ErrnoName(errno)
		if !ok || name != want.name || api.ErrnoStatus(errno) != want.status {
			t.Errorf("%v: name %q, status %d, want %+v", errno, name, api.ErrnoStatus(errno), want)
		}
		if !errors.Is(&api.Error{Errno: name}, errno) {
			t.Errorf("%s does not come back", name)
		}
	}
	if name, ok := api.ErrnoName(syscall.EPIPE); ok || api.ErrnoStatus(syscall.EPIPE) != http.StatusInternalServerError {
		t.Errorf("EPIPE, not in use, is %q", name)
	}
}
