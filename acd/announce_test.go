package acd

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/mib"
)

// The steps of facts/solaris-arp-ipmp.md 3.5.

func TestAnnouncements(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*mib.ACD)
		d    time.Duration
		want []time.Duration
	}{
		{"five two seconds apart, then one in 300 s", nil, 1000 * time.Second, seconds(0, 2, 4, 6, 8, 308, 608, 908)},
		{"publish_count 1", func(c *mib.ACD) { c.PublishCount = 1 }, 301 * time.Second, seconds(0, 300)},
		{"publish_interval 1 s", func(c *mib.ACD) { c.PublishInterval = time.Second }, 10 * time.Second, seconds(0, 1, 2, 3, 4)},
		{"defend_interval 0", func(c *mib.ACD) { c.DefendInterval = 0 }, time.Hour, seconds(0, 2, 4, 6, 8)},
		{"defend_rate 0", func(c *mib.ACD) { c.DefendRate = 0 }, time.Hour, seconds(0, 2, 4, 6, 8)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(Policy{Detect: DetectAnnounce})
			if tt.set != nil {
				tt.set(&b.config)
			}
			if got := b.kind(Assign).sent(Announce, tt.d); !slices.Equal(got, tt.want) {
				t.Errorf("announced at %v, want %v", got, tt.want)
			}
		})
	}
}

// TestNotOursIsNotRepeated: only own addresses are announced periodically.
func TestNotOursIsNotRepeated(t *testing.T) {
	b := inWith(t, Verified, Policy{Proxied: true})
	if d := b.Deadline(); !d.IsZero() {
		t.Errorf("deadline %v", d)
	}
}

// TestReplies: unicast, but to all if broadcast_interval has passed since the
// last broadcast, announcements included.
func TestReplies(t *testing.T) {
	b := in(t, Verified) // announced a pause ago
	b.kind(Ask).want(t, Verified, "reply")
	b.tick(15*time.Second-pause).kind(Ask).want(t, Verified, "reply")
	b.after(1).kind(Ask).want(t, Verified, "reply to all")
	for range 15 {
		b.kind(Ask).want(t, Verified, "reply")
		b.after(time.Second)
	}
	b.kind(Ask).want(t, Verified, "reply")
	b.after(1).kind(Ask).want(t, Verified, "reply to all")

	// A broadcast reply is a passive defence: the next announcement is later.
	if d := b.Deadline().Sub(b.now); d != 300*time.Second {
		t.Errorf("the next announcement is in %v", d)
	}
}

// TestRepliesInEveryStateOfUse, those to probes among them: the host gives Ask
// for any request.
func TestRepliesInEveryStateOfUse(t *testing.T) {
	for s := range numStates {
		b := in(t, s).after(time.Minute)
		want := ""
		switch {
		case s == Exempt:
			want = "reply" // never to all
		case s.Usable():
			want = "reply to all"
		}
		b.effects = b.Handle(b.now, Input{Kind: Ask}, nil)
		if s.Usable() && b.does() != want && b.actions()[0] != want || !s.Usable() && slices.ContainsFunc(b.effects, isReply) {
			t.Errorf("%v: %q, want %q", s, b.does(), want)
		}
	}
}

func isReply(e Effect) bool { return e.Action == Reply }

// TestBudget has two hundred addresses on one interface, and a budget of a
// hundred announcements an hour: nobody starves.
func TestBudget(t *testing.T) {
	config := mib.New().Settings("").ACD
	ifc := NewInterface(start, &config, macs{ours}, rand.NewPCG(1, 1))
	ifc.SetLink(true)
	addresses := make([]Address, 200)
	last, sent := make([]time.Time, len(addresses)), make([]int, len(addresses))
	perHour := make(map[int]int)
	for i := range addresses {
		addresses[i] = New(ifc, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Policy{})
		addresses[i].Handle(start, Input{Kind: Adopt}, nil)
	}
	end := start.Add(24 * time.Hour)
	delayed := 0
	for {
		now, who := end, -1
		for i := range addresses {
			if d := addresses[i].Deadline(); d.Before(now) {
				now, who = d, i
			}
		}
		if who < 0 {
			break
		}
		for _, e := range addresses[who].Handle(now, Input{Kind: Tick}, nil) {
			if e.Action != Announce || e.Cause != PeriodicDue {
				continue
			}
			perHour[int((now.Sub(start)-300*time.Second)/time.Hour)]++
			sent[who]++
			if before := last[who]; !before.IsZero() && now.Sub(before) > 3*time.Hour+6*time.Minute {
				t.Errorf("address %d was announced %v ago", who, now.Sub(before))
			}
			last[who] = now
		}
		if addresses[who].Delayed() {
			delayed++
		}
	}
	for hour, n := range perHour {
		if n > 100 {
			t.Errorf("%d announcements in hour %d", n, hour)
		}
		if n < 100 && hour < 22 {
			t.Errorf("only %d announcements in hour %d", n, hour)
		}
	}
	if least, most := slices.Min(sent), slices.Max(sent); most-least > 2 {
		t.Errorf("one address was announced %d times, another %d times", least, most)
	}
	if delayed == 0 {
		t.Error("no address was ever delayed")
	}
	for i := range addresses {
		addresses[i].Handle(end, Input{Kind: Release}, nil)
	}
	if ifc.budget.waiting != 0 {
		t.Errorf("%d places in the budget are taken by nobody", ifc.budget.waiting)
	}
}

// another address is refused by the budget, after that of b.
func another(b *bench) {
	b.ifc.budget.take(b.ifc.moment(b.now), b.config.DefendRate, b.config.DefendPeriod, false)
}

// TestDelayed: over budget nothing is sent, and a broadcast reply makes up for it.
func TestDelayed(t *testing.T) {
	b := in(t, Verified)
	delay(b)
	b.silent(t, Verified)
	if !b.Delayed() || b.ifc.budget.waiting != 1 {
		t.Fatalf("delayed is %v, %d wait", b.Delayed(), b.ifc.budget.waiting)
	}
	if d := b.Deadline(); d != start.Add(time.Hour) {
		t.Errorf("it is announced at %v, want the next period", d)
	}
	another(b)
	b.config.BroadcastInterval = time.Hour
	b.kind(Ask).want(t, Verified, "reply")
	if !b.Delayed() || b.Deadline() != start.Add(time.Hour) {
		t.Errorf("after a reply to the asker delayed is %v, deadline %v", b.Delayed(), b.Deadline())
	}
	b.config.BroadcastInterval = time.Second
	b.kind(Ask).want(t, Verified, "reply to all")
	if b.Delayed() || b.ifc.budget.waiting != 1 {
		t.Errorf("after a broadcast reply delayed is %v, %d wait", b.Delayed(), b.ifc.budget.waiting)
	}
	for _, tt := range []struct {
		name string
		how  func(*bench)
	}{{"released", release}, {"claimed", heard}, {"link up", linkUp}, {"set up anew", assign}} {
		b := in(t, Verified)
		delay(b)
		if tt.how(b); b.Delayed() || b.ifc.budget.waiting != 0 {
			t.Errorf("%s: delayed is %v, %d wait", tt.name, b.Delayed(), b.ifc.budget.waiting)
		}
	}
}

// TestDueBeforehand: what an input makes due for a moment that is over leaves now. It
// has no slot of that moment, as a frame has whose tick came late, and the next frame
// keeps its distance.
func TestDueBeforehand(t *testing.T) {
	b := newBench(Policy{Detect: DetectAnnounce})
	b.config.DefendInterval, b.config.PublishCount = ms, 2
	b.kind(Assign).want(t, Announcing, "use, announce")
	b.Policy.Defend = DefendNever // the claim ends the announcements, and a periodic one is due
	b.after(2*ms).hear(claim).want(t, Verified, "report:conflict, announce")
	b.kind(Assign).want(t, Announcing, "use")
	if d := b.Deadline(); !d.Equal(b.now.Add(slotLength)) {
		t.Errorf("the next announcement leaves %v after the last, want %v", d.Sub(b.now), slotLength)
	}
}

// TestDelayedIsServed in the next period.
func TestDelayedIsServed(t *testing.T) {
	b := in(t, Verified)
	delay(b)
	b.until().want(t, Verified, "announce")
	if b.Delayed() || b.ifc.budget != (budget{start: moment(time.Hour) + 1, spent: 1}) {
		t.Errorf("delayed is %v, the budget %+v", b.Delayed(), b.ifc.budget)
	}
}

// TestDelayedWhileDefending: that the claim is over does not cost the place.
func TestDelayedWhileDefending(t *testing.T) {
	b := in(t, Defending)
	b.config.DefendInterval = time.Second
	delay(b)
	another(b)
	if b.come(t, Verified); !b.Delayed() || b.Deadline() != start.Add(time.Hour) {
		t.Errorf("delayed is %v, deadline %v", b.Delayed(), b.Deadline())
	}
}

// TestDelayedAndSwitchedOff: a place in the budget is no reason to announce.
func TestDelayedAndSwitchedOff(t *testing.T) {
	b := in(t, Verified)
	delay(b)
	b.config.DefendInterval = 0
	if d := b.Deadline(); !d.IsZero() {
		t.Errorf("deadline %v", d)
	}
}

// TestBudgetPlaces: each that is refused has its own place, spread over the
// coming periods.
func TestBudgetPlaces(t *testing.T) {
	var b budget
	now := moment(1)
	for range 2 {
		if ok, _ := b.take(now, 2, time.Hour, false); !ok {
			t.Fatal("refused with a budget of 2")
		}
	}
	var places []time.Duration
	for range 5 {
		ok, when := b.take(now, 2, time.Hour, false)
		if ok {
			t.Fatal("a third announcement with a budget of 2")
		}
		places = append(places, time.Duration(when-now))
	}
	if want := seconds(3600, 5400, 7200, 9000, 10800); !slices.Equal(places, want) {
		t.Errorf("places after %v, want %v", places, want)
	}
	// In the next period those with a place come first, and the others queue.
	now = now.after(time.Hour)
	if ok, _ := b.take(now, 2, time.Hour, false); ok {
		t.Error("one without a place went before")
	}
	if ok, _ := b.take(now, 2, time.Hour, true); !ok {
		t.Error("one with a place was refused")
	}
}
