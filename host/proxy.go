package host

import (
	"context"
	"net/netip"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// Router is an IP side that makes the routing decisions, such as the kernel with
// its policy routing: proxyall and proxy_arp go by them.
type Router interface {
	// Route returns by which interfaces packets to the target and back to the
	// sender of a request leave. That there is no route is no error; an error says
	// that the question could not be asked, and the request stays without an
	// answer. Route is called without a lock, may be called by several goroutines,
	// must not call the host, and returns when ctx is done. An error that wraps
	// ENXIO says that it does not route for the interface: the host's own table
	// decides.
	Route(ctx context.Context, q proxy.Question) (proxy.Routes, error)
}

// Proxies returns the prefix rules. Changes hold from the next request on.
func (h *Host) Proxies() *proxy.Rules { return &h.rules }

// SetProxyARP switches Linux' proxy_arp on this interface: requests for what is
// behind another interface are answered, whatever the route back. Linux does so
// only where it forwards, so it is to be off where forwarding is.
func (i *Interface) SetProxyARP(on bool) {
	i.host.mu.Lock()
	defer i.host.unlock()
	i.proxyARP = on
}

// proxyView is what package proxy sees of the host: an interface on which a
// request came in. The lock is held.
type proxyView Interface

// Settings implements [proxy.Host].
func (v *proxyView) Settings() proxy.Settings {
	return proxy.Settings{ProxyAll: v.settings.ProxyAll, ProxyProbes: v.settings.ProxyProbes, ProxyARP: v.proxyARP}
}

// LinkAddr implements [proxy.Host].
func (v *proxyView) LinkAddr() lladdr.Addr { return v.mac }

// IsStation implements [proxy.Host].
func (v *proxyView) IsStation(mac lladdr.Addr) bool { return (*Interface)(v).isStation(mac) }

// Own implements [proxy.Host].
func (v *proxyView) Own(r proxy.Request) (proxy.Ownership, lladdr.Addr) {
	ifc := (*Interface)(v)
	switch h := v.host; {
	case h.answersFor(ifc, r.TargetIP, r.SenderIP):
		return proxy.Owned, lladdr.Addr{}
	case ifc.isBroadcast(r.TargetIP):
		return proxy.Broadcast, lladdr.Addr{}
	case ifc.ownAt(r.TargetIP) != nil, h.ownsAnywhere(r.TargetIP):
		return proxy.Withheld, lladdr.Addr{}
	}
	return proxy.Foreign, lladdr.Addr{}
}

// Published implements [proxy.Host].
func (v *proxyView) Published(ip netip.Addr) (proxy.Publication, lladdr.Addr) {
	return v.host.published((*Interface)(v), ip)
}

// Heard implements [proxy.Host].
func (v *proxyView) Heard(target netip.Addr, from lladdr.Addr) bool {
	return v.host.heardFrom(target, from)
}

// respond is step 13: it decides on a request and does what was decided.
func (h *Host) respond(now time.Time, ifc *Interface, request proxy.Request, router proxy.Router) {
	d := h.rules.Decide(now, request, (*proxyView)(ifc), router)
	switch d.Verdict {
	case proxy.Answer:
		h.answerRequest(now, ifc, d)
	case proxy.Refuse:
		ifc.drop(DropProxyRefused)
		h.reportDecision(now, ifc, event.ProxyRefused, d)
	case proxy.Wait:
		wake(h.wakeRouter)
	default:
		if len(ifc.addresses) == 0 {
			ifc.drop(DropNoAddress)
		} else {
			ifc.drop(DropNotForUs)
		}
	}
}

// answerRequest sends the answer that was decided. Whatever it says, the frame
// comes from the interface's own address (facts/freebsd-arp.md 3.3 step 13).
func (h *Host) answerRequest(now time.Time, ifc *Interface, d proxy.Decision) {
	request := d.Request
	to, by := request.SenderMAC, request.Back
	if request.TargetIP.IsLinkLocalUnicast() && !d.Proxied() {
		to, by = ifc.framing.Broadcast(), link.SourceRoute{} // RFC 3927 section 2.5; facts 3.3: of own addresses only
	}
	if reply, watched := h.askMachine(now, ifc, d); watched {
		switch {
		case reply.Action != acd.Reply:
			ifc.drop(DropNotForUs)
			return
		case reply.Broadcast:
			to, by = ifc.framing.Broadcast(), link.SourceRoute{}
		}
	}
	if !h.sendARP(ifc, to, by, arp.Packet{
		Operation: arp.Reply,
		SenderHW:  d.MAC, SenderIP: request.TargetIP,
		TargetHW: request.SenderMAC, TargetIP: request.SenderIP,
	}) {
		return
	}
	ifc.stats.TxReplies++
	if d.Proxied() {
		ifc.stats.Proxied++
		h.reportDecision(now, ifc, event.Proxied, d)
	}
}

// askMachine asks the machine of the address that a request is answered for, its own
// or a published one, how. watched says that there is one.
func (h *Host) askMachine(now time.Time, ifc *Interface, d proxy.Decision) (reply acd.Effect, watched bool) {
	ask, ip := acd.Input{Kind: acd.Ask}, d.Request.TargetIP
	if o := ifc.ownAt(ip); o != nil && o.watched() && !d.Proxied() {
		return h.detect(now, o, ask), true
	}
	if p := ifc.proxied[ip]; p != nil && d.Reason == proxy.PublishedAnswer {
		return h.detectProxied(now, p, ask), true
	}
	return acd.Effect{}, false
}

// reportDecision tells of a request for somebody else: its target, and who asks.
func (h *Host) reportDecision(now time.Time, ifc *Interface, kind event.Type, d proxy.Decision) {
	h.diagnose(now, ifc, kind, d.Request.TargetIP, func() event.Event {
		e := event.Event{MAC: d.Request.SenderMAC}
		e.Severity, e.Message = d.Diagnostic()
		return e
	})
}
