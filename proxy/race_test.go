//go:build race

package proxy

// raceEnabled reports whether the race detector is on. It allocates.
const raceEnabled = true
