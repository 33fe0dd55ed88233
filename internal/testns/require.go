// Package testns runs tests in network namespaces of their own, so that they
// neither need nor touch the interfaces of the machine.
//
// It also holds the one rule for tests that a machine may be unable to run: they
// are skipped with the reason printed, unless ISAT_REQUIRE_E2E=1 is in the
// environment, as it is in continuous integration: then they fail.
package testns

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Missing ends the test because the machine lacks what the test needs: skipped
// with the reason, or failed if ISAT_REQUIRE_E2E=1.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if os.Getenv("ISAT_REQUIRE_E2E") == "1" {
		t.Fatalf("ISAT_REQUIRE_E2E=1, but %s", reason)
	}
	t.Skip(reason)
}

// Program returns the path of an installed program, or ends the test with
// [Missing].
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "there is no %s: %v", name, err)
	}
	return path
}
