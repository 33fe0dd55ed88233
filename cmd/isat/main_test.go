package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// asProgram in the environment makes this test binary isat itself.
const asProgram = "ISAT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // exits
	}
	os.Exit(m.Run())
}

// TestCalledAsArp runs the program through links of several names: by that of arp
// it is arp(8), with arp's messages and exit status.
func TestCalledAsArp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making symbolic links needs a privilege on Windows")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tt := range []struct {
		name   string
		status int
		stderr string // how it begins
	}{
		{"arp", 1, "arp: connecting to " + filepath.Join(dir, "none") + ": "},
		{"isat", 2, "isat: reading the command line: unknown flag -a"},
		{"arpx", 2, "isat: reading the command line: unknown flag -a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			link := filepath.Join(dir, tt.name)
			if err := os.Symlink(self, link); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(link, "-an")
			cmd.Env = append(os.Environ(), asProgram+"=1", "ISAT_SOCKET="+filepath.Join(dir, "none"))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.Output()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != tt.status || len(stdout) > 0 || !strings.HasPrefix(stderr.String(), tt.stderr) {
				t.Errorf("%v, stdout %q, stderr %q, want exit status %d and stderr %q", err, stdout, stderr.String(), tt.status, tt.stderr)
			}
		})
	}
}
