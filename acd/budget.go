package acd

import "time"

// budget bounds the periodic announcements of an interface: defend_rate in
// defend_period (facts 3.5).
//
// Solaris marks up to eight of the addresses that were refused longest ago when a
// period has passed, so that none starves. Here each one that is refused gets
// its place in a coming period, in the order in which they were refused: none
// starves either, no list is kept, and the frames do not come in a burst.
type budget struct {
	start   moment // of the period
	spent   int    // announcements in it
	places  moment // when the next place is that nobody has been promised
	waiting int    // addresses with a place
}

// take asks for an announcement. waits says that the address was promised a
// place at this time. If it is refused, when is its place; give it back with
// leave if the address does not need it any more.
func (b *budget) take(now moment, rate int, period time.Duration, waits bool) (ok bool, when moment) {
	b.turn(now, period)
	if waits {
		b.leave()
	}
	if b.spent < rate && (waits || b.places <= now) {
		b.spent++
		return true, now
	}
	when = max(b.places, b.start.after(period))
	b.places = when.after(period / time.Duration(rate))
	b.waiting++
	return false, when
}

// leave gives a place back. When nobody waits, all places are free again.
func (b *budget) leave() {
	b.waiting--
	if b.waiting == 0 {
		b.places = never
	}
}

// turn begins a new period if the last one is over.
func (b *budget) turn(now moment, period time.Duration) {
	switch passed := time.Duration(now - b.start); {
	case b.start == never:
		b.start = now
	case passed >= period:
		b.start = b.start.after(passed / period * period)
		b.spent = 0
	}
}
