//go:build !linux

package testns

import (
	"runtime"
	"testing"
)

// Require ends the test with [Missing]: there are network namespaces on Linux
// only.
func Require(t testing.TB) {
	t.Helper()
	Missing(t, "network namespaces need Linux, this is %s", runtime.GOOS)
}
