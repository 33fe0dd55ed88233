package cable

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/isat-project/isat/internal/unixsocket"
)

const (
	// MaxPorts is how many ports a hub takes: as many as ARCnet has addresses.
	MaxPorts = 255

	// socketMode lets only its user join: who joins hears and says everything.
	socketMode = 0o600

	// acceptRetry is how long the hub waits when it cannot take a new port, because
	// this process has no file descriptor left.
	acceptRetry = 100 * time.Millisecond

	// batch is how many frames of one port are passed on before those of another.
	batch = 64
)

// Hub passes every frame of a port to all other ports. Its methods are safe for
// concurrent use.
type Hub struct {
	listener *unixsocket.Listener

	// mu guards what follows. Frames are passed on under it, which never waits, so
	// that their order is the same for all ports and taps.
	mu    sync.Mutex
	ports []*conn
	taps  []func(time.Time, []byte)
	stats Stats
}

// Stats counts what became of frames and ports.
type Stats struct {
	Ports   int    // that are there now
	Refused uint64 // ports beyond MaxPorts
	Frames  uint64 // that came in
	TooLong uint64 // that came in, longer than MaxFrame, and were thrown away
	Lost    uint64 // that did not reach a port, counted for each, because its queue was full
}

// Listen makes a hub with a socket at path that only this user can plug into; who
// else may is decided by chmod(1) and the directory. A socket there that nobody
// listens at is replaced; one that somebody does listen at is an error that wraps
// EADDRINUSE, and anything else there one that wraps EEXIST.
func Listen(path string) (*Hub, error) {
	l, err := unixsocket.Listen(network, path, socketMode)
	if err != nil {
		return nil, fmt.Errorf("making a cable: %w", err)
	}
	return &Hub{listener: l}, nil
}

// Tap has f called with every frame that comes in, at that moment. Calls are in
// order and never concurrent. f must not keep the frame, change it, nor call the
// hub; while it blocks all ports wait.
func (h *Hub) Tap(f func(now time.Time, frame []byte)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taps = append(h.taps, f)
}

// Stats returns the counters.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Ports = len(h.ports)
	return s
}

// Close removes the socket and ends Run.
func (h *Hub) Close() error {
	if err := h.listener.Close(); err != nil {
		return fmt.Errorf("closing a cable: %w", err)
	}
	return nil
}

// Run takes ports and passes their frames on until ctx is done or the hub is
// closed. It returns when all ports are disconnected and the socket is gone.
func (h *Hub) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	defer h.disconnect()
	defer context.AfterFunc(ctx, func() { h.listener.Close() })()
	for {
		u, err := h.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(acceptRetry):
			}
			continue
		}
		c, err := newConn(u)
		if err != nil {
			h.listener.Close()
			return err
		}
		if !h.join(c) {
			c.close()
			continue
		}
		readers.Go(func() { h.serve(c) })
	}
}

// join takes a port, if there is room.
func (h *Hub) join(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ports) == MaxPorts {
		h.stats.Refused++
		return false
	}
	h.ports = append(h.ports, c)
	return true
}

// leave forgets a port.
func (h *Hub) leave(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ports = slices.DeleteFunc(h.ports, func(other *conn) bool { return other == c })
	c.close()
}

// disconnect closes all ports, which ends their readers.
func (h *Hub) disconnect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.ports {
		c.close()
	}
}

// serve passes the frames of a port on until the port is gone.
func (h *Hub) serve(c *conn) {
	defer h.leave(c)
	frames := make([][]byte, batch)
	for {
		n, long, err := c.read(frames)
		if err != nil {
			return
		}
		h.pass(c, frames[:n], long)
	}
}

// pass gives frames to the taps and to all ports but the one they came from.
func (h *Hub) pass(from *conn, frames [][]byte, long bool) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if long {
		h.stats.TooLong++
	}
	for _, frame := range frames {
		h.stats.Frames++
		for _, tap := range h.taps {
			tap(now, frame)
		}
		for _, to := range h.ports {
			if to == from {
				continue
			}
			// An error is of a port that is going: its reader finds it too.
			if sent, err := to.write(frame); !sent && err == nil {
				h.stats.Lost++
			}
		}
	}
}
