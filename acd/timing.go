package acd

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/mib"
)

// The constants of RFC 5227 section 1.1 that isat uses. Those of announcements
// are Solaris' publish_count and publish_interval.
const (
	ProbeWait      = 1 * time.Second  // PROBE_WAIT: greatest random delay before the first probe
	ProbeNum       = 3                // PROBE_NUM
	ProbeMin       = 1 * time.Second  // PROBE_MIN: least time between probes
	ProbeMax       = 2 * time.Second  // PROBE_MAX: greatest time between probes
	AnnounceWait   = 2 * time.Second  // ANNOUNCE_WAIT: after the last probe
	DefendInterval = 10 * time.Second // DEFEND_INTERVAL: least time between defences
)

// Timing is which numbers the probes of an address go by.
type Timing uint8

// The timings.
const (
	Slow    Timing = iota // probe_delay, probe_interval, probe_count
	Fast                  // fastprobe_delay, fastprobe_interval, fastprobe_count
	RFC5227               // RFC 5227 section 1.1
)

var timingNames = [...]string{"slow", "fast", "RFC 5227"}

// String returns the name of t.
func (t Timing) String() string {
	if int(t) < len(timingNames) {
		return timingNames[t]
	}
	return fmt.Sprintf("timing %d", uint8(t))
}

// TimingOf returns the timing of an own address (facts 3.2): fast where the
// driver reports that the link comes and goes, because then it forwards from the
// start; but not for link-local addresses, which RFC 3927 gives its own times.
func TimingOf(ip netip.Addr, reportsLink bool) Timing {
	if reportsLink && !ip.IsLinkLocalUnicast() {
		return Fast
	}
	return Slow
}

// schedule is when the probes of an address go out.
type schedule struct {
	soonest, latest time.Duration // bounds of the delay before the first
	least, greatest time.Duration // bounds of the time between two
	wait            time.Duration // after the last
	count           int
}

func (t Timing) schedule(c *mib.ACD) schedule {
	switch t {
	case Fast:
		return solaris(c.FastProbeDelay, c.FastProbeInterval, c.FastProbeCount)
	case RFC5227:
		return schedule{0, ProbeWait, ProbeMin, ProbeMax, AnnounceWait, ProbeNum}
	}
	return solaris(c.ProbeDelay, c.ProbeInterval, c.ProbeCount)
}

// solaris is facts 3.2: the first probe after a random 1 ms to delay, or at once;
// the next ones after interval and up to a fifth more or less; success an
// interval after the last.
func solaris(delay, interval time.Duration, count int) schedule {
	fifth := interval / 5
	return schedule{min(time.Millisecond, delay), delay, interval - fifth, interval + fifth, interval, count}
}
