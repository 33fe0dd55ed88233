package acd

import "github.com/isat-project/isat/lladdr"

// cause tells what an input is to this address now, and who claims it if the
// cause is a conflict.
func (a *Address) cause(now moment, in *Input) (cause Cause, owner lladdr.Addr, ok bool) {
	switch in.Kind {
	case Assign, Adopt:
		a.timing = TimingOf(a.IP(), a.ifc.ReportsLink)
		return a.appeared(in.Kind), owner, true
	case Resume:
		if a.state == None { // the train of any other state goes on as it began
			a.timing = TimingOf(a.IP(), a.ifc.ReportsLink)
		}
		return Resumed, in.Owner, true
	case Release:
		return Released, owner, true
	case Inquire:
		if a.state == None {
			a.timing = RFC5227
			if in.Fast {
				a.timing = Fast
			}
		}
		return Inquired, owner, true
	case LinkUp:
		cause, ok = a.linkUp()
		return cause, owner, ok
	case Hear:
		return a.heard(now, in)
	case Ask:
		return Asked, owner, true
	}
	return 0, owner, false
}

// appeared is what it means that the address is on the interface (facts 3.2).
func (a *Address) appeared(how Kind) Cause {
	switch {
	case a.exempt():
		return Exempted
	case how == Adopt:
		return Adopted
	case !a.probes():
		return Trusted
	}
	return Assigned
}

// exempt reports whether the address is used without any detection (facts 3.2).
func (a *Address) exempt() bool {
	return a.Policy.Detect == DetectOff || a.ifc.NoARP || a.ip == [4]byte{}
}

// probes reports whether the address is probed at all.
func (a *Address) probes() bool {
	return a.Policy.Detect == DetectProbe && a.timing.schedule(a.ifc.Config).count > 0
}

// linkUp is what the return of the link is to the address (facts 3.2; 3.4 step 5).
func (a *Address) linkUp() (Cause, bool) {
	switch {
	case a.state == Duplicate:
		return RecoveryDue, a.recovers()
	case !a.state.watched() || !a.probes():
		return Relinked, true
	case a.ifc.Reprobe == ReprobeStrict:
		return Silenced, true
	}
	return Reprobed, true
}

// heard is what a packet is to the address.
func (a *Address) heard(now moment, in *Input) (cause Cause, owner lladdr.Addr, ok bool) {
	verdict := Judge(&in.Packet, a.IP(), in.Elsewhere, a.ifc.Self)
	owner = verdict.Owner(&in.Packet)
	switch {
	case !verdict.Conflict(a.state):
		return 0, owner, false
	case a.state.asks():
		return Conflicted, owner, true
	case a.state == Reprobing && a.Policy.Defend != DefendAlways && !a.Policy.keeps():
		return Conflicted, owner, true // as if it were not used meanwhile
	}
	return a.claimed(now), owner, true
}

// claimed is what a claim is to an address in use (facts 3.6).
func (a *Address) claimed(now moment) Cause {
	var defends bool
	switch a.Policy.Defend {
	case DefendSolaris:
		limit := a.ifc.Config.MaxDefend
		if a.Policy.Temporary {
			limit = a.ifc.Config.MaxTempDefend
		}
		defends = !a.recent(now) && limit > 0 || int(a.defended) < limit
	case DefendOnce, DefendAlways:
		defends = !a.recent(now)
	}
	switch {
	case defends && !a.Policy.Proxied:
		return Contested
	case a.Policy.keeps() || a.Policy.Defend == DefendAlways:
		return Tolerated
	}
	return Lost
}

// recent reports whether the last claim counts still.
func (a *Address) recent(now moment) bool {
	return a.conflicted != never && now <= a.conflicted.after(a.window())
}

// countClaim counts a claim that is defended against.
func (a *Address) countClaim(now moment) {
	if !a.recent(now) {
		a.defended = 0
	}
	a.defended++
	a.conflicted = now
}
