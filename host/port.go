package host

import (
	"errors"
	"net"
	"time"
)

// Port is the link side of an interface. Its frames are whole, link header
// included.
type Port interface {
	// ReadFrames waits until there is a frame at least, fills frames with as many
	// as are there, at most len(frames), and returns how many. They belong to the
	// port and are valid until the next call. There is one reader. After Close the
	// error wraps [net.ErrClosed].
	ReadFrames(frames [][]byte) (int, error)
	// WriteFrames sends frames in order as far as there is room, without waiting
	// for it, and returns how many it took. It keeps none of them. It is safe for
	// concurrent use with itself and with ReadFrames.
	WriteFrames(frames [][]byte) (int, error)
	Close() error
}

const (
	// readBatch is how many frames are handled under one lock at the most.
	readBatch = 64
	// readRetry is how long a reader waits after an error of its port, such as
	// that of an interface that is down.
	readRetry = 100 * time.Millisecond
)

// startReader starts the goroutine that reads the port of ifc, if the host runs.
func (h *Host) startReader(ifc *Interface) {
	if h.running == nil || h.ended || ifc.detached {
		return
	}
	h.readers.Go(func() { h.read(ifc) })
}

// read hands the frames of a port to the host until the port is closed.
func (h *Host) read(ifc *Interface) {
	frames := make([][]byte, readBatch)
	for {
		n, err := ifc.port.ReadFrames(frames)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-h.running.Done():
				return
			case <-ifc.closed:
				return
			case <-time.After(readRetry):
			}
		}
		if n > 0 {
			h.input(ifc, frames[:n])
		}
	}
}

// input handles frames that came in on an interface.
func (h *Host) input(ifc *Interface, frames [][]byte) {
	now := time.Now()
	h.mu.Lock()
	for _, frame := range frames {
		if ifc.detached {
			break
		}
		h.inputFrame(now, ifc, frame)
	}
	h.unlock()
}

// Input handles one frame as if the port had given it. It is for programs that
// have frames from elsewhere; it does not keep frame.
func (i *Interface) Input(frame []byte) { i.host.input(i, [][]byte{frame}) }
