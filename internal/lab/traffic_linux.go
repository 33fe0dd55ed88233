package lab

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
)

// pingGrace is how long a reply may take after the last request.
const pingGrace = 3 * time.Second

// runningPing is a ping in the background.
type runningPing struct {
	pinger *probe.Pinger
	stop   context.CancelFunc
	done   chan error
}

// startPing pings to from a host at an interval until stopped.
func startPing(ctx context.Context, from *lan.Host, to netip.Addr, interval time.Duration) (*runningPing, error) {
	p, err := probe.NewPinger(from.NS, to)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &runningPing{pinger: p, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- p.Run(ctx, interval, pingGrace) }()
	return r, nil
}

// end stops the ping, waits for replies under way and returns all requests. It
// may be called again, to no effect.
func (r *runningPing) end() (echoes, error) {
	r.stop()
	err := <-r.done
	r.done <- nil
	return r.pinger.Echoes(), errors.Join(err, r.pinger.Close())
}

// discard ends a ping whose outcome nobody wants any more.
func (r *runningPing) discard() {
	r.stop()
	r.pinger.Close()
	<-r.done
	r.done <- nil
}

// echoes are the requests of a ping.
type echoes []probe.Echo

// lost counts the requests without a reply.
func (e echoes) lost() (n int) {
	for _, echo := range e {
		if !echo.Answered() {
			n++
		}
	}
	return n
}

// runningStream is a TCP stream in the background.
type runningStream struct {
	stream *probe.Stream
	stop   context.CancelFunc
	done   chan error
}

// startStream connects two hosts and sends a message at an interval until
// stopped.
func startStream(ctx context.Context, from, to *lan.Host, interval time.Duration) (*runningStream, error) {
	connect, cancel := context.WithTimeout(ctx, defaultPatience)
	defer cancel()
	s, err := probe.NewStream(connect, from.NS, to.NS, to.IP())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &runningStream{stream: s, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx, interval) }()
	return r, nil
}

// end stops the stream and returns what it did. It may be called again, to no
// effect.
func (r *runningStream) end() (probe.Progress, error) {
	progress, err := r.stream.Progress()
	r.stop()
	err = errors.Join(err, <-r.done)
	r.done <- nil
	return progress, errors.Join(err, r.stream.Close())
}
