//go:build race

package acd

// raceEnabled: the race detector allocates, so that allocations say nothing.
const raceEnabled = true
