package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
)

// maxProbe bounds the addresses of one request. As many go into a body of maxBody,
// and take some 75 s.
const maxProbe = 50_000

// postProbe tells of each address on a line of its own, as it becomes known. What
// fails before the first is an answer like any other; what fails later is the last
// line.
func (s *Server) postProbe(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	var q api.ProbeRequest
	err := decodeBody(w, r, append(onInterface(&q.Interface, &q.IPs), field{"fast", &q.Fast, wantBool, false})...)
	if errors.Is(err, syscall.EMSGSIZE) || len(q.IPs) > maxProbe {
		return fmt.Errorf("more than %d addresses at once: %w", maxProbe, syscall.EMSGSIZE)
	}
	if err == nil {
		err = checkOnInterface(q.Interface, q.IPs)
	}
	if err != nil {
		return err
	}
	ctx, cancel := waiting(r)
	defer cancel()
	out := &lineWriter{w: w, control: http.NewResponseController(w), gone: cancel}
	err = s.backend.Probe(ctx, q, func(p api.Probed) { out.write(p) })
	switch {
	case err != nil && context.Cause(ctx) == errStopping:
		err = errStopping
	case err != nil && ctx.Err() != nil:
		return nil // the caller is gone
	}
	if err == nil || !out.started {
		return err
	}
	out.write(errorBody(err))
	return nil
}

// lineWriter writes an answer that is a value a line.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	gone    func() // called when a line could not be written
	started bool   // the header is sent
	failed  bool
}

// write sends v at once. The header goes before the first line.
func (l *lineWriter) write(v any) {
	if l.failed {
		return
	}
	if !l.started {
		startNDJSON(l.w)
		l.started = true
	}
	// Each line has its time to be read. The writer of a test has no deadlines.
	_ = l.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	e := json.NewEncoder(l.w)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	if err == nil {
		err = l.control.Flush()
	}
	if err != nil {
		l.failed = true
		l.gone()
	}
}

// startNDJSON sends the header of an answer that is a JSON value a line.
func startNDJSON(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
}
