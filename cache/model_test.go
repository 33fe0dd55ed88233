package cache

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isat-project/isat/lladdr"
)

// TestModel plays random lives of an entry whose owner keeps its promises, and
// checks what has to hold in all of them.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		b.limits = drawLimits(t)
		life := &life{t: t, bench: b}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			life.step()
		}
	})
}

func drawLimits(t *rapid.T) Limits {
	return Limits{
		MaxAge:   time.Duration(rapid.IntRange(1, 40).Draw(t, "max_age")) * time.Second,
		MaxTries: rapid.IntRange(1, 6).Draw(t, "maxtries"),
		Wait:     time.Duration(rapid.IntRange(1, 30).Draw(t, "wait")) * time.Second,
		MaxHold:  rapid.IntRange(0, 3).Draw(t, "maxhold"),
		UseDelay: time.Duration(rapid.IntRange(0, 10).Draw(t, "use delay")) * time.Second,
	}
}

// TestRest changes the limits and takes demand back at any moment: whatever
// happens, ticks come to rest, so that the owner does not spin.
func TestRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		b.limits = drawLimits(t)
		l := &life{t: t, bench: b}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				b.limits = drawLimits(t)
			case 1:
				b.Abandon()
			case 2:
				b.after(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "late by ms")) * time.Millisecond)
			default:
				b.give(Input{
					Kind: Kind(rapid.IntRange(int(Tick), int(Deny)).Draw(t, "kind")), Addr: addrA,
					Await: rapid.Bool().Draw(t, "await"), Used: rapid.Bool().Draw(t, "used"),
					Age: time.Duration(rapid.IntRange(0, 100).Draw(t, "age")) * time.Second,
				})
			}
			l.checkRest()
			if b.State() == None {
				b.Entry = New(&b.limits)
			}
		}
	})
}

// life is an entry and what is known of it from outside.
type life struct {
	t *rapid.T
	*bench
	requested time.Time // of the last request
	heard     time.Time // when the owner of the address was heard last
	waiting   time.Time // since when somebody waits, zero if nobody does
	held      []byte    // numbers of the packets that have to be there
	next      byte
}

// step lets something happen, or lets time pass up to the next deadline and no
// further: the owner ticks in time.
func (l *life) step() {
	in := Input{Kind: Kind(rapid.IntRange(int(Tick), int(Deny)).Draw(l.t, "kind"))}
	addrs := []lladdr.Addr{addrA, addrB}
	switch in.Kind {
	case Tick:
		d := time.Duration(rapid.IntRange(1, 3000).Draw(l.t, "ms")) * time.Millisecond
		if deadline := l.Deadline(); !deadline.IsZero() {
			if rapid.Bool().Draw(l.t, "to the deadline") {
				d = deadline.Sub(l.now)
			}
			d = min(d, deadline.Sub(l.now))
		}
		l.after(max(d, 0))
		in.Used = rapid.Bool().Draw(l.t, "used")
	case Demand:
		in.Await = rapid.Bool().Draw(l.t, "await")
		if rapid.Bool().Draw(l.t, "packet") {
			l.next++
			in.Packet = []byte{l.next}
			if !l.State().Usable() {
				l.held = append(l.held, l.next)
			}
		}
		if in.Await && !l.State().Usable() && l.waiting.IsZero() {
			l.waiting = l.now
		}
	case Answer, Pin, Lend:
		in.Addr = rapid.SampledFrom(addrs).Draw(l.t, "addr")
		if l.State() != Permanent || in.Kind != Answer {
			l.heard = l.now
		}
	}
	before, old := l.State(), l.Addr()
	l.give(in)
	l.carryOut()
	l.check(in, before, old)
}

// carryOut does what the effects say and checks them.
func (l *life) carryOut() {
	for _, e := range l.effects {
		switch e.Action {
		case Request:
			if !l.requested.IsZero() && l.now.Sub(l.requested) < RequestInterval {
				l.t.Fatalf("two requests within %v", l.now.Sub(l.requested))
			}
			l.requested = l.now
		case Release, Remove:
			if string(l.held[:]) != string(join(e.Packets)) {
				l.t.Fatalf("%v of packets %v, held %v", e.Action, join(e.Packets), l.held)
			}
			l.held = nil
			l.waiting = time.Time{}
		case Drop:
			gone := join(e.Packets)
			if string(l.held[:len(gone)]) != string(gone) {
				l.t.Fatalf("dropped packets %v of %v, not the oldest", gone, l.held)
			}
			l.held = l.held[len(gone):]
		case Bind, Fail:
			l.waiting = time.Time{}
		}
	}
}

func join(packets [][]byte) (all []byte) {
	for _, p := range packets {
		all = append(all, p...)
	}
	return all
}

// check has the properties.
func (l *life) check(in Input, before State, old lladdr.Addr) {
	t := l.t
	if l.Held() != len(l.held) || l.Held() > l.limits.MaxHold {
		t.Fatalf("%d packets held, %d not accounted for, maxhold %d", l.Held(), len(l.held), l.limits.MaxHold)
	}
	if l.State().Usable() && !l.Addr().IsValid() {
		t.Fatalf("%v without an address", l.State())
	}
	if l.Word().Usable() != l.State().Usable() {
		t.Fatalf("the word of %v is %x", l.State(), l.Word())
	}
	if before == Permanent && in.Kind != Pin && in.Kind != Lend && (l.State() != Permanent || l.Addr() != old) {
		t.Fatalf("a permanent entry changed to %v %v by input %d", l.State(), l.Addr(), in.Kind)
	}
	if d := l.Deadline(); d.IsZero() != (l.State() == None || l.State() == Permanent) {
		t.Fatalf("deadline %v in state %v", d, l.State())
	}
	l.checkRest()
	// Nobody waits longer than maxtries requests take, and one that went before.
	if limit := time.Duration(l.limits.MaxTries+1) * RequestInterval; !l.waiting.IsZero() && l.now.Sub(l.waiting) > limit {
		t.Fatalf("somebody waits for %v in state %v, maxtries is %d", l.now.Sub(l.waiting), l.State(), l.limits.MaxTries)
	}
	// No dynamic entry outlives max_age by more than a validation takes.
	if l.State() == Reachable || l.State() == Verify {
		if over := l.now.Sub(l.heard) - l.limits.MaxAge; over > time.Duration(l.limits.MaxTries+1)*RequestInterval {
			t.Fatalf("%v outlives max_age by %v", l.State(), over)
		}
	}
	if l.State() == None {
		l.Entry = New(&l.bench.limits)
		l.requested, l.waiting = time.Time{}, time.Time{}
	}
}

// checkRest: ticks without anything else to tell come to rest, so that the owner
// does not spin. Two states may end at one moment, such as wait after maxtries.
func (l *life) checkRest() {
	e := l.Entry
	for range 3 {
		if d := e.Deadline(); d.IsZero() || l.now.Before(d) {
			return
		}
		e.Handle(l.now, Input{Kind: Tick}, nil)
	}
	if d := e.Deadline(); !d.IsZero() && !l.now.Before(d) {
		l.t.Fatalf("three ticks in state %v lead nowhere: the deadline is %v ago", l.State(), l.now.Sub(d))
	}
}
