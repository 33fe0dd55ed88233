package host

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/isat-project/isat/proxy"
)

// Explanation is what the host does with a request, and why.
type Explanation struct {
	Request proxy.Request
	// Before is what happens to the request before the rules are looked at, in
	// words; "" if nothing does.
	Before string
	// Dropped says that it does not come to the rules, for the reason Drop.
	Dropped bool
	Drop    Drop
	// Decision is what the rules decide; its Verdict is [proxy.Ignore] if Dropped.
	// Its Request is another than the one above if the sender claims an address of
	// this host: then it is answered as if it had asked for that.
	Decision proxy.Decision
}

// Explain returns e in words, as [proxy.Decision.Explain] does: lines that end
// with "\n".
func (e Explanation) Explain() string {
	if e.Before == "" {
		return e.Decision.Explain()
	}
	asked, _, _ := strings.Cut(proxy.Decision{Request: e.Request}.Explain(), "\n")
	_, rest, _ := strings.Cut(e.Decision.Explain(), "\n")
	return fmt.Sprintf("%s\n  %-16s %s\n%s", asked, "input:", e.Before, rest)
}

// Explain tells what the host would do with a request at this moment. It goes the
// way of a request that comes in, but sends, learns and counts nothing, and asks
// the Router itself. If the request's SenderMAC is the zero Addr, what depends on
// it is left out.
//
// The error wraps ENXIO for an unknown interface, and EINVAL for addresses that
// are not of IPv4 or of the interface's medium; it is the Router's if that fails.
func (h *Host) Explain(ctx context.Context, r proxy.Request) (Explanation, error) {
	e, err := h.explain(r, nil)
	if err == nil && e.Decision.Verdict == proxy.Wait {
		var routes proxy.Routes
		asked := e.Decision.Request
		routes, err = h.askRoutes(ctx, proxy.Question{Interface: asked.Interface, Target: asked.TargetIP, Sender: asked.SenderIP})
		if err == nil {
			e, err = h.explain(r, routes)
		}
	}
	if err != nil {
		return Explanation{}, fmt.Errorf("explaining the request for %v on %q: %w", r.TargetIP, r.Interface, err)
	}
	return e, nil
}

// explain is Explain with a router; nil leaves the decision waiting if it takes
// the Router of the host.
func (h *Host) explain(r proxy.Request, router proxy.Router) (Explanation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ifc := h.byName(r.Interface)
	switch {
	case ifc == nil:
		return Explanation{}, fmt.Errorf("no such interface: %w", syscall.ENXIO)
	case !r.SenderIP.Is4() || !r.TargetIP.Is4():
		return Explanation{}, fmt.Errorf("it takes IPv4 addresses: %w", syscall.EINVAL)
	case r.SenderMAC.IsValid() && r.SenderMAC.Len() != ifc.framing.AddrLen():
		return Explanation{}, fmt.Errorf("link-layer address %v has %d bytes, %s has %d: %w",
			r.SenderMAC, r.SenderMAC.Len(), ifc.name, ifc.framing.AddrLen(), syscall.EINVAL)
	}
	switch {
	case router != nil:
	case h.router == nil:
		router = (*ownRoutes)(h)
	default:
		router = unknownRoutes{}
	}
	e := Explanation{Request: r}
	e.Decision.Request = r
	if e.Before, e.Drop, e.Dropped = h.beforeRules(ifc, r); e.Dropped {
		return e, nil
	}
	if h.claims(r.SenderIP) == claimAnswered {
		r.TargetIP = r.SenderIP
	}
	e.Decision = h.rules.Decide(time.Now(), r, (*proxyView)(ifc), router)
	return e, nil
}

// unknownRoutes is a [proxy.Router] that knows nothing.
type unknownRoutes struct{}

// Routes implements [proxy.Router].
func (unknownRoutes) Routes(time.Time, proxy.Request) (proxy.Routes, proxy.RouteState) {
	return proxy.Routes{}, proxy.Unknown
}

// beforeRules tells in words what becomes of a request on its way to the rules,
// and whether it is dropped there. It follows inputFrame, inputARP and reply.
func (h *Host) beforeRules(ifc *Interface, r proxy.Request) (words string, why Drop, dropped bool) {
	switch {
	case !ifc.up:
		return fmt.Sprintf("the link of %s is down", ifc.name), DropInterfaceDown, true
	case ifc.mode == Off:
		return fmt.Sprintf("%s does no ARP", ifc.name), DropInterfaceOff, true
	}
	why, ok := h.checkHardware(ifc, r.SenderMAC)
	if ok || !r.SenderMAC.IsValid() {
		why, ok = ifc.checkAddress(r.SenderIP)
	}
	switch {
	case !ok:
		return senderWords(why, r), why, true
	case ifc.dropGratuitous && r.SenderIP == r.TargetIP:
		return fmt.Sprintf("it is an announcement, and %s ignores those (drop_gratuitous_arp)", ifc.name), DropGratuitous, true
	case ifc.mode == Watch:
		return fmt.Sprintf("%s only observes", ifc.name), DropWatching, true
	case h.claims(r.SenderIP) == claimDetected:
		return fmt.Sprintf("the sender claims %v, an address of this host: it is a conflict, and not answered", r.SenderIP), DropClaim, true
	case h.claims(r.SenderIP) == claimAnswered:
		return fmt.Sprintf("the sender claims %v, an address of this host: it is answered as if it had asked for that", r.SenderIP), 0, false
	}
	return "", 0, false
}

// senderWords tells why the sender of a request cannot be one.
func senderWords(why Drop, r proxy.Request) string {
	switch why {
	case DropSelf:
		return fmt.Sprintf("%v is an address of this machine itself", r.SenderMAC)
	case DropBroadcastSender:
		return fmt.Sprintf("%v is the broadcast address", r.SenderMAC)
	case DropMulticastSender:
		return fmt.Sprintf("%v is a multicast address (allow_multicast is 0)", r.SenderMAC)
	case DropZeroSender:
		return fmt.Sprintf("%v is no host's address", r.SenderMAC)
	case DropLoopbackSender:
		return fmt.Sprintf("the sender %v is a loopback address", r.SenderIP)
	case DropMulticastAddress:
		return fmt.Sprintf("the sender %v is a multicast address", r.SenderIP)
	}
	return fmt.Sprintf("the sender %v is a broadcast address of %s", r.SenderIP, r.Interface)
}
