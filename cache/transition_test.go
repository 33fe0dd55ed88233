package cache

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

var (
	addrA = lladdr.MustParse("02:00:00:00:00:0a")
	addrB = lladdr.MustParse("02:00:00:00:00:0b")
	// start is when tests begin. It is not the zero time, which means never.
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// bench is an entry with the clock that drives it.
type bench struct {
	Entry
	limits  Limits
	now     time.Time
	effects []Effect // of the last input
}

func newBench() *bench {
	b := &bench{limits: DefaultLimits(), now: start}
	b.Entry = New(&b.limits)
	return b
}

// give hands the entry an input.
func (b *bench) give(in Input) *bench {
	b.effects = b.Handle(b.now, in, nil)
	return b
}

// after lets time pass, tick is a Tick after it.
func (b *bench) after(d time.Duration) *bench { b.now = b.now.Add(d); return b }
func (b *bench) tick(d time.Duration) *bench  { return b.after(d).give(Input{Kind: Tick}) }

// until goes to the deadline and ticks.
func (b *bench) until() *bench { return b.tick(b.Deadline().Sub(b.now)) }

// actions are the effects by name; the event stands behind a report.
func (b *bench) actions() string {
	var names []string
	for _, e := range b.effects {
		name := e.Action.String()
		if e.Action == Report {
			name += ":" + e.Event.String()
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// in returns an entry in a state. One without an address holds a packet.
func in(s State) *bench {
	b := newBench()
	switch s {
	case Incomplete:
		b.give(Input{Kind: Demand, Packet: []byte("held")})
	case Down:
		b.give(Input{Kind: Demand, Packet: []byte("held"), Await: true})
		for range 5 {
			b.tick(time.Second)
		}
	case Reachable:
		b.give(Input{Kind: Demand}).give(Input{Kind: Answer, Addr: addrA}).after(10 * time.Second)
	case Verify:
		b.give(Input{Kind: Demand}).give(Input{Kind: Answer, Addr: addrA}).until()
	case Permanent:
		b.give(Input{Kind: Pin, Addr: addrA})
	}
	return b
}

// rows has every row of the machine once more, with a way to come there. It is
// written by hand from the sources that the machine names, so that a change of
// the machine has to be said twice.
var rows = []struct {
	from    State
	cause   Cause
	how     func(*bench)
	to      State
	actions string
}{
	{None, Demanded, demand, Incomplete, "report:added request"},
	{None, Answered, answer(addrA), Reachable, "bind report:added"},
	{None, Pinned, pin, Permanent, "bind report:added"},
	{None, Lent, lend, Reachable, "bind report:added"},

	{Incomplete, Demanded, func(b *bench) { demand(b.after(time.Second)) }, Incomplete, "request"},
	{Incomplete, Unanswered, func(b *bench) { await(b); b.tick(time.Second) }, Incomplete, "request"},
	{Incomplete, Exhausted, func(b *bench) {
		await(b)
		for range 5 {
			b.tick(time.Second)
		}
	}, Down, "fail report:unanswered"},
	{Incomplete, Idled, func(b *bench) { b.tick(20 * time.Second) }, None, "remove report:expired"},
	{Incomplete, Answered, answer(addrA), Reachable, "bind release report:resolved"},
	{Incomplete, Pinned, pin, Permanent, "bind release report:changed"},
	{Incomplete, Lent, lend, Reachable, "bind release report:changed"},

	{None, Denied, deny, Down, "fail report:added"},
	{Incomplete, Denied, deny, Down, "fail report:unanswered"},
	{Down, Denied, deny, Down, "fail"},

	{Down, Demanded, demand, Down, "request"},
	{Down, Unanswered, func(b *bench) { b.limits.MaxTries = 10; await(b); b.tick(time.Second) }, Down, "request"},
	{Down, Exhausted, func(b *bench) { await(b); b.tick(time.Second) }, Down, "fail"},
	{Down, Idled, func(b *bench) { b.tick(19 * time.Second) }, None, "remove report:expired"},
	{Down, Answered, answer(addrA), Reachable, "bind release report:resolved"},
	{Down, Pinned, pin, Permanent, "bind release report:changed"},
	{Down, Lent, lend, Reachable, "bind release report:changed"},

	{Reachable, Demanded, demand, Reachable, "bind"},
	{Reachable, Used, use, Reachable, "bind"},
	{Reachable, Answered, answer(addrA), Reachable, ""},
	{Reachable, Moved, answer(addrB), Reachable, "bind report:moved"},
	{Reachable, Aged, func(b *bench) { b.tick(1185 * time.Second) }, Verify, "watch"},
	{Reachable, Pinned, pin, Permanent, "bind report:changed"},
	{Reachable, Lent, lend, Reachable, "bind report:changed"},

	{Verify, Demanded, demand, Verify, "bind request"},
	{Verify, Used, use, Verify, "request"},
	{Verify, Unanswered, func(b *bench) { use(b); b.tick(time.Second) }, Verify, "request"},
	{Verify, Answered, answer(addrA), Reachable, "bind report:validated"},
	{Verify, Moved, answer(addrB), Reachable, "bind report:moved"},
	{Verify, Lapsed, func(b *bench) { b.tick(5 * time.Second) }, None, "remove report:expired"},
	{Verify, Pinned, pin, Permanent, "bind report:changed"},
	{Verify, Lent, lend, Reachable, "bind report:changed"},

	{Permanent, Demanded, demand, Permanent, "bind"},
	{Permanent, Moved, answer(addrB), Permanent, "report:permanent_modify"},
	{Permanent, Pinned, pin, Permanent, "bind report:changed"},
	{Permanent, Lent, lend, Reachable, "bind report:changed"},
}

func demand(b *bench) { b.give(Input{Kind: Demand}) }
func await(b *bench)  { b.give(Input{Kind: Demand, Await: true}) }
func use(b *bench)    { b.give(Input{Kind: Use}) }
func pin(b *bench)    { b.give(Input{Kind: Pin, Addr: addrB}) }
func deny(b *bench)   { b.give(Input{Kind: Deny}) }
func lend(b *bench)   { b.give(Input{Kind: Lend, Addr: addrB}) }
func answer(a lladdr.Addr) func(*bench) {
	return func(b *bench) { b.give(Input{Kind: Answer, Addr: a}) }
}

func TestRows(t *testing.T) {
	type pair struct {
		State
		Cause
	}
	tested := make(map[pair]bool)
	for _, row := range rows {
		t.Run(row.from.String()+" "+row.cause.String(), func(t *testing.T) {
			tested[pair{row.from, row.cause}] = true
			b := in(row.from)
			if b.State() != row.from {
				t.Fatalf("the entry is %v, want %v", b.State(), row.from)
			}
			row.how(b)
			if b.State() != row.to {
				t.Errorf("went to %v, want %v", b.State(), row.to)
			}
			if got := b.actions(); got != row.actions {
				t.Errorf("actions %q, want %q", got, row.actions)
			}
		})
	}
	for _, row := range Transitions() {
		if !tested[pair{row.From, row.Cause}] {
			t.Errorf("no test of %v %v", row.From, row.Cause)
		}
		delete(tested, pair{row.From, row.Cause})
		if (row.Report != 0) != slices.Contains(row.Actions, Report) {
			t.Errorf("%v %v: event %v with actions %v", row.From, row.Cause, row.Report, row.Actions)
		}
		if row.Source == "" {
			t.Errorf("%v %v has no source", row.From, row.Cause)
		}
	}
	for p := range tested {
		t.Errorf("%v %v is tested and not in the machine", p.State, p.Cause)
	}
}

// TestNoRow has what changes nothing.
func TestNoRow(t *testing.T) {
	for _, tt := range []struct {
		name string
		from State
		in   Input
	}{
		{"use of a new entry", None, Input{Kind: Use}},
		{"time of a new entry", None, Input{Kind: Tick}},
		{"use without an address", Incomplete, Input{Kind: Use}},
		{"use of one that is down", Down, Input{Kind: Use}},
		{"use of a permanent one", Permanent, Input{Kind: Use}},
		{"the owner confirms a permanent one", Permanent, Input{Kind: Answer, Addr: addrA}},
		{"an early tick", Reachable, Input{Kind: Tick, Used: true}},
		{"a tick of a permanent one", Permanent, Input{Kind: Tick, Used: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := in(tt.from)
			b.give(tt.in)
			if b.State() != tt.from || len(b.effects) != 0 {
				t.Errorf("went to %v with actions %q", b.State(), b.actions())
			}
		})
	}
}

func TestReports(t *testing.T) {
	for _, tt := range []struct {
		name string
		from State
		how  func(*bench)
		want Effect
	}{
		{"moved", Reachable, answer(addrB), Effect{Action: Report, Event: event.Moved, Old: addrA, New: addrB}},
		{"permanent", Permanent, answer(addrB), Effect{Action: Report, Event: event.PermanentModify, Old: addrA, New: addrB}},
		{"resolved", Incomplete, answer(addrB), Effect{Action: Report, Event: event.Resolved, New: addrB}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := in(tt.from)
			tt.how(b)
			got := b.effects[len(b.effects)-1]
			if got.Action != tt.want.Action || got.Event != tt.want.Event || got.Old != tt.want.Old || got.New != tt.want.New {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		None.String(): "none", Permanent.String(): "permanent", State(200).String(): "state 200",
		Demanded.String(): "demanded", Lent.String(): "lent", Cause(200).String(): "cause 200",
		Request.String(): "request", Report.String(): "report", Action(200).String(): "action 200",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for s := range numStates {
		if stateNames[s] == "" {
			t.Errorf("state %d has no name", s)
		}
	}
	for c := range numCauses {
		if causeNames[c] == "" {
			t.Errorf("cause %d has no name", c)
		}
	}
}
