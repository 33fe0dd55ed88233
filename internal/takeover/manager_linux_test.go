package takeover

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isat-project/isat/internal/testns"
)

// TestOpenWithoutRuntimeDir fails for want of a directory, and leaves nothing
// open: the next one gets the lock.
func TestOpenWithoutRuntimeDir(t *testing.T) {
	testns.Run(t, func() {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		o := Options{RuntimeDir: filepath.Join(file, "run"), Log: slog.New(slog.DiscardHandler)}
		if m, err := Open(o); err == nil || m != nil || !strings.Contains(err.Error(), file) {
			t.Fatalf("opened %v, error %v; want one that names %s", m, err, file)
		}
		o.RuntimeDir = t.TempDir()
		m, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}
