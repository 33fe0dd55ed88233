package acd

import (
	"fmt"

	"github.com/isat-project/isat/event"
)

// Cause is what moves an address from state to state: the inputs of
// [Address.Handle], told apart by what the address knows.
type Cause uint8

// The causes.
const (
	// Assigned: the address is there, or begins anew, and is to be probed.
	Assigned Cause = iota
	// Trusted: it is there, and not to be probed: policy announce, or a
	// probe_count of 0.
	Trusted
	// Adopted: it was there, and in use, before isat was.
	Adopted
	// Exempted: it is there, and not to be looked at: policy off, or no ARP.
	Exempted
	// Released: it is gone.
	Released
	// Resumed: an earlier run of isat has withdrawn it as a duplicate.
	Resumed
	// Inquired: somebody wants to know whether it is free.
	Inquired

	// Relinked: the link is back, and what was under way begins anew.
	Relinked
	// Reprobed: the link is back; the address is announced and probed (reprobe =
	// "announce").
	Reprobed
	// Silenced: the link is back; the address is not used until it is probed
	// (reprobe = "strict").
	Silenced
	// Unlinked: there is no link to inquire on.
	Unlinked

	// ProbeDue: the time between probes, or before the first, has passed.
	ProbeDue
	// Cleared: the time after the last probe has passed without a conflict.
	Cleared
	// AnnounceDue: the time between the first announcements has passed.
	AnnounceDue
	// Published: the last of them has been sent.
	Published
	// PeriodicDue: defend_interval has passed since the last broadcast.
	PeriodicDue
	// Delayed: it has, but the budget of the interface is spent.
	Delayed
	// DefenceDue: a claim is to be answered.
	DefenceDue
	// Calmed: no claim was heard for conflict_window.
	Calmed
	// RecoveryDue: dup_recovery has passed, or the link is back.
	RecoveryDue

	// Conflicted: somebody has, or wants, the address that is being probed.
	Conflicted
	// Contested: somebody claims the address in use, and it is defended.
	Contested
	// Tolerated: somebody claims it, it is kept, and nothing is sent.
	Tolerated
	// Lost: somebody claims it once more than it is defended.
	Lost
	// Asked: somebody asks who has it.
	Asked
	numCauses
)

var causeNames = [numCauses]string{
	"assigned", "trusted", "adopted", "exempted", "released", "resumed", "inquired",
	"relinked", "reprobed", "silenced", "unlinked",
	"probe due", "cleared", "announcement due", "published", "periodic due", "delayed", "defence due", "calmed", "recovery due",
	"conflicted", "contested", "tolerated", "lost", "asked",
}

// String returns the name of c.
func (c Cause) String() string {
	if c < numCauses {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// sends reports whether c makes the machine send a frame of its own accord.
func (c Cause) sends() bool {
	return c == ProbeDue || c == AnnounceDue || c == PeriodicDue || c == DefenceDue
}

// Action is something that the owner of an address has to do.
type Action uint8

// The actions.
const (
	// Suspend: neither answer for the address nor use it as a sender until Use.
	// It stays on the interface.
	Suspend Action = iota + 1
	// Use: answer for the address and use it.
	Use
	// Withdraw: it is a duplicate. Neither answer for it nor use it, and take it
	// off the interface, or the interface down.
	Withdraw
	// Restore: it is free again. Put it back on the interface; Use follows.
	Restore
	// Probe: broadcast a request with sender 0.0.0.0 for the address.
	Probe
	// Announce: broadcast an announcement of the address.
	Announce
	// Reply: answer the request that was asked, to the asker or, with
	// [Effect.Broadcast], to all.
	Reply
	// Free: the inquiry found nobody.
	Free
	// Taken: the inquiry found [Effect.MAC].
	Taken
	// Abort: the inquiry has no answer, because the link went.
	Abort
	// Report: tell the world of [Effect.Event].
	Report
)

var actionNames = [...]string{
	"none", "suspend", "use", "withdraw", "restore", "probe", "announce", "reply", "free", "taken", "abort", "report",
}

// String returns the name of a.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Transition is one row of the machine: what a cause does in some states. A cause
// that has no row in a state changes nothing there.
type Transition struct {
	From    []State
	Cause   Cause
	To      State // Same: as before
	Actions []Action
	Reports []event.Type // the events of the Report actions, in their order
	Source  string       // where the rule is from
}

// Sets of states for the table.
var (
	anyState = []State{None, Probing, Announcing, Verified, Defending, Reprobing, Duplicate, Recovering, Inquiring, Exempt}
	inUse    = []State{Announcing, Verified, Defending, Reprobing}
)

// transitions is the machine. Sources are sections of
// facts/solaris-arp-ipmp.md unless they say otherwise; "isat" is our own.
var transitions = [...]Transition{
	{anyState, Assigned, Probing, []Action{Suspend, Report}, []event.Type{event.Probing}, "3.2; 3.4 step 6: also anew, by the administrator"},
	{anyState, Trusted, Announcing, []Action{Use}, nil, "3.2: probe_count 0 is ready at once; isat: policy announce"},
	{anyState, Adopted, Announcing, []Action{Use}, nil, "isat: present at takeover, announced once"},
	{anyState, Exempted, Exempt, []Action{Use}, nil, "3.2: no ARP; isat: policy off"},
	{anyState, Released, None, nil, nil, "3.4 step 6: cancels recovery"},
	{[]State{None}, Resumed, Duplicate, nil, nil, "3.4, over a restart of isat"},
	{[]State{None}, Inquired, Inquiring, nil, nil, "RFC 5227 2.1.1, for somebody else"},

	{[]State{Probing, Reprobing, Recovering, Inquiring}, ProbeDue, Same, []Action{Probe}, nil, "3.2"},
	{[]State{Probing}, Cleared, Announcing, []Action{Use, Report}, []event.Type{event.Verified}, "3.2"},
	{[]State{Reprobing}, Cleared, Announcing, []Action{Report}, []event.Type{event.Verified}, "3.2, beside its use"},
	{[]State{Recovering}, Cleared, Announcing, []Action{Restore, Use, Report}, []event.Type{event.Recovered}, "3.4 step 4"},
	{[]State{Inquiring}, Cleared, None, []Action{Free}, nil, "RFC 5227 2.1.1"},
	{[]State{Probing}, Conflicted, Duplicate, []Action{Withdraw, Report}, []event.Type{event.Duplicate}, "3.4 steps 1 and 2"},
	{[]State{Reprobing}, Conflicted, Duplicate, []Action{Report, Withdraw, Report}, []event.Type{event.Conflict, event.Duplicate}, "3.4, beside its use"},
	{[]State{Recovering}, Conflicted, Duplicate, nil, nil, "3.4 step 4: without a word"},
	{[]State{Inquiring}, Conflicted, None, []Action{Taken}, nil, "RFC 5227 2.1.1"},
	{[]State{Inquiring}, Unlinked, None, []Action{Abort}, nil, "isat"},

	{[]State{Announcing, Reprobing}, AnnounceDue, Same, []Action{Announce}, nil, "3.5"},
	{[]State{Announcing}, Published, Verified, nil, nil, "3.5"},
	{[]State{Verified, Defending}, PeriodicDue, Same, []Action{Announce}, nil, "3.5"},
	{[]State{Verified, Defending}, Delayed, Same, nil, nil, "3.5: over budget nothing is sent"},
	{append(inUse[:len(inUse):len(inUse)], Exempt), Asked, Same, []Action{Reply}, nil, "3.5: to all once in broadcast_interval"},

	{inUse, Contested, Defending, []Action{Report}, []event.Type{event.Conflict}, "3.6 steps 1 to 4; RFC 5227 2.4 (b) and (c)"},
	{[]State{Defending}, DefenceDue, Same, []Action{Announce, Report}, []event.Type{event.Defended}, "3.6 step 4"},
	{[]State{Defending}, Calmed, Verified, nil, nil, "3.6 step 2: the count begins anew"},
	{[]State{Announcing}, Tolerated, Verified, []Action{Report}, []event.Type{event.Conflict}, "3.6 step 1: announcements stop"},
	{[]State{Verified, Defending, Reprobing}, Tolerated, Same, []Action{Report}, []event.Type{event.Conflict}, "3.6, not ours; RFC 5227 2.4 (c)"},
	{[]State{Announcing, Verified, Defending}, Lost, Duplicate, []Action{Report, Withdraw, Report}, []event.Type{event.Conflict, event.Duplicate}, "3.6 step 5; RFC 5227 2.4 (a) and (b)"},

	{[]State{Duplicate}, RecoveryDue, Recovering, nil, nil, "3.4 steps 3 to 5"},

	{[]State{Probing, Recovering}, Relinked, Same, nil, nil, "3.2: probing restarts on link up"},
	{inUse, Relinked, Announcing, nil, nil, "3.2, where nothing is probed"},
	{inUse, Reprobed, Reprobing, []Action{Report}, []event.Type{event.Probing}, "isat: reprobe = \"announce\""},
	{inUse, Silenced, Probing, []Action{Suspend, Report}, []event.Type{event.Probing}, "3.2: again for all addresses when the link returns"},
}

// Transitions returns the rows of the machine, for tests and documents.
func Transitions() []Transition { return append([]Transition(nil), transitions[:]...) }

// index finds the row of a state and a cause: 0 is none, else 1 + its place.
var index = func() (t [numStates][numCauses]uint8) {
	for i, row := range transitions {
		for _, from := range row.From {
			t[from][row.Cause] = uint8(i + 1)
		}
	}
	return t
}()

func lookup(s State, c Cause) (*Transition, bool) {
	i := index[s][c]
	if i == 0 {
		return nil, false
	}
	return &transitions[i-1], true
}
