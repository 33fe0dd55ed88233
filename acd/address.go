package acd

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// Address is the machine of one address on one interface. Use [New]. It is not
// safe for concurrent use; its owner guards it together with its [Interface].
//
// The owner gives it [Release] before it drops it, so that it gives back what
// the interface has promised it.
type Address struct {
	// Policy may be changed between calls; it holds from the next input on.
	Policy Policy

	ifc        *Interface
	since      moment // of the last step: a frame, or the begin of the state
	broadcast  moment // of the last announcement or reply to all
	conflicted moment // of the last claim that counts
	slot       moment // when the next frame may be sent, if that is later than due
	owner      lladdr.Addr
	ip         [4]byte
	random     uint32 // drawn anew at every step
	defended   uint16 // claims defended against within conflict_window
	count      uint8  // probes, or announcements, sent in this state
	left       uint8  // announcements to send
	state      State
	timing     Timing
	stage      stage
	delayed    bool // it waits for a place in the interface's budget
	owed       bool // an announcement is to be sent now
}

// stage is how far a frame that is due has come on its way through the gates of
// the interface.
type stage uint8

const (
	stageDue   stage = iota // no gate was asked, or the budget refused it
	stageTrain              // its train may begin at slot
	stageFrame              // it may leave at slot
)

// New returns an IPv4 address in state [None] on an interface.
func New(ifc *Interface, ip netip.Addr, policy Policy) Address {
	return Address{Policy: policy, ifc: ifc, ip: ip.As4()}
}

// IP returns the address itself.
func (a *Address) IP() netip.Addr { return netip.AddrFrom4(a.ip) }

// State returns the state.
func (a *Address) State() State { return a.state }

// Delayed reports whether the periodic announcement waits for the interface's
// budget: flag y of arp(8) in Solaris.
func (a *Address) Delayed() bool { return a.delayed }

// Owner returns who uses the address instead: of one that is duplicate or
// recovering, else the zero Addr.
func (a *Address) Owner() lladdr.Addr {
	if a.state != Duplicate && a.state != Recovering {
		return lladdr.Addr{}
	}
	return a.owner
}

// Kind is what an [Input] says.
type Kind uint8

// The kinds of input.
const (
	Tick    Kind = iota // time has passed, or the interface has changed
	Assign              // the address is new on the interface, or set up anew
	Adopt               // it was there, and in use, before
	Release             // it was taken off the interface
	Resume              // it is a duplicate that an earlier run withdrew. Only in state None
	Inquire             // is it free? Only in state None
	LinkUp              // the link came back; after Interface.SetLink(true)
	Hear                // a packet that has it as sender or target was heard
	Ask                 // a request for it is to be answered
)

// Input is what happened to an address.
type Input struct {
	Packet    arp.Packet  // of Hear
	Owner     lladdr.Addr // of Resume: who had it
	Kind      Kind
	Elsewhere bool // of Hear: on another interface
	Fast      bool // of Inquire: by the fastprobe nodes, not RFC 5227
}

// Effect is something for the owner to do, in the order given.
type Effect struct {
	MAC       lladdr.Addr // of Taken, and of Report of a conflict: who has the address
	Action    Action
	Event     event.Type // of Report
	Cause     Cause      // of all
	Broadcast bool       // of Reply
}

// Handle tells the address what happened at the time now, and appends to out what
// its owner has to do about it. It returns the extended slice.
func (a *Address) Handle(now time.Time, in Input, out []Effect) []Effect {
	m := a.ifc.moment(now)
	earliest := never // what is due now cannot have been due before
	if cause, owner, ok := a.cause(m, &in); ok {
		out = a.take(m, cause, owner, out)
		if cause != Asked {
			earliest = m // it may be due by this, and not because the owner is late
		}
	}
	for {
		cause, at := a.next()
		if at == never || m < at {
			return out
		}
		at = max(at, earliest)
		switch {
		case !cause.sends() || a.admit(m, at, cause):
			out = a.take(m, cause, lladdr.Addr{}, out)
		case a.delayed:
			out = a.take(m, Delayed, lladdr.Addr{}, out)
		}
	}
}

// Deadline returns when the address wants a [Tick]; the zero time is never. A
// Tick before it does no harm.
func (a *Address) Deadline() time.Time {
	_, at := a.next()
	return a.ifc.time(at)
}

// take makes the transition that a cause has in this state, if any. owner is who
// claims the address, if the cause is a conflict.
func (a *Address) take(now moment, cause Cause, owner lladdr.Addr, out []Effect) []Effect {
	row, ok := lookup(a.state, cause)
	if !ok {
		return out
	}
	a.enter(now, row, owner)
	if cause == DefenceDue {
		owner = a.owner
	}
	reports := row.Reports
	for _, action := range row.Actions {
		e := Effect{Action: action, Cause: cause}
		switch action {
		case Report:
			e.MAC, e.Event, reports = owner, reports[0], reports[1:]
		case Taken:
			e.MAC = owner
		case Announce:
			a.toldAll(now)
		case Reply:
			if e.Broadcast = a.mayTellAll(now); e.Broadcast {
				a.toldAll(now)
			}
		}
		out = append(out, e)
	}
	return out
}

// mayTellAll reports whether a reply goes to all: once in broadcast_interval,
// announcements included (facts 3.5).
func (a *Address) mayTellAll(now moment) bool {
	return a.state.watched() && (a.broadcast == never || time.Duration(now-a.broadcast) > a.ifc.Config.BroadcastInterval)
}

// toldAll notes that everybody has been told of the address. Whoever waits for a
// place in the budget needs it no more (facts 3.5: passive defence).
func (a *Address) toldAll(now moment) {
	a.broadcast = now
	if a.delayed {
		a.forgetSlot()
	}
}

// forgetSlot gives up what was granted to the next frame.
func (a *Address) forgetSlot() {
	if a.delayed {
		a.ifc.budget.leave()
		a.delayed = false
	}
	if a.stage == stageTrain {
		a.ifc.pacer.leave()
	}
	a.slot, a.stage = never, stageDue
}

// enter does what a transition does to the fields of the address itself.
func (a *Address) enter(now moment, row *Transition, owner lladdr.Addr) {
	from, cause := a.state, row.Cause
	if row.To != Same {
		a.state = row.To
	}
	switch cause { // what was granted to the next frame
	case Asked, Delayed, Calmed: // is still for that frame
	case Tolerated:
		if a.state != from {
			a.forgetSlot()
		}
	default:
		a.forgetSlot()
	}
	switch cause {
	case Assigned, Silenced, Reprobed, RecoveryDue, Inquired:
		a.probe(now)
		a.owed = cause == Reprobed
	case Relinked:
		if a.state == Announcing {
			a.publish(now, a.ifc.Config.PublishCount)
		} else {
			a.probe(now)
		}
	case Trusted:
		a.publish(now, a.ifc.Config.PublishCount)
	case Adopted:
		a.publish(now, 1)
	case ProbeDue:
		a.step(now)
		a.count++
	case Cleared:
		a.conflicted, a.defended = never, 0 // facts 3.6 step 6
		a.publish(now, a.ifc.Config.PublishCount)
		if from == Reprobing { // the first one went out when the link came back
			a.count, a.left = 1, a.left-1
		}
	case AnnounceDue:
		a.step(now)
		if a.owed {
			a.owed = false
		} else {
			a.count, a.left = a.count+1, a.left-1
		}
	case DefenceDue:
		a.owed = false
	case Calmed:
		a.conflicted, a.defended = never, 0
	case Conflicted, Lost, Resumed:
		a.step(now)
		a.owed, a.owner = false, owner
	case Contested:
		a.countClaim(now)
		a.step(now)
		a.owed, a.owner = true, owner
	case Tolerated:
		// An address that is always defended counts only what it defends against.
		if a.Policy.Defend != DefendAlways {
			a.conflicted = now
		}
	case Released, Exempted:
		a.conflicted, a.defended, a.owed = never, 0, false
	}
}

// step begins the time until the next step.
func (a *Address) step(now moment) {
	a.since = now
	a.random = uint32(a.ifc.Rand.Uint64())
}

// probe begins a train of probes.
func (a *Address) probe(now moment) {
	a.step(now)
	a.count, a.owed = 0, false
}

// publish begins a train of n announcements.
func (a *Address) publish(now moment, n int) {
	a.step(now)
	a.count, a.left, a.owed = 0, uint8(n), false
}
