package segment

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Conditions are what a segment does to frames, for each receiver of a frame
// independently. The zero Conditions deliver every frame once, at once and in
// order: it is in the queue of its receivers when WriteFrames returns.
type Conditions struct {
	Loss      float64 // probability, 0 to 1, that a frame is not delivered
	Duplicate float64 // probability, 0 to 1, that it is delivered twice
	// Reorder is the probability, 0 to 1, that a frame waits until the next frame
	// to the same receiver has overtaken it, 10 ms at most.
	Reorder float64
	// Delay is the time a frame takes, and Jitter the longest time that is added
	// to it, evenly distributed. Frames that follow each other within Jitter may
	// change their order.
	Delay, Jitter time.Duration
}

// overtakeLimit is how long a frame waits to be overtaken. Without a limit the
// last frame of an exchange would never arrive, which is loss, not disorder.
const overtakeLimit = 10 * time.Millisecond

// check panics if c is out of range: conditions are constants of a test.
func (c Conditions) check() {
	for _, p := range []float64{c.Loss, c.Duplicate, c.Reorder} {
		if !(p >= 0 && p <= 1) { // so that NaN is refused too
			panic(fmt.Sprintf("segment: probability %v is not between 0 and 1", p))
		}
	}
	if c.Delay < 0 || c.Jitter < 0 {
		panic(fmt.Sprintf("segment: delay of %v with jitter of %v", c.Delay, c.Jitter))
	}
}

// copies draws how often a frame is delivered: 0, 1 or 2 times.
func (c Conditions) copies(r *rand.Rand) int {
	switch {
	case chance(r, c.Loss):
		return 0
	case chance(r, c.Duplicate):
		return 2
	}
	return 1
}

// draw draws how long a copy takes and whether it has to be overtaken.
func (c Conditions) draw(r *rand.Rand) (delay time.Duration, overtaken bool) {
	delay = c.Delay
	if c.Jitter > 0 {
		delay += time.Duration(r.Int64N(int64(c.Jitter) + 1))
	}
	return delay, chance(r, c.Reorder)
}

// chance draws true with probability p. Float64 is below 1, so that 1 is always
// and 0 never.
func chance(r *rand.Rand, p float64) bool { return p > 0 && r.Float64() < p }
