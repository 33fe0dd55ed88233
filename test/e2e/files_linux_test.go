package e2e

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Files are directories that some programs see in place of the machine's own, so
// that they neither find nor leave anything there. What is below them is shared
// with the test.
type Files struct {
	t    testing.TB
	dir  string
	tops []string
}

// NewFiles makes empty directories with the given absolute paths, which the machine
// must have, too.
func NewFiles(t testing.TB, tops ...string) *Files {
	t.Helper()
	// Not t.TempDir: the path of a Unix socket has room for 107 bytes.
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &Files{t: t, dir: dir, tops: tops}
	for _, top := range tops {
		if err := os.MkdirAll(f.Outside(top), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// Outside returns where the test finds a path of the programs.
func (f *Files) Outside(path string) string { return filepath.Join(f.dir, path) }

// Write writes a file.
func (f *Files) Write(path, text string) {
	f.t.Helper()
	err := os.MkdirAll(filepath.Dir(f.Outside(path)), 0o755)
	if err == nil {
		err = os.WriteFile(f.Outside(path), []byte(text), 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// Own gives a directory and all below it to a user.
func (f *Files) Own(path, name string) {
	f.t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		f.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(u.Gid)
	err = filepath.WalkDir(f.Outside(path), func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, uid, gid))
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// StartWith is Start of a program that sees f, and /sys as containers do: with the
// interfaces of the host's own namespace, and not to be written. Programs take that
// as a sign that no udev is coming to tell them of interfaces.
func (h *Host) StartWith(f *Files, args ...string) *Process {
	h.t.Helper()
	need(h.t, "unshare", "mount")
	script := []string{"set -e", "mount -t sysfs -o ro sysfs /sys"}
	for _, top := range f.tops {
		script = append(script, "mount --bind "+f.Outside(top)+" "+top)
	}
	script = append(script, `exec "$@"`)
	// unshare and sh become the program, so that signals reach it.
	return h.Start(append([]string{"unshare", "--mount", "--uts", "sh", "-c", strings.Join(script, "\n"), "sh"}, args...)...)
}

// awaitSaid waits until a program has written a text.
func awaitSaid(t testing.TB, p *Process, text string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%v wrote:\n%s", p.cmd.Args, p.Output())
		}
	}()
	await(t, "it says "+text, func() bool {
		select {
		case <-p.Done():
			t.Fatalf("%v has ended", p.cmd.Args)
		default:
		}
		return strings.Contains(p.Output(), text)
	})
}
