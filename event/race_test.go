//go:build race

package event

// raceEnabled: the race detector allocates, so that allocations say nothing.
const raceEnabled = true
