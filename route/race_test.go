//go:build race

package route

// raceEnabled reports whether the race detector is on. It allocates.
const raceEnabled = true
