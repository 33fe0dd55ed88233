// Package unixsocket listens at Unix sockets in the file system: it replaces the
// socket that a killed process left, respects that of a living one, and removes
// its own and no other.
package unixsocket

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

// MaxPath is the longest path of a Unix socket on Linux, in bytes: sun_path has
// 108, the last of them 0 (unix(7)).
const MaxPath = 107

// dialTimeout bounds the question whether a socket is alive. A Unix socket
// answers at once unless its backlog is full, which means that it is alive.
const dialTimeout = time.Second

// Listener is a listener that removes its own file, and no other, when closed.
type Listener struct {
	*net.UnixListener
	path string
	made fs.FileInfo
}

// Listen makes the socket at path with the mode, and its directory with mode 0755
// if there is none. The network is "unix" or "unixpacket". A socket there that
// nobody listens at is replaced; one that somebody does listen at is an error that
// wraps EADDRINUSE, and anything else there one that wraps EEXIST.
//
// Two who call Listen at once may both find the same dead socket.
func Listen(network, path string, mode fs.FileMode) (*Listener, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("listening at %s: the path has %d bytes, the system takes %d: %w", path, len(path), MaxPath, syscall.EINVAL)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the socket: %w", err)
	}
	if err := removeStale(network, path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(path, mode)
	var made fs.FileInfo
	if err == nil {
		made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("setting the mode of the socket: %w", err), l.Close(), os.Remove(path))
	}
	return &Listener{UnixListener: l, path: path, made: made}, nil
}

// removeStale removes the socket of a process that is gone.
func removeStale(network, path string) error {
	found, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking for an old socket: %w", err)
	case found.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and no socket; remove it or name another path: %w", path, syscall.EEXIST)
	}
	c, err := net.DialTimeout(network, path, dialTimeout)
	switch {
	case err == nil:
		c.Close()
		return alive(path)
	case errors.Is(err, syscall.EPROTOTYPE), errors.Is(err, syscall.EAGAIN): // of another network; or its backlog is full
		return alive(path)
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing an old socket: %w", err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist): // it went meanwhile
		return nil
	}
	return fmt.Errorf("asking whether somebody listens at %s: %w", path, err)
}

// alive is the error of a path where somebody listens.
func alive(path string) error {
	return fmt.Errorf("somebody listens at %s; stop that or name another path: %w", path, syscall.EADDRINUSE)
}

// Close removes the socket if it is still this one, and closes the listener.
func (l *Listener) Close() error {
	// Removed first: from then on nobody new finds it.
	var removed error
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
		removed = os.Remove(l.path)
	}
	return errors.Join(l.UnixListener.Close(), removed)
}
