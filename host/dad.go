package host

import (
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/event"
)

// fire implements [timed].
func (o *own) fire(h *Host, now time.Time) { h.detect(now, o, acd.Input{}) }

// detect tells the machine of an own address what happened and carries the effects
// out. It returns that of a request to be answered, if it is.
func (h *Host) detect(now time.Time, o *own, in acd.Input) (reply acd.Effect) {
	h.drive(now, &o.machine, in, func(e acd.Effect) {
		switch e.Action {
		case acd.Suspend:
			h.touchOwn(o)
		case acd.Use:
			h.touchOwn(o)
			h.askAgain(o.ifc)
		case acd.Withdraw:
			h.withdraw(o)
		case acd.Restore:
			h.putBack(o)
		case acd.Announce:
			h.announce(o.ifc, o.IP())
		case acd.Reply:
			reply = e
		case acd.Report:
			h.reportDetection(now, &o.machine, o.diagnosticName(), e)
		}
	})
	return reply
}

// reportDetection tells what a machine reports. Strangers can cause conflicts at
// will; the other events come with a change of the address and are never held
// back. Name is that of the address, as a logical interface has one; a claim is
// heard and answered on the interface itself (facts 1.8).
func (h *Host) reportDetection(now time.Time, m *machine, name string, e acd.Effect) {
	if e.Event == event.Conflict || e.Event == event.Defended {
		name = m.ifc.name
	}
	if e.Event == event.Conflict {
		h.diagnose(now, m.ifc, event.Conflict, m.IP(), func() event.Event {
			severity, message := m.Diagnostic(e, name)
			return event.Event{MAC: e.MAC, Severity: severity, Message: message}
		})
		return
	}
	ev := event.Event{Type: e.Event, Interface: m.ifc.name, IP: m.IP(), MAC: e.MAC}
	if !e.MAC.IsValid() {
		ev.MAC = m.ifc.mac
	}
	ev.Severity, ev.Message = m.Diagnostic(e, name)
	h.record(ev)
}

// withdraw takes an own address away: it is somebody else's.
func (h *Host) withdraw(o *own) {
	o.absent, o.restored = false, false
	h.removeOwn(o)
	h.touchOwn(o)
}

// putBack makes a withdrawn address an own one again.
func (h *Host) putBack(o *own) {
	o.restored = true
	h.insertOwn(o)
	h.touchOwn(o)
}
