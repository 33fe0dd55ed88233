package proxy

import "time"

// Limits bound what a [RouteCache] keeps, and how much it asks. A field that is
// zero or less has its default.
type Limits struct {
	// Keep is how long a routing decision holds if no route changes, by default
	// 1 s: no longer than a request of a host that gets no answer is repeated.
	Keep time.Duration
	// Patience is how long a request waits for its routing decision, by default
	// 1 s: then its sender has repeated it, or given up.
	Patience time.Duration
	// Size is how many decisions are kept or waited for, by default 4096: more
	// than Rate and Burst can make in Keep, and about 1 MB.
	Size int
	// Rate is how many decisions may be asked for in a second, by default 1000.
	// The kernel takes 10 µs to answer one of the two questions of each (tried
	// with ip -batch), so that is 2 % of a core.
	Rate int
	// Burst is how many may be asked for at once, by default 256: the last of
	// them waits 5 ms.
	Burst int
}

// withDefaults returns l with defaults in place of zeros.
func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	if l.Keep <= 0 {
		l.Keep = time.Second
	}
	if l.Patience <= 0 {
		l.Patience = time.Second
	}
	set(&l.Size, 4096)
	set(&l.Rate, 1000)
	set(&l.Burst, 256)
	return l
}

// bucket is a token bucket by the generic cell rate algorithm (ITU-T I.371): it
// keeps one time, the one at which all that was taken has come back.
type bucket struct {
	interval time.Duration // in which one token comes back
	room     time.Duration // how far ahead of now full may be
	full     time.Time
}

func newBucket(rate, burst int) bucket {
	interval := max(time.Second/time.Duration(rate), 1)
	return bucket{interval: interval, room: time.Duration(burst-1) * interval}
}

// take takes a token and reports whether there was one.
func (b *bucket) take(now time.Time) bool {
	from := b.full
	if from.Before(now) {
		from = now
	}
	if from.Sub(now) > b.room {
		return false
	}
	b.full = from.Add(b.interval)
	return true
}
