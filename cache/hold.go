package cache

import "slices"

// enqueue holds a packet, the newest MaxHold are kept, and returns those that
// had to go (seeds/002: "only the most recently transmitted packet is kept";
// facts/freebsd-arp.md 2.4: the oldest is dropped).
func (e *Entry) enqueue(packet []byte) (dropped [][]byte) {
	e.hold = append(e.hold, packet)
	return e.Trim()
}

// Trim gives up the oldest packets beyond MaxHold, after that has become less, and
// returns them.
func (e *Entry) Trim() (dropped [][]byte) {
	if n := len(e.hold) - e.limits.MaxHold; n > 0 {
		dropped = append(dropped, e.hold[:n]...)
		e.hold = slices.Delete(e.hold, 0, n)
	}
	return dropped
}

// dequeue empties the queue and returns what was in it, oldest first.
func (e *Entry) dequeue() [][]byte {
	packets := e.hold
	e.hold = nil
	return packets
}
