package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Probe asks the network of the interface whether addresses are free, and calls
// found for each as it becomes known, one at a time. It takes some seconds; after
// nil found was called for every address. syscall.ENXIO: the interface is not taken
// over; syscall.ENETDOWN: it has no link, or lost it meanwhile; syscall.EINVAL: an
// address is none of a host, or in the request twice; syscall.EMSGSIZE: there are
// too many. An error of found ends it and is returned.
func (c *Client) Probe(ctx context.Context, q ProbeRequest, found func(Probed) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the daemon stops probing when the connection ends
	answer, err := c.send(ctx, http.MethodPost, "/v1/probe", nil, q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	decoder := json.NewDecoder(answer.Body)
	for n := 0; ; n++ {
		// A line has an address or, the last one, an error.
		var line struct {
			Probed
			Text  string `json:"error"`
			Errno string `json:"errno"`
		}
		switch err := decoder.Decode(&line); {
		case err == io.EOF && n >= len(q.IPs):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("probing: %w", ctx.Err())
		case err == io.EOF:
			return fmt.Errorf("probing: the daemon told of %d addresses of %d: %w", n, len(q.IPs), io.ErrUnexpectedEOF)
		case err != nil:
			return fmt.Errorf("reading the answer to POST /v1/probe: %w", err)
		case line.Errno != "":
			return &Error{Text: line.Text, Errno: line.Errno, Status: answer.StatusCode}
		}
		if err := found(line.Probed); err != nil {
			return err
		}
	}
}
