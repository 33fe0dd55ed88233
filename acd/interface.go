package acd

import (
	"math/bits"
	"time"

	"github.com/isat-project/isat/mib"
)

// Rand is where jitter comes from: *[math/rand/v2.Rand] and the sources there.
// Hosts that start at the same moment need different ones.
type Rand interface {
	Uint64() uint64
}

// Interface is what the addresses of one network interface share. Use
// [NewInterface]. Its owner may change the exported fields between calls, and
// then gives each address a [Tick] and asks it for its deadline again: the new
// values hold for running addresses too. It is not safe for concurrent use; who
// guards the addresses guards it.
type Interface struct {
	Config *mib.ACD // the tunables in force; not nil
	Self   Self     // not nil
	Rand   Rand     // not nil
	// ReportsLink says that the driver tells when the link comes and goes: probes
	// are fast then.
	ReportsLink bool
	// NoARP says that there is no ARP, or no other host, on the interface
	// (IFF_NOARP, point-to-point): addresses are exempt.
	NoARP   bool
	Reprobe Reprobe

	base   time.Time
	up     bool
	budget budget
	pacer  pacer
}

// NewInterface returns an interface without link whose addresses begin to live at
// start: no call gives them an earlier time.
func NewInterface(start time.Time, config *mib.ACD, self Self, rand Rand) *Interface {
	return &Interface{Config: config, Self: self, Rand: rand, base: start}
}

// SetLink says whether there is a link. While there is none, nothing is sent and
// no time passes for what is under way: give each address a [Tick]. When it is
// back, give each [LinkUp].
func (i *Interface) SetLink(up bool) {
	i.up = up
	if !up {
		i.pacer.train = never // what was to be sent is not
	}
}

// Link reports whether there is a link.
func (i *Interface) Link() bool { return i.up }

// moment is a time in nanoseconds after an interface's base, plus one: 8 bytes in
// place of the 24 of a time.Time.
type moment int64

// never is the zero moment.
const never moment = 0

func (i *Interface) moment(t time.Time) moment { return moment(t.Sub(i.base)) + 1 }

// time is the inverse of moment; never is the zero time.
func (i *Interface) time(m moment) time.Time {
	if m == never {
		return time.Time{}
	}
	return i.base.Add(time.Duration(m - 1))
}

// after returns the moment d after m.
func (m moment) after(d time.Duration) moment { return m + moment(d) }

// between returns the duration that a random number stands for: uniformly from
// least to greatest.
func between(least, greatest time.Duration, random uint32) time.Duration {
	span, _ := bits.Mul64(uint64(greatest-least)+1, uint64(random)<<32)
	return least + time.Duration(span)
}
