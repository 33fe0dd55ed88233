package acd

import "time"

// next returns the cause that comes with time, and when; never if none does.
func (a *Address) next() (Cause, moment) {
	if !a.ifc.up {
		if a.state == Inquiring {
			return Unlinked, a.since
		}
		return 0, never
	}
	cause, at := a.due()
	if at != never && a.slot != never {
		at = a.slot
	}
	if a.state == Defending && !a.owed {
		// The claim at the end of the window counts: "more than" (facts 3.6 step 2).
		if calm := a.conflicted.after(a.window()) + 1; at == never || calm < at {
			return Calmed, calm
		}
	}
	return cause, at
}

// due is next without regard to the gates of the interface. Times are counted
// from what has happened, so that a tunable that changes holds at once.
func (a *Address) due() (Cause, moment) {
	c := a.ifc.Config
	switch a.state {
	case Probing, Recovering, Inquiring:
		return a.probeDue()
	case Reprobing:
		if a.owed {
			return AnnounceDue, a.since
		}
		return a.probeDue()
	case Announcing:
		switch {
		case a.count == 0:
			return AnnounceDue, a.since
		case a.left > 0:
			return AnnounceDue, a.since.after(c.PublishInterval)
		}
		return Published, a.since
	case Verified, Defending:
		switch {
		case a.owed:
			return DefenceDue, a.since
		case c.DefendInterval > 0 && c.DefendRate > 0 && !a.Policy.Proxied:
			return PeriodicDue, max(a.broadcast, a.since).after(c.DefendInterval)
		}
	case Duplicate:
		if a.recovers() {
			fifth := c.DupRecovery / 5
			return RecoveryDue, a.since.after(between(c.DupRecovery-fifth, c.DupRecovery+fifth, a.random))
		}
	}
	return 0, never
}

// probeDue is the next step of a train of probes.
func (a *Address) probeDue() (Cause, moment) {
	s := a.timing.schedule(a.ifc.Config)
	switch {
	case a.count == 0 && s.count > 0:
		return ProbeDue, a.since.after(between(s.soonest, s.latest, a.random))
	case int(a.count) < s.count:
		return ProbeDue, a.since.after(between(s.least, s.greatest, a.random))
	case s.count == 0:
		return Cleared, a.since
	}
	return Cleared, a.since.after(s.wait)
}

// recovers reports whether a duplicate is tried again. What DHCP or the kernel
// look after is left to them (facts 3.4 step 3).
func (a *Address) recovers() bool { return a.ifc.Config.DupRecovery > 0 && !a.Policy.Temporary }

// admit asks the gates of the interface whether the frame that was due at a moment
// may be sent now. If not, it notes the slot at which to ask the next one.
func (a *Address) admit(now, due moment, cause Cause) bool {
	due = max(due, now-moment(maxLate))
	if a.stage == stageDue {
		if cause == PeriodicDue && !a.afford(now) {
			return false
		}
		a.slot, a.stage = a.ifc.pacer.queue(due, a.train(cause)), stageTrain
		if a.slot > now {
			return false
		}
	}
	if a.stage == stageTrain {
		a.ifc.pacer.begin()
		a.slot, a.stage = a.ifc.pacer.send(max(due, a.slot)), stageFrame
	}
	return a.slot <= now
}

// afford asks the budget for a periodic announcement. If it is refused, the slot
// is the place that was given instead.
func (a *Address) afford(now moment) (ok bool) {
	c := a.ifc.Config
	ok, a.slot = a.ifc.budget.take(now, c.DefendRate, c.DefendPeriod, a.delayed)
	a.delayed = !ok
	return ok
}

// train returns how many frames begin with one that is due; 0 if it belongs to a
// train that has begun, or is a defence, which has no time to wait.
func (a *Address) train(cause Cause) int {
	switch {
	case cause == ProbeDue && a.count == 0:
		return a.timing.schedule(a.ifc.Config).count
	case cause == AnnounceDue && a.state == Announcing && a.count == 0:
		return int(a.left)
	case cause == AnnounceDue && a.state == Reprobing:
		return a.ifc.Config.PublishCount // those that follow in Announcing included
	case cause == PeriodicDue:
		return 1
	}
	return 0
}

// window is how long a claim counts for the next one: conflict_window, or
// DEFEND_INTERVAL of RFC 5227, which is not the tunable defend_interval.
func (a *Address) window() time.Duration {
	if a.Policy.Defend == DefendOnce || a.Policy.Defend == DefendAlways {
		return DefendInterval
	}
	return a.ifc.Config.ConflictWindow
}
