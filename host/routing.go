package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/proxy"
)

// ownRoutes is the [proxy.Router] of a host that routes by its own table. The
// lock is held.
type ownRoutes Host

// Routes implements [proxy.Router].
func (o *ownRoutes) Routes(_ time.Time, r proxy.Request) (proxy.Routes, proxy.RouteState) {
	h := (*Host)(o)
	return proxy.Routes{To: h.leavesBy(r.TargetIP), Back: h.leavesBy(r.SenderIP)}, proxy.Known
}

// leavesBy returns the name of the interface by which packets to an address
// leave, "" if they reach no other host. 0.0.0.0, the sender of a probe, has the
// default route.
func (h *Host) leavesBy(ip netip.Addr) string {
	if h.ownsAnywhere(ip) {
		return ""
	}
	for _, ifc := range h.interfaces {
		if ifc.isBroadcast(ip) {
			return ""
		}
	}
	hop, ok := h.routes.NextHop(ip)
	if !ok || hop.Network == nil {
		return "" // no route, or one that rejects or discards
	}
	ifc := h.byIndex(hop.Network.Interface)
	if ifc == nil {
		return ""
	}
	if e := h.find(ifc, hop.Addr); e != nil && e.action != Forward {
		return "" // an entry that does
	}
	return ifc.name
}

// InvalidateRoutes tells the host that a route, a routing rule, an interface or
// the name of one has changed: what its Router has said holds no longer.
func (h *Host) InvalidateRoutes() {
	h.mu.Lock()
	defer h.unlock()
	h.decisions.Invalidate()
}

// routePatience is how long one question to the Router may take. Whoever asked
// has repeated its request by then.
const routePatience = time.Second

// runRouter is the goroutine that asks the Router.
func (h *Host) runRouter(ctx context.Context) {
	if h.router == nil {
		return
	}
	var questions []proxy.Question
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wakeRouter:
		}
		for {
			h.mu.Lock()
			questions = h.decisions.Questions(questions[:0])
			h.unlock()
			if len(questions) == 0 {
				break
			}
			for _, q := range questions {
				h.askRouter(ctx, q)
			}
		}
	}
}

// askRoutes returns what the Router says to a question, or the host's own table for
// an interface that is not the Router's.
func (h *Host) askRoutes(ctx context.Context, q proxy.Question) (proxy.Routes, error) {
	routes, err := h.router.Route(ctx, q)
	if errors.Is(err, syscall.ENXIO) {
		h.mu.Lock()
		defer h.mu.Unlock()
		routes, _ = (*ownRoutes)(h).Routes(time.Now(), proxy.Request{TargetIP: q.Target, SenderIP: q.Sender})
		err = nil
	}
	return routes, err
}

// askRouter asks one question and answers the request that waits for it. Once ctx
// is done no question is answered.
func (h *Host) askRouter(ctx context.Context, q proxy.Question) {
	asking, cancel := context.WithTimeout(ctx, routePatience)
	routes, err := h.askRoutes(asking, q)
	cancel()
	h.mu.Lock()
	defer h.unlock()
	now := time.Now()
	if err != nil {
		h.decisions.Fail(q)
		if ifc := h.byName(q.Interface); ifc != nil && ctx.Err() == nil {
			h.diagnose(now, ifc, event.Ignored, q.Target, func() event.Event {
				return event.Event{Severity: event.Warning, Message: fmt.Sprintf("isat: asking for the route to %v: %v", q.Target, err)}
			})
		}
		return
	}
	request, ok := h.decisions.Store(now, q, routes)
	if !ok {
		return
	}
	// The interface may have changed while the request waited.
	switch ifc := h.byName(request.Interface); {
	case ifc == nil: // its requests are forgotten
	case !ifc.up:
		ifc.drop(DropInterfaceDown)
	case ifc.mode == Off:
		ifc.drop(DropInterfaceOff)
	case ifc.mode == Watch:
		ifc.drop(DropWatching)
	default:
		h.respond(now, ifc, request, routes)
	}
}
