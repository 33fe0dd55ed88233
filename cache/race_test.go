//go:build race

package cache

// raceEnabled: the race detector allocates, so that allocations say nothing.
const raceEnabled = true
