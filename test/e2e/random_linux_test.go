package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// randomSeeds is how many sequences are played where ISAT_RANDOM_SEEDS does not
	// say otherwise, and randomSteps how long each is. One takes 7 s of processor
	// time.
	randomSeeds = 20
	randomSteps = 500
	// settleTime is how long the listings may take to agree after a step. They
	// need some milliseconds.
	settleTime = 20 * time.Second
)

// tellingSeeds are played too, which have found what no other test would: that the daemon
// asks whose a published-only entry is before it sets one.
var tellingSeeds = []uint64{25, 30}

// number returns the value of an environment variable, or what is given if it is
// not set.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}

// TestRandom plays random sequences of everything that changes entries: isat's
// arp, iproute2, arp of net-tools, traffic, hosts that move, links and addresses
// that come and go, daemons that are stopped and killed. After each step the
// listings of isat, of ip neigh and of net-tools' arp agree with each other
// ([world.disagreement]) and with what must be there ([world.missing]).
//
//	isat 192.0.2.1    e0 ──── e0 192.0.2.2, .3    peer
//	     198.51.100.1 e1 ──── e1 198.51.100.2, .3
//
// ISAT_RANDOM_SEED plays the one sequence of that seed, ISAT_RANDOM_SEEDS those of the
// seeds up to that one.
func TestRandom(t *testing.T) {
	t.Parallel()
	Require(t, "arp", "ip")
	program(t)
	seeds := make([]uint64, number(t, "ISAT_RANDOM_SEEDS", randomSeeds))
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	if len(seeds) == randomSeeds {
		seeds = append(seeds, tellingSeeds...)
	}
	if one := number(t, "ISAT_RANDOM_SEED", 0); one != 0 {
		seeds = []uint64{one}
	}
	for _, seed := range seeds {
		t.Logf("ISAT_RANDOM_SEED=%d", seed)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newWorld(t, seed).play(randomSteps)
		})
	}
}

// play makes the steps. A step after which the listings do not agree in time is
// the last one.
func (w *world) play(steps int) {
	w.t.Helper()
	w.start()
	w.agree()
	var slowest time.Duration
	for range steps {
		s := w.choose()
		w.say("# %s", s.name)
		s.do(w)
		w.nudge()
		began := time.Now()
		w.agree()
		if took := time.Since(began); took > slowest {
			slowest = took
		}
	}
	w.t.Logf("%d steps; the slowest took %v to agree", steps, slowest.Round(time.Millisecond))
}

// say adds a line to the transcript.
func (w *world) say(format string, args ...any) {
	w.transcript = append(w.transcript, fmt.Sprintf(format, args...))
}

// agree waits until all is as it must be, and ends the test if that does not come.
func (w *world) agree() {
	w.t.Helper()
	var wrong []string
	pause := time.Millisecond
	for deadline := time.Now().Add(settleTime); ; time.Sleep(pause) {
		if wrong = w.wrong(); len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
	for _, n := range w.nets {
		w.say("# %s: up %v, carrier %v, released %v", n.name, n.up, n.carrier, n.released)
	}
	w.t.Fatalf("ISAT_RANDOM_SEED=%d: after\n%s\n%v later:\n%s\nip neigh:\n%sisat arp -an:\n%s", w.seed, strings.Join(w.transcript, "\n"), settleTime,
		strings.Join(wrong, "\n"), w.isat.Must("ip", "-4", "neigh", "show", "nud", "all"), w.isatListing())
}
