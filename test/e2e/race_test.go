//go:build race

package e2e

// raceEnabled says that the daemon is to be built with the race detector, because
// the tests are.
const raceEnabled = true

// scanRate is how many packets a second a scan sends. The race detector makes the
// daemon ten times as slow, and speed is judged without it.
const scanRate = 500
