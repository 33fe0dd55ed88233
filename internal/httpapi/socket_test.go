package httpapi

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestListenModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "isat")
	path := filepath.Join(dir, "isat.sock")
	l, err := Listen(path)
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

func TestServeClosesSocket(t *testing.T) {
	r := start(t, root)
	r.do(t, "GET", "/v1/arp", "")
	r.stop()
	if _, err := os.Lstat(r.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Serve: %v", err)
	}
}
