package cache

import (
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// RequestInterval is the least time between two requests for one address
// (facts/freebsd-arp.md 2.2 step 8; RFC 1122 section 2.3.2.1 recommends it).
const RequestInterval = time.Second

// Limits are the tunables of entries. The entries of an interface share one;
// its owner may change it between calls and then asks each entry for its
// deadline again, and to [Entry.Trim]: the new values hold for running entries too.
type Limits struct {
	MaxAge   time.Duration // how long a validated entry lives (net.link.ether.inet.max_age)
	MaxTries int           // requests before the neighbour is down (maxtries)
	Wait     time.Duration // how long an unanswered entry is kept after its last request (wait)
	MaxHold  int           // packets held per entry (maxhold); 0 holds none
	// UseDelay is how long the data path takes to report use after a Watch.
	// Validation begins that much earlier. 0 where lookups mark use themselves.
	UseDelay time.Duration
}

// DefaultLimits returns the defaults of FreeBSD 7.0 (facts/freebsd-arp.md 1.1).
func DefaultLimits() Limits {
	return Limits{MaxAge: 1200 * time.Second, MaxTries: 5, Wait: 20 * time.Second, MaxHold: 1}
}

// verifyWindow returns how long before the end of max_age validation begins:
// time for maxtries requests (facts/freebsd-arp.md 2.4), and for the data path
// to report use. With a very short max_age it is the second half of it.
func (l *Limits) verifyWindow() time.Duration {
	return min(time.Duration(l.MaxTries)*RequestInterval+l.UseDelay, l.MaxAge/2)
}

// Entry is the ARP entry of one neighbour. Use [New]. It is not safe for
// concurrent use; its owner guards it.
type Entry struct {
	limits    *Limits
	requested time.Time // of the last request
	validated time.Time // of the last answer
	hold      [][]byte  // packets that wait, oldest first
	addr      lladdr.Addr
	state     State
	tries     uint16 // requests since the last answer
	demand    bool   // somebody waits until there is an answer or an error
}

// New returns an entry in state [None] with the limits, which it keeps.
func New(limits *Limits) Entry { return Entry{limits: limits} }

// State returns the state.
func (e *Entry) State() State { return e.state }

// Addr returns the link-layer address: of an entry that is not usable the last
// one known or the zero Addr.
func (e *Entry) Addr() lladdr.Addr { return e.addr }

// Tries returns the number of requests since the last answer.
func (e *Entry) Tries() int { return int(e.tries) }

// Held returns how many packets wait for the address.
func (e *Entry) Held() int { return len(e.hold) }

// Waited reports whether demand lasts: see [Input.Await].
func (e *Entry) Waited() bool { return e.demand }

// Word returns what readers need, see [Word].
func (e *Entry) Word() Word { return MakeWord(e.state, e.addr) }

// Expires returns when the entry ends if nothing happens: max_age after the last
// validation, or wait after the last request. It is the zero time for a
// permanent entry.
func (e *Entry) Expires() time.Time {
	switch e.state {
	case Incomplete, Down:
		return e.requested.Add(e.limits.Wait)
	case Reachable, Verify:
		return e.validated.Add(e.limits.MaxAge)
	}
	return time.Time{}
}

// Exhausted reports whether maxtries requests have had no answer: whether a
// packet that is sent now is an error (facts/freebsd-arp.md 2.2 step 7).
func (e *Entry) Exhausted() bool {
	return (e.state == Incomplete || e.state == Down) && int(e.tries) >= e.limits.MaxTries
}

// Kind is what an [Input] says.
type Kind uint8

// The kinds of input.
const (
	Tick   Kind = iota // time has passed
	Demand             // somebody wants the address
	Answer             // the owner of the address said where it is
	Use                // the data path says that the entry is in use
	Pin                // the administrator sets it for good
	Lend               // the administrator sets it for max_age
	Deny               // somebody wants the address, and nobody may ask for it
)

// Input is what happened to an entry.
type Input struct {
	Kind Kind
	Addr lladdr.Addr // of Answer, Pin and Lend
	// Packet is, with Demand, one to hold until there is an answer; the entry
	// keeps the slice.
	Packet []byte
	// Await says, with Demand, that it lasts until there is an answer or an
	// error. Without it a demand ends with its request.
	Await bool
	// Age is, with Lend, how long ago the owner of the address was heard.
	Age time.Duration
	// Used says, with Tick, that a lookup has used the entry since the last one.
	Used bool
}

// Effect is something for the owner to do, in the order given.
type Effect struct {
	Action  Action
	Event   event.Type  // of Report
	Old     lladdr.Addr // of Report of a move: the former address
	New     lladdr.Addr // of Report: the address, claimed or taken
	Packets [][]byte    // of Release, Remove and Drop
}

// Handle tells the entry what happened at the time now, and appends to out what
// its owner has to do about it. It returns the extended slice.
func (e *Entry) Handle(now time.Time, in Input, out []Effect) []Effect {
	var dropped [][]byte
	if in.Kind == Demand {
		e.demand = e.demand || in.Await && !e.state.Usable()
		if in.Packet != nil && !e.state.Usable() {
			dropped = e.enqueue(in.Packet)
		}
	}
	cause, ok := e.cause(now, in)
	if !ok {
		return out
	}
	row, ok := lookup(e.state, cause)
	if !ok {
		return out
	}
	old := e.addr
	e.enter(now, row, cause, in)
	for _, action := range row.Actions {
		switch action {
		case Request:
			if !e.mayRequest(now) {
				break
			}
			e.requested = now
			e.tries = min(e.tries+1, 1<<16-2)
			out = append(out, Effect{Action: Request})
		case Release:
			out = append(out, Effect{Action: Release, Packets: e.dequeue()})
		case Remove:
			out = append(out, Effect{Action: Remove, Packets: e.dequeue()})
		case Report:
			said := e.addr
			if row.Report == event.PermanentModify {
				said = in.Addr
			}
			out = append(out, Effect{Action: Report, Event: row.Report, Old: old, New: said})
		default:
			out = append(out, Effect{Action: action})
		}
	}
	if len(dropped) > 0 {
		out = append(out, Effect{Action: Drop, Packets: dropped})
	}
	return out
}

// cause tells what an input is to this entry now.
func (e *Entry) cause(now time.Time, in Input) (Cause, bool) {
	switch in.Kind {
	case Demand:
		return Demanded, true
	case Answer:
		if e.addr.IsValid() && e.state.Usable() && in.Addr != e.addr {
			return Moved, true
		}
		return Answered, true
	case Use:
		return Used, true
	case Pin:
		return Pinned, true
	case Lend:
		return Lent, true
	case Deny:
		return Denied, true
	}
	if in.Used && e.state == Verify && !e.demand {
		return Used, true
	}
	return e.due(now)
}

// due tells what the passing of time is to this entry.
func (e *Entry) due(now time.Time) (Cause, bool) {
	if now.Before(e.Deadline()) {
		return 0, false
	}
	switch e.state {
	case Incomplete, Down:
		switch {
		case e.Exhausted() && (e.demand || e.state == Incomplete):
			return Exhausted, true
		case e.demand:
			return Unanswered, true
		}
		return Idled, true
	case Reachable:
		return Aged, true
	case Verify:
		switch {
		case e.demand && int(e.tries) < e.limits.MaxTries:
			return Unanswered, true
		case e.demand || !now.Before(e.Expires()):
			return Lapsed, true
		}
	}
	return 0, false
}

// Deadline returns when the entry wants a [Tick]; the zero time is never. A Tick
// before it does no harm.
func (e *Entry) Deadline() time.Time {
	switch e.state {
	case Incomplete, Down:
		if e.demand || e.state == Incomplete && e.Exhausted() {
			return e.requested.Add(RequestInterval)
		}
		return e.Expires()
	case Reachable:
		return e.validated.Add(e.limits.MaxAge - e.limits.verifyWindow())
	case Verify:
		if e.demand {
			return e.requested.Add(RequestInterval)
		}
		return e.Expires()
	}
	return time.Time{}
}

// enter does what a transition does to the fields of the entry itself.
func (e *Entry) enter(now time.Time, row Transition, cause Cause, in Input) {
	e.state = row.To
	switch cause {
	case Answered, Moved, Pinned, Lent:
		if row.From == Permanent && cause == Moved {
			return
		}
		e.addr, e.validated = in.Addr, now.Add(-in.Age)
		e.tries, e.demand = 0, false
	case Aged:
		e.tries, e.demand = 0, false
	case Used:
		e.demand = e.state == Verify
	case Denied:
		e.requested, e.demand = now, false // it is kept as long as one that was asked for
	case Exhausted, Idled, Lapsed:
		e.demand = false
	case Demanded:
		// In Verify demand is evidence of use, which lasts until the answer.
		e.demand = e.demand || e.state == Verify
	}
}

// mayRequest reports whether a second has passed since the last request.
func (e *Entry) mayRequest(now time.Time) bool {
	return e.requested.IsZero() || now.Sub(e.requested) >= RequestInterval
}

// Unsent takes back the last request, which could not be sent: it does not count
// against maxtries. The next one is due as if it had been.
func (e *Entry) Unsent() {
	if e.tries > 0 {
		e.tries--
	}
}

// Abandon ends lasting demand: those that waited have gone.
func (e *Entry) Abandon() {
	if e.state == Incomplete || e.state == Down {
		e.demand = false
	}
}
