package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
)

// errShutdown is the errno of a server that stops.
const errShutdown = syscall.ESHUTDOWN

// writeJSON sends v with a status. Nothing is sent if v has no JSON form.
func (s *Server) writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // this is not for web pages, and < stands in diagnostics
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	startJSON(w, b.Len())
	w.WriteHeader(status)
	w.Write(b.Bytes()) // an error means the caller is gone
	return nil
}

// startJSON sets the header of a JSON answer; the length is unknown if negative.
func startJSON(w http.ResponseWriter, length int) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if length >= 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	// From now on the time of the caller counts, not ours. The writer of a test
	// has no deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
}

// writeError sends err as an api.Error with the status that its errno has.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errorBody(err)
	if e.Status == http.StatusInternalServerError {
		s.log.Error("API: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if err := s.writeJSON(w, e.Status, e); err != nil {
		s.log.Error("API: no answer", "error", err) // an api.Error always has a JSON form
	}
}

// errorBody finds errno and status of an error.
func errorBody(err error) *api.Error {
	var route *routeError
	if errors.As(err, &route) {
		name := "ENOENT"
		if route.status == http.StatusMethodNotAllowed {
			name = "EOPNOTSUPP"
		}
		return &api.Error{Text: route.text, Errno: name, Status: route.status}
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = syscall.EIO
		if errors.Is(err, context.Canceled) { // the caller is gone and will not read it
			errno = errShutdown
		}
	}
	name, ok := api.ErrnoName(errno)
	if !ok {
		name = "EIO"
	}
	return &api.Error{Text: err.Error(), Errno: name, Status: api.ErrnoStatus(errno)}
}

// list returns v, or an empty list for nil, which JSON would call null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
