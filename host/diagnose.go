package host

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/route"
)

// limiter holds diagnostics back that repeat: at most max_log_per_second of a
// kind for an address in a second.
type limiter struct {
	windows map[diagnostic]*window
	timer   deadline.Timer[timed] // looks at the windows that are over
}

// diagnostic is what repeats.
type diagnostic struct {
	kind event.Type
	ip   netip.Addr
}

// window is a second of one diagnostic.
type window struct {
	start    time.Time
	said     int
	held     uint64
	ifc      *Interface
	built    bool           // one was made, if only to know its severity
	severity event.Severity // of the gravest line that was made, 0 if none has one
}

// note takes the severity of a diagnostic for the line that counts those held back.
func (w *window) note(e event.Event) {
	w.built = true
	if e.Message != "" && (w.severity == 0 || e.Severity < w.severity) {
		w.severity = e.Severity
	}
}

// maxWindows bounds what senders with random addresses can make us remember;
// beyond it the addresses of a kind share one window.
const maxWindows = 1024

// windowLength is what "per second" counts in.
const windowLength = time.Second

// allow returns the window of a diagnostic and whether it may be said now, and
// counts it if not.
func (h *Host) allow(now time.Time, ifc *Interface, d diagnostic) (*window, bool) {
	l := &h.limiter
	if l.windows == nil {
		l.windows = make(map[diagnostic]*window)
		l.timer.Value = l
	}
	w, ok := l.windows[d]
	if !ok && len(l.windows) >= maxWindows {
		d.ip = netip.Addr{}
		w, ok = l.windows[d]
	}
	if !ok {
		w = &window{start: now, ifc: ifc}
		l.windows[d] = w
		if len(l.windows) == 1 {
			h.timers.Set(&l.timer, now.Add(windowLength))
		}
	}
	if w.said < ifc.settings.MaxLogPerSecond {
		w.said++
		return w, true
	}
	w.held++
	ifc.stats.Suppressed++
	return w, false
}

// fire implements [timed]: windows that are over are reported and forgotten.
func (l *limiter) fire(h *Host, now time.Time) {
	next := time.Time{}
	for d, w := range l.windows {
		if end := w.start.Add(windowLength); now.Before(end) {
			if next.IsZero() || end.Before(next) {
				next = end
			}
			continue
		}
		delete(l.windows, d)
		if w.held > 0 {
			h.record(w.suppressed(d))
		}
	}
	h.timers.Set(&l.timer, next)
}

// suppressed returns the event of what was held back. It has a line for the log
// where one of those would have been there: not if their switch is off.
func (w *window) suppressed(d diagnostic) event.Event {
	e := event.Event{Type: event.Suppressed, Interface: w.ifc.name, IP: d.ip, Count: w.held}
	if w.severity != 0 {
		e.Severity, e.Message = max(event.Info, w.severity), suppressedText(d, w.held)
	}
	return e
}

func suppressedText(d diagnostic, n uint64) string {
	if d.ip.IsValid() {
		return fmt.Sprintf("arp: suppressed %d messages like this: %v, %v", n, d.kind, d.ip)
	}
	return fmt.Sprintf("arp: suppressed %d messages like this: %v", n, d.kind)
}

// diagnose records an event of a kind that strangers can cause at will, unless
// there were too many. build makes the rest of it.
func (h *Host) diagnose(now time.Time, ifc *Interface, kind event.Type, ip netip.Addr, build func() event.Event) {
	w, allowed := h.allow(now, ifc, diagnostic{kind, ip})
	if !allowed && w.built {
		return
	}
	e := build()
	if w.note(e); !allowed {
		return
	}
	e.Type, e.Interface, e.IP = kind, ifc.name, ip
	h.record(e)
}

// lookupFailed tells why a sender to be learned has no entry: arplookup of
// FreeBSD 7 (facts/freebsd-arp.md 2.5). Its third reason, "gateway route is not
// ours", is of routes that lead to no interface; those have no clones here.
func (h *Host) lookupFailed(now time.Time, ifc *Interface, ip netip.Addr, why string) {
	h.diagnose(now, ifc, event.Ignored, ip, func() event.Event {
		return event.Event{Severity: event.Debug, Message: fmt.Sprintf("arplookup %v failed: %s", ip, why)}
	})
}

// resolveFailed tells that an address cannot be asked for: there is no room for
// an entry ("llinfo"), no network of the interface has the address (which arp(4)
// calls a misconfigured routing table, "llinfo" too), or none has the gateway of
// its route any more ("route").
func (h *Host) resolveFailed(now time.Time, ifc *Interface, ip netip.Addr, what string) {
	h.diagnose(now, ifc, event.Missed, ip, func() event.Event {
		return event.Event{Severity: event.Debug, Message: fmt.Sprintf("arpresolve: can't allocate %s for %v", what, ip)}
	})
}

// record appends an event. The ring does not make anybody wait, so it may be
// called under the lock, which keeps events in the order of what happened.
func (h *Host) record(e event.Event) {
	e.Time = time.Now()
	h.events.Append(e)
}

// Record appends an event of somebody else's, such as the IP side's, to those of
// the host.
func (h *Host) Record(e event.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	h.events.Append(e)
}

// reportEntry tells what happened to an entry.
func (h *Host) reportEntry(now time.Time, e *entry, effect cache.Effect) {
	ifc := e.ifc
	switch effect.Event {
	case event.Moved:
		h.diagnose(now, ifc, event.Moved, e.ip, func() event.Event {
			ev := event.Event{MAC: effect.New, OldMAC: effect.Old}
			if ifc.settings.LogMovements {
				ev.Severity = event.Info
				ev.Message = fmt.Sprintf("arp: %v moved from %v to %v on %s", e.ip, effect.Old, effect.New, ifc.name)
			}
			return ev
		})
	case event.PermanentModify:
		h.diagnose(now, ifc, event.PermanentModify, e.ip, func() event.Event {
			ev := event.Event{MAC: effect.New, OldMAC: effect.Old}
			if ifc.settings.LogPermanentModify {
				ev.Severity = event.Error
				ev.Message = fmt.Sprintf("arp: %v attempts to modify permanent entry for %v on %s", effect.New, e.ip, ifc.name)
			}
			return ev
		})
	default:
		h.record(event.Event{Type: effect.Event, Interface: ifc.name, IP: e.ip, MAC: effect.New})
	}
}

// routeEvents are the events of the messages of the routing table.
var routeEvents = map[route.MessageType]event.Type{
	route.Add: event.RouteAdd, route.Delete: event.RouteDelete, route.Change: event.RouteChange,
	route.Resolve: event.RouteResolve, route.Miss: event.RouteMiss,
}

// reportRoute makes a message of the routing table an event.
func (h *Host) reportRoute(m route.Message[entry]) {
	e := event.Event{Type: routeEvents[m.Type], IP: m.Prefix.Addr()}
	if ifc := h.byIndex(m.Interface); ifc != nil {
		e.Interface = ifc.name
	}
	if m.Entry != nil {
		e.MAC = m.Entry.Addr()
	} else {
		// A network is not told by its address alone. Those of single addresses
		// are, and they come with every neighbour: no text is made for them.
		e.Severity, e.Message = event.Debug, fmt.Sprintf("route: %v %v on %s, flags %v", m.Type, m.Prefix, e.Interface, m.Flags)
	}
	h.record(e)
}
