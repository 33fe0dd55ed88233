package httpapi

import (
	"net"

	"github.com/isat-project/isat/internal/unixsocket"
)

// socketMode lets everybody connect: who may do what is decided by credentials
// (INTERFACES section 5).
const socketMode = 0o666

// Listen makes the Unix socket at path, and its directory with mode 0755 if there
// is none, by the rules of [unixsocket.Listen]. Two who call it at once may both
// find the same dead socket; the daemon holds its lock first.
func Listen(path string) (net.Listener, error) {
	l, err := unixsocket.Listen("unix", path, socketMode)
	if err != nil {
		return nil, err
	}
	return l, nil
}
