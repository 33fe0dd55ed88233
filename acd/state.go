package acd

import "fmt"

// State is the state of an address on an interface.
//
//	            assigned
//	(none) ───────────────▶ PROBING ───────────────────┐
//	   │                       │ no conflict           │ conflict
//	   │ trusted, adopted      ▼                       │
//	   ├──────────────▶ ANNOUNCING ◀─────────┐         │
//	   │                       │ announced   │         │
//	   │                       ▼             │         │
//	   │                   VERIFIED          │         │
//	   │        conflict, │        ▲ calm    │         │
//	   │         defended ▼        │         │ no      │
//	   │                   DEFENDING         │ conflict│
//	   │                       │             │         │
//	   │          one conflict │             │         │
//	   │          too many     ▼             │         │
//	   │                   DUPLICATE ◀───────┼─────────┘
//	   │            dup_recovery │  ▲        │
//	   │            or link up   ▼  │conflict│
//	   │                   RECOVERING ───────┘
//	   │ inquired
//	   └──────────────▶ INQUIRING ──▶ (none): free, or taken
//
// When the link comes back, an address in use is REPROBING: announced and probed
// beside its use; or, as in Solaris, it is PROBING again. EXEMPT is used without
// any of this. [Transitions] is the same as data.
type State uint8

// The states.
const (
	// None is the zero State: of an address that is new or removed.
	None State = iota
	// Probing asks whether somebody has the address. Until it is over, the
	// address is neither answered for nor used as a sender. While the link is
	// down it waits.
	Probing
	// Announcing is in use, and new: the first announcements are going out.
	Announcing
	// Verified is in use, and watched.
	Verified
	// Defending is in use; somebody else claimed it less than conflict_window
	// ago.
	Defending
	// Reprobing is in use, and probed beside it, because the link came back.
	Reprobing
	// Duplicate is somebody else's: the address was withdrawn.
	Duplicate
	// Recovering is a duplicate that is probed again, in silence.
	Recovering
	// Inquiring is no address of ours: somebody wants to know whether it is free.
	Inquiring
	// Exempt is in use without probing, announcing and watching.
	Exempt
	numStates

	// Same stands for the state before in [Transition.To].
	Same State = 0xff
)

var stateNames = [numStates]string{
	"none", "probing", "announcing", "verified", "defending", "reprobing", "duplicate", "recovering", "inquiring", "exempt",
}

// String returns the name of s in lower case, such as "verified".
func (s State) String() string {
	switch {
	case s < numStates:
		return stateNames[s]
	case s == Same:
		return "same"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Usable reports whether an address in state s is answered for and may be a
// sender.
func (s State) Usable() bool { return s.watched() || s == Exempt }

// watched reports whether s is a state of use in which claims are noticed.
func (s State) watched() bool {
	return s == Announcing || s == Verified || s == Defending || s == Reprobing
}

// asks reports whether s is a state in which nobody has the address yet as far
// as is known, and any sign of another owner counts.
func (s State) asks() bool { return s == Probing || s == Recovering || s == Inquiring }
