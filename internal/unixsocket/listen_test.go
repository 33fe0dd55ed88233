package unixsocket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// listen listens with the mode of a socket that is open to all.
func listen(path string) (*Listener, error) { return Listen("unix", path, 0o666) }

func TestListenModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "isat")
	path := filepath.Join(dir, "isat.sock")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o755, path: fs.ModeSocket | 0o666} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestListenAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := listen(path); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second listener: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the first socket is gone: %v", err)
	}
}

func TestListenStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	old.Close() // as SIGKILL leaves it
	l, err := listen(path)
	if err != nil {
		t.Fatalf("over a dead socket: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenNoSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file: %q, %v", b, err)
	}
	if _, err := listen(filepath.Join(path, "s")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
	if _, err := listen("/tmp/" + strings.Repeat("x", MaxPath)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a long path: %v", err)
	}
}

// Whoever replaced the socket keeps it.
func TestCloseLeavesForeignSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	// Moved and not removed, so that the second gets another inode for sure.
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	second, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the second socket: %v", err)
	} else {
		c.Close()
	}
}

// A socket of another network with somebody behind it is alive too. What a dead
// one was of does not matter.
func TestListenOtherNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stream, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unixpacket", path, 0o600); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("over a living socket of streams: %v", err)
	}
	stream.UnixListener.Close() // the file stays
	packets, err := Listen("unixpacket", path, 0o600)
	if err != nil {
		t.Fatalf("over a dead socket of streams: %v", err)
	}
	defer packets.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
