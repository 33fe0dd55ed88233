package cache

import (
	"fmt"

	"github.com/isat-project/isat/event"
)

// Cause is what moves an entry from state to state: the inputs of
// [Entry.Handle], told apart by what the entry knows.
type Cause uint8

// The causes.
const (
	// Demanded: a packet or a program wants the address.
	Demanded Cause = iota
	// Answered: the owner said the link-layer address that the entry has, or
	// the entry had none.
	Answered
	// Moved: the owner said another link-layer address than the entry has.
	Moved
	// Used: the data path says that the entry is in use.
	Used
	// Unanswered: a second has passed since a request, and another is due.
	Unanswered
	// Exhausted: a second has passed since the last of maxtries requests.
	Exhausted
	// Idled: wait seconds have passed since the last request without demand.
	Idled
	// Aged: the end of max_age is near.
	Aged
	// Lapsed: max_age has passed, or the validation before it had no answer.
	Lapsed
	// Pinned: the administrator made the entry permanent.
	Pinned
	// Lent: the administrator set the entry for max_age ("temp").
	Lent
	// Denied: somebody wants the address, and ARP may not ask for it.
	Denied
	numCauses
)

var causeNames = [numCauses]string{
	"demanded", "answered", "moved", "used", "unanswered", "exhausted", "idled", "aged", "lapsed", "pinned", "lent", "denied",
}

// String returns the name of c.
func (c Cause) String() string {
	if c < numCauses {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Action is something that the owner of an entry has to do.
type Action uint8

// The actions.
const (
	// Request: send a who-has for the address, to the link's broadcast address.
	// It is left out of the effects while the last one is less than a second ago.
	Request Action = iota + 1
	// Bind: the binding that packets use changed, or the IP side has to be told
	// it again.
	Bind
	// Release: send the packets in [Effect.Packets] to the new address.
	Release
	// Watch: the entry is in Verify; the data path is to report use from now on.
	Watch
	// Fail: tell those that wait that the neighbour does not answer.
	Fail
	// Remove: take the entry out of the table; it is in state None now, and the
	// packets in [Effect.Packets] were dropped.
	Remove
	// Drop: the hold queue was full; the packets in [Effect.Packets] were dropped.
	Drop
	// Report: tell the world of [Effect.Event].
	Report
)

var actionNames = [...]string{"none", "request", "bind", "release", "watch", "fail", "remove", "drop", "report"}

// String returns the name of a.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Transition is one row of the machine: what a cause does in a state. A cause
// that has no row in a state changes nothing there.
type Transition struct {
	From    State
	Cause   Cause
	To      State
	Actions []Action
	Report  event.Type // the event of a Report action
	Source  string     // where the rule is from
}

// transitions is the machine. Sources are sections of facts/freebsd-arp.md
// unless they say otherwise; "isat" is our own.
var transitions = [...]Transition{
	{None, Demanded, Incomplete, []Action{Report, Request}, event.Added, "2.2 step 8"},
	{None, Answered, Reachable, []Action{Bind, Report}, event.Added, "3.3 step 8: learned from a request for us"},
	{None, Pinned, Permanent, []Action{Bind, Report}, event.Added, "6.3"},
	{None, Lent, Reachable, []Action{Bind, Report}, event.Added, "6.3"},

	{Incomplete, Demanded, Incomplete, []Action{Request}, 0, "2.2 step 8: one request a second"},
	{Incomplete, Unanswered, Incomplete, []Action{Request}, 0, "2.2 step 8, for demand that lasts"},
	{Incomplete, Exhausted, Down, []Action{Fail, Report}, event.Unanswered, "2.2 step 7"},
	{Incomplete, Idled, None, []Action{Remove, Report}, event.Expired, "2.4: timer on INCOMPLETE"},
	{Incomplete, Answered, Reachable, []Action{Bind, Release, Report}, event.Resolved, "3.3 step 12"},

	{Down, Demanded, Down, []Action{Request}, 0, "2.2: requests never stop while there is demand"},
	{Down, Unanswered, Down, []Action{Request}, 0, "2.2 step 8, when maxtries was raised"},
	{Down, Exhausted, Down, []Action{Fail}, 0, "2.2 step 7"},
	{Down, Idled, None, []Action{Remove, Report}, event.Expired, "2.4: timer on INCOMPLETE"},
	{Down, Answered, Reachable, []Action{Bind, Release, Report}, event.Resolved, "3.3 step 12: a late answer frees the held packet"},

	{Reachable, Demanded, Reachable, []Action{Bind}, 0, "isat: the IP side lost the binding, tell it again"},
	{Reachable, Used, Reachable, []Action{Bind}, 0, "DESIGN section 4: the kernel probes what is still valid"},
	{Reachable, Answered, Reachable, nil, 0, "3.3 step 12: max_age starts anew"},
	{Reachable, Moved, Reachable, []Action{Bind, Report}, event.Moved, "3.3 step 10"},
	{Reachable, Aged, Verify, []Action{Watch}, 0, "2.4: timer on REACHABLE"},

	{Verify, Demanded, Verify, []Action{Bind, Request}, 0, "isat: demand is use"},
	{Verify, Used, Verify, []Action{Request}, 0, "2.4: timer on VERIFY, used since"},
	{Verify, Unanswered, Verify, []Action{Request}, 0, "2.4: timer on VERIFY, used since"},
	{Verify, Answered, Reachable, []Action{Bind, Report}, event.Validated, "2.4: on answer"},
	{Verify, Moved, Reachable, []Action{Bind, Report}, event.Moved, "3.3 step 10"},
	{Verify, Lapsed, None, []Action{Remove, Report}, event.Expired, "2.4: timer on VERIFY, else delete"},

	{Permanent, Demanded, Permanent, []Action{Bind}, 0, "isat: the IP side lost the binding, tell it again"},
	{Permanent, Moved, Permanent, []Action{Report}, event.PermanentModify, "3.3 step 10"},

	{None, Denied, Down, []Action{Fail, Report}, event.Added, "2.2 step 5: NOARP and STATICARP"},
	{Incomplete, Denied, Down, []Action{Fail, Report}, event.Unanswered, "2.2 step 5: NOARP and STATICARP"},
	{Down, Denied, Down, []Action{Fail}, 0, "2.2 step 5: NOARP and STATICARP"},

	{Incomplete, Pinned, Permanent, []Action{Bind, Release, Report}, event.Changed, "6.3"},
	{Down, Pinned, Permanent, []Action{Bind, Release, Report}, event.Changed, "6.3"},
	{Reachable, Pinned, Permanent, []Action{Bind, Report}, event.Changed, "6.3"},
	{Verify, Pinned, Permanent, []Action{Bind, Report}, event.Changed, "6.3"},
	{Permanent, Pinned, Permanent, []Action{Bind, Report}, event.Changed, "6.3: -s replaces"},
	{Incomplete, Lent, Reachable, []Action{Bind, Release, Report}, event.Changed, "6.3"},
	{Down, Lent, Reachable, []Action{Bind, Release, Report}, event.Changed, "6.3"},
	{Reachable, Lent, Reachable, []Action{Bind, Report}, event.Changed, "6.3"},
	{Verify, Lent, Reachable, []Action{Bind, Report}, event.Changed, "6.3"},
	{Permanent, Lent, Reachable, []Action{Bind, Report}, event.Changed, "6.3: -s replaces"},
}

// Transitions returns the rows of the machine, for tests and documents.
func Transitions() []Transition { return append([]Transition(nil), transitions[:]...) }

// index finds the row of a state and a cause: 0 is none, else 1 + its place.
var index = func() (t [numStates][numCauses]uint8) {
	for i, row := range transitions {
		t[row.From][row.Cause] = uint8(i + 1)
	}
	return t
}()

func lookup(s State, c Cause) (Transition, bool) {
	i := index[s][c]
	if i == 0 {
		return Transition{}, false
	}
	return transitions[i-1], true
}
