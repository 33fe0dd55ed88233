package acd

import "time"

// FramesPerSecond is how many probes and announcements of its own accord leave an
// interface in a second at the most: a hundredth of what 100 Mbit/s carry, and
// enough for ten thousand addresses in seconds.
const FramesPerSecond = 2000

// slotLength is the time that one frame takes.
const slotLength = time.Second / FramesPerSecond

// maxLate is how much of its time an owner may catch up: ticks of a busy machine come
// some tens of milliseconds late.
const maxLate = 100 * time.Millisecond

// pacer spreads the frames of an interface over time. It has two gates, because
// what an address sends is a train of frames with times between them that have to
// be kept: if frames were only queued, those of ten thousand trains that began at
// once would drift apart by seconds.
//
// A train is let begin when the slots of all trains before it have passed, each
// counted with all its frames. So the frames of the trains under way are as many
// as may leave, but for their jitter; the second gate delays a frame by the few
// milliseconds that this makes.
//
// An owner whose ticks are late sends together what had, or would have had, its slots
// meanwhile, but no more than maxLate is worth: if those slots were lost, all frames
// after them would be as late for as long as there are trains that wait.
type pacer struct {
	train   moment // when the next train may begin
	frame   moment // when the next frame may leave
	waiting int    // trains that were told when to begin and have not
}

// queue returns when a train of n frames may begin, now or later. Say begin when
// it does, or leave if it never will. n may be 0, for a frame that does not wait.
func (p *pacer) queue(now moment, n int) moment {
	p.waiting++
	if n == 0 {
		return now
	}
	at := max(now, p.train)
	p.train = at.after(time.Duration(n) * slotLength)
	return at
}

func (p *pacer) begin() { p.waiting-- }

// leave gives up the place of a train. When none waits, the next need not, either.
func (p *pacer) leave() {
	p.waiting--
	if p.waiting == 0 {
		p.train = never
	}
}

// send returns when a frame of a train that has begun may leave, now or later.
func (p *pacer) send(now moment) moment {
	at := max(now, p.frame)
	p.frame = at.after(slotLength)
	return at
}
