//go:build race

package host

// raceEnabled: the race detector allocates, so that allocations say nothing.
const raceEnabled = true
