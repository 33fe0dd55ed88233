package acd

import "time"

// FramesPerSecond is how many probes and announcements of its own accord leave an
// interface in a second at the most: a hundredth of what 100 Mbit/s carry, and
// enough for ten thousand addresses in seconds.
const FramesPerSecond = 2000

// slotLength is the time that one frame takes.
const slotLength = time.Second / FramesPerSecond

// pacer spreads the frames of an interface over time. It has two gates, because
// what an address sends is a train of frames with times between them that have to
// be kept: if frames were only queued, those of ten thousand trains that began at
// once would drift apart by seconds.
//
// A train is let begin when the slots of all trains before it have passed, each
// counted with all its frames. So the frames of the trains under way are as many
// as may leave, but for their jitter; the second gate delays a frame by the few
// milliseconds that this makes. An owner whose ticks are late sends together what
// had its slots meanwhile.
type pacer struct {
	train moment // when the next train may begin
	frame moment // when the next frame may leave
}

// begin returns when a train of n frames may begin, now or later.
func (p *pacer) begin(now moment, n int) moment {
	at := max(now, p.train)
	p.train = at.after(time.Duration(n) * slotLength)
	return at
}

// send returns when a frame of a train that has begun may leave, now or later.
func (p *pacer) send(now moment) moment {
	at := max(now, p.frame)
	p.frame = at.after(slotLength)
	return at
}
