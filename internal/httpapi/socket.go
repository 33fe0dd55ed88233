package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxPath is the longest path of a Unix socket on Linux: sun_path has 108 bytes,
// the last of them 0 (unix(7)).
const maxPath = 107

// dialTimeout bounds the question whether a socket is alive. A Unix socket
// answers at once unless its backlog is full, which means that it is alive.
const dialTimeout = time.Second

// Listen makes the Unix socket at path, with mode 0666, since who may do what is
// decided by credentials, and its directory with mode 0755 if there is none. A
// socket there that nobody listens at is replaced; one that somebody does listen
// at is an error that wraps EADDRINUSE, and anything else there one that wraps
// EEXIST. Closing the listener removes the socket if it is still this one.
//
// Two who call Listen at once may both find the same dead socket; the daemon
// holds its lock first.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("listening at %s: the path has %d bytes, the system takes %d: %w", path, len(path), maxPath, syscall.EINVAL)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(false)
	// Until here the umask may have kept others out, never let them in.
	err = os.Chmod(path, 0o666)
	var made fs.FileInfo
	if err == nil {
		made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the socket to all: %w", err), u.Close(), os.Remove(path))
	}
	return &socket{UnixListener: u, path: path, made: made}, nil
}

// removeStale removes the socket of a daemon that is gone.
func removeStale(path string) error {
	found, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking for an old socket: %w", err)
	case found.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and no socket; remove it or name another path: %w", path, syscall.EEXIST)
	}
	c, err := net.DialTimeout("unix", path, dialTimeout)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("another daemon listens at %s; stop it or name another path: %w", path, syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing an old socket: %w", err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist): // it went meanwhile
		return nil
	}
	return fmt.Errorf("asking whether another daemon listens: %w", err)
}

// socket is a listener that removes its own file, and no other, when closed.
type socket struct {
	*net.UnixListener
	path string
	made fs.FileInfo
}

// Close implements [net.Listener].
func (s *socket) Close() error {
	// Removed first: from then on nobody new finds it.
	var removed error
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		removed = os.Remove(s.path)
	}
	return errors.Join(s.UnixListener.Close(), removed)
}
