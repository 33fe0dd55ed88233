//go:build race

package e2e

// raceEnabled says that the daemon is to be built with the race detector, because
// the tests are.
const raceEnabled = true
