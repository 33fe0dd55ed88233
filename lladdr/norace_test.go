//go:build !race

package lladdr

// raceEnabled: the race detector allocates, so that allocations say nothing.
const raceEnabled = false
