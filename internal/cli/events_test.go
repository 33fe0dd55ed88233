package cli

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// cancelWriter cancels on the first write, as a user does who has seen enough.
type cancelWriter struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (w *cancelWriter) Write(p []byte) (int, error) {
	w.cancel()
	return w.Buffer.Write(p)
}

// Following ends by an interrupt, and that is no failure.
func TestEventsInterrupted(t *testing.T) {
	defer goleak.VerifyNone(t)
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := newFakeDaemon()
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	defer func() { server.Close(); <-served }()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stderr bytes.Buffer
	out := &cancelWriter{cancel: cancel}
	args := []string{"isat", "--socket", socket, "events", "--since", "abc:3"}
	if status := Main(ctx, Programs{}, args, nil, out, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d, %s", status, stderr.String())
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, " link_down on eth0\n") {
		t.Errorf("stdout %q, want the one event", got)
	}
}
