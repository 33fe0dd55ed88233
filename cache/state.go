package cache

import "fmt"

// State is the state of an entry.
//
//	           demand                    answer
//	(none) ─────────────▶ INCOMPLETE ───────────────▶ REACHABLE ◀──────┐
//	   ▲                   │   ▲                       │    ▲           │
//	   │ wait s without    │   │ one request           │    │           │
//	   │ demand            │   └─a second              │    │ answer    │ answer
//	   │◀──────────────────┤                           │    │           │
//	   │                   │ maxtries unanswered       │    │           │
//	   │                   ▼                           │    │           │
//	   │◀──────────────── DOWN ─────────────────────── │ ───┼───────────┘
//	   │   wait s                                      │    │
//	   │                           max_age is near     ▼    │
//	   └◀──────────────────────────────────────────── VERIFY
//	       max_age reached: not in use, or no answer
//
// An administrator's PERMANENT entry leaves that state only by the
// administrator's hand. [Transitions] is the same as data.
type State uint8

// The states.
const (
	// None is the zero State: of an entry that is new or removed.
	None State = iota
	// Incomplete has no link-layer address; requests go out while there is
	// demand.
	Incomplete
	// Reachable was validated less than max_age ago.
	Reachable
	// Verify is usable like Reachable, but max_age is near: it is validated
	// again if it is in use.
	Verify
	// Down has left maxtries requests unanswered, or may not be asked for. Demand is
	// an error now, and still makes a request a second at the most.
	Down
	// Permanent was set by an administrator; nothing on the wire changes it.
	Permanent
	numStates
)

var stateNames = [numStates]string{"none", "incomplete", "reachable", "verify", "down", "permanent"}

// String returns the name that the API uses, such as "reachable".
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Usable reports whether an entry in state s has a link-layer address that
// packets may be sent to.
func (s State) Usable() bool { return s == Reachable || s == Verify || s == Permanent }
