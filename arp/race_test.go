//go:build race

package arp

// raceEnabled: the race detector allocates, so that allocations say nothing.
const raceEnabled = true
