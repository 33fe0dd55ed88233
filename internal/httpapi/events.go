package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/event"
)

// streamBuffer is how many bytes go out at once where there are many: some 150
// events or 100 entries.
const streamBuffer = 32 << 10

// getEvents streams events until the caller or the server ends. The header goes
// out at once: what happens after the caller has it is in the stream. A caller
// that does not read holds up nobody; the ring overtakes it and says so.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	reader, err := s.eventReader(r)
	if err != nil {
		return err
	}
	ctx, cancel := waiting(r)
	defer cancel()
	control := http.NewResponseController(w)
	startNDJSON(w)
	// A stream is slow by nature, until the server wants to end.
	_ = control.SetWriteDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { _ = control.SetWriteDeadline(time.Now().Add(grace / 2)) })()
	if err := control.Flush(); err != nil {
		return nil // the caller is gone
	}
	if r.Method == http.MethodHead {
		return nil
	}
	s.stream(ctx, reader, func(b []byte) error {
		if _, err := w.Write(b); err != nil {
			return err
		}
		return control.Flush()
	})
	return nil
}

// eventReader reads from the position that the query names, or from now on.
func (s *Server) eventReader(r *http.Request) (*event.Reader, error) {
	q, err := parameters(r, "since")
	if err != nil {
		return nil, err
	}
	if !q.Has("since") {
		return s.events.Reader(s.events.Last()), nil
	}
	p, err := event.ParsePosition(q.Get("since"))
	if err != nil {
		return nil, fmt.Errorf("since: %v: %w", err, syscall.EINVAL)
	}
	if last := s.events.Last(); p.Instance == s.events.Instance() && p.Seq > last {
		return nil, fmt.Errorf("since: %v: the last event is %d: %w", p, last, syscall.EINVAL)
	}
	return s.events.ReaderSince(p), nil
}

// stream sends batches of what reader has as it comes. When ctx is done it
// sends what is left and returns.
func (s *Server) stream(ctx context.Context, reader *event.Reader, send func([]byte) error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for {
		e, err := reader.Next(ctx)
		more := err == nil
		if !more {
			e, more = reader.TryNext()
		}
		b.Reset()
		for more {
			// Every event has a JSON form, but for years beyond 9999.
			if err := encoder.Encode(s.eventBody(e)); err != nil {
				s.log.Error("API: event has no JSON form", "seq", e.Seq, "error", err)
			}
			if b.Len() >= streamBuffer {
				break
			}
			e, more = reader.TryNext()
		}
		if b.Len() == 0 || send(b.Bytes()) != nil {
			return
		}
	}
}

// eventBody is e in the form of the API.
func (s *Server) eventBody(e event.Event) api.Event {
	if e.Time.IsZero() { // a loss that no event kept dates
		e.Time = time.Now()
	}
	return api.Event{
		Instance: s.events.Instance(), Seq: e.Seq, Time: e.Time, Type: e.Type.String(),
		Interface: e.Interface, IP: e.IP, MAC: api.MAC(e.MAC.String()), OldMAC: api.MAC(e.OldMAC.String()),
		Count: e.Count, Severity: int(e.Severity), Message: e.Message,
	}
}
