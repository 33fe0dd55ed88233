//go:build linux

package record

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestModes(t *testing.T) {
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	dir := filepath.Join(t.TempDir(), "run", "isat")
	put(t, store(t, dir, here), setting("3", "0"))
	for name, want := range map[string]fs.FileMode{
		"":                  fs.ModeDir | 0o755,
		"records.json":      0o600,
		"records.json.lock": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %q is %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestDirectoryThatExistsKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	store(t, dir, here)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestDamagedFileIsLeftAsItIs(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"empty", "", "EOF"},
		{"cut off", `{"version":1,"list":[{"kind":"conf","ol`, "unexpected EOF"},
		{"no JSON", "old = 3\n", "invalid character"},
		{"wrong type", `{"version":1,"list":[{"index":"eth0"}]}`, "index"},
		{"unknown field", `{"version":1,"list":[{"value":"3"}]}`, "value"},
		{"more after it", `{"version":1,"list":[]}{}`, "more after the end"},
		{"newer", `{"version":2,"list":[]}`, "version 2"},
		{"no version", `{"list":[]}`, "version 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := store(t, t.TempDir(), here)
			if err := os.WriteFile(s.file.path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, listed := s.List()
			_, restored := s.Restore(t.Context(), &host{}, nil)
			for name, err := range map[string]error{
				"List": listed, "Restore": restored, "Put": s.Put(setting("3", "0")),
				"Remove": s.Remove(func(Record) bool { return true }),
			} {
				var damaged *DamagedError
				if !errors.As(err, &damaged) || damaged.Path != s.file.path {
					t.Errorf("%s: %v, want a DamagedError of %s", name, err, s.file.path)
					continue
				}
				for _, part := range []string{test.want, "mv " + s.file.path} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %q does not say %q", name, err, part)
					}
				}
			}
			if got, err := os.ReadFile(s.file.path); err != nil || string(got) != test.content {
				t.Errorf("the file is now %q, %v", got, err)
			}
		})
	}
}

func TestNothingIsWrittenAfterAnError(t *testing.T) {
	s := store(t, t.TempDir(), here)
	put(t, s, setting("3", "0"))
	// Something that cannot be opened for writing stands where the new file goes.
	if err := os.Mkdir(s.file.path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(setting("0", "1")); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("Put: %v, want EISDIR", err)
	}
	if got := values(t, s); len(got) != 1 || got[0] != "app_probes 3 0 0" {
		t.Errorf("records %q", got)
	}
}
