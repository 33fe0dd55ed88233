package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// Events follows the event stream from since on, or from now on if that is the
// zero [Position]. When it returns the stream is running: what happens from then
// on will be seen. It ends with its context or with [EventStream.Close].
func (c *Client) Events(ctx context.Context, since Position) (*EventStream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	answer, err := c.send(ctx, http.MethodGet, "/v1/events", query("since", since.String()), nil)
	if err != nil {
		cancel(err)
		return nil, err
	}
	return &EventStream{ctx: ctx, cancel: cancel, body: answer.Body, decoder: json.NewDecoder(answer.Body)}, nil
}

// EventStream is a running event stream. One goroutine reads it; Close may be
// called from any.
type EventStream struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	body    io.Closer
	decoder *json.Decoder
}

// Next waits for an event. It returns [io.EOF] after Close and when the daemon
// ends the stream because it stops, and the context's error once that is done.
// After an error there are no more events.
func (s *EventStream) Next() (Event, error) {
	var e Event
	err := s.decoder.Decode(&e)
	switch {
	case err == nil:
		return e, nil
	case errors.Is(context.Cause(s.ctx), errClosed), err == io.EOF:
		return Event{}, io.EOF
	case s.ctx.Err() != nil:
		return Event{}, s.ctx.Err()
	}
	return Event{}, fmt.Errorf("reading events: %w", err)
}

// errClosed is the cause of a stream that its reader closed.
var errClosed = errors.New("event stream closed")

// Close ends the stream and wakes Next. It may be called more than once.
func (s *EventStream) Close() error {
	s.cancel(errClosed)
	return s.body.Close()
}

// All returns the events to come. The sequence ends where Next has [io.EOF]; any
// other error is its last pair. Leaving the loop closes the stream.
func (s *EventStream) All() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		defer s.Close()
		for {
			e, err := s.Next()
			if err == io.EOF || !yield(e, err) || err != nil {
				return
			}
		}
	}
}
