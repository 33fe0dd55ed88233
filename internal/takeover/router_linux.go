package takeover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/proxy"
)

// lowest is the address that the default route is asked for with. It is no host's
// (RFC 1122 section 3.2.1.3), so that no other route has it, unless one was made
// for half of all addresses in place of a default route; FreeBSD, too, looks for
// the longest prefix that has the lowest address. The kernel takes 0.0.0.0 itself
// for this host.
var lowest = netip.AddrFrom4([4]byte{0, 0, 0, 1})

// Route implements [host.Router] with the kernel's routing decisions: what it would
// do with a packet of the sender that comes in for the target, and, the way back,
// with one of the target that comes in for the sender where the first has left. So
// rules by source, by interface and by VRF count in both directions, and so do
// forwarding and rp_filter of both interfaces. (FreeBSD has no rules; there the way
// back is the route to the sender.)
//
// A probe has no sender, and the kernel forwards no packet without one: it is asked
// where it would send a packet of its own to the target, so that rules by source or
// interface do not count, and the way back is the default route.
//
// The interface need not be taken over: what a host of its own hears on its port
// comes to the kernel by the TUN device, which forwards it, too. The error wraps
// ENXIO if there is no such interface.
func (m *Manager) Route(_ context.Context, q proxy.Question) (proxy.Routes, error) {
	d, err := m.decision(q.Interface)
	if err != nil {
		return proxy.Routes{}, fmt.Errorf("asking for the route of a request on %s: %w", q.Interface, err)
	}
	if q.Sender.IsUnspecified() {
		return d.probe(q)
	}
	return d.forward(q)
}

// decision is a routing decision under way, for a request on the link here.
type decision struct {
	m    *Manager
	here rtnl.Link
	// kernelsWay says that the kernel's proxy_arp is set, which does not look at the
	// way back, but is silent to a sender that cannot be on the link.
	kernelsWay bool
}

func (m *Manager) decision(name string) (decision, error) {
	if t := m.byName(name); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		return decision{m: m, here: t.link, kernelsWay: t.policy.proxyARP}, nil
	}
	for _, l := range *m.links.Load() {
		if l.Name == name {
			return decision{m: m, here: l}, nil
		}
	}
	l, err := m.router.LinkByName(name)
	if rtnl.IsNotExist(err) {
		return decision{}, syscall.ENXIO
	}
	return decision{m: m, here: l}, err
}

func (d *decision) forward(q proxy.Question) (proxy.Routes, error) {
	there, err := d.m.router.RouteForward(q.Target, q.Sender, d.here.Index)
	unlikely := errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EXDEV)
	if unlikely {
		// A blackhole, or the sender cannot be on this link: by rp_filter, or because
		// it is this host. Where packets of this host go tells the two apart.
		if d.kernelsWay {
			return proxy.Routes{}, nil
		}
		there, err = d.m.router.RouteGet(q.Target, d.vrf())
	}
	to, next, err := d.leaves(there, err)
	if err != nil || next == 0 {
		return proxy.Routes{}, err
	}
	back, _, err := d.leaves(d.m.router.RouteForward(q.Sender, q.Target, next))
	if unlikely && back == d.here.Name {
		back = "" // the kernel would not take the sender's packets here
	}
	return proxy.Routes{To: to, Back: back}, err
}

func (d *decision) probe(q proxy.Question) (proxy.Routes, error) {
	if c := d.here.IPv4; c != nil && c[rtnl.ConfForwarding] == 0 {
		return proxy.Routes{}, nil
	}
	to, _, err := d.leaves(d.m.router.RouteGet(q.Target, d.vrf()))
	if err != nil {
		return proxy.Routes{}, err
	}
	back, _, err := d.leaves(d.m.router.RouteGet(lowest, d.vrf()))
	return proxy.Routes{To: to, Back: back}, err
}

// vrf returns the interface that stands for the table of this one, 0 for the main
// one.
func (d *decision) vrf() int {
	if d.here.MasterKind == "vrf" {
		return d.here.Master
	}
	return 0
}

// leaves returns the name, for the rules of proxying, and the index of the
// interface by which a route leaves: "" and 0 if it leads to no other host. An
// error is one of the question only.
func (d *decision) leaves(r rtnl.Route, err error) (name string, index int, _ error) {
	switch {
	case noRoute(err):
		return "", 0, nil
	case err != nil:
		return "", 0, err
	case r.Type != rtnl.RouteUnicast || r.OIF == 0:
		return "", 0, nil // this host, broadcast
	case r.OIF == d.here.Index:
		return d.here.Name, r.OIF, nil
	}
	l, err := d.m.linkOf(r.OIF)
	switch {
	case rtnl.IsNotExist(err):
		return "", 0, nil // it went meanwhile, with its routes
	case err != nil:
		return "", 0, err
	case l.Flags&rtnl.LinkLoopback != 0:
		return "", 0, nil // for packets that are to be lost
	case sameMedium(d.here, l):
		return d.here.Name, r.OIF, nil
	}
	return l.Name, r.OIF, nil
}

// noRoute reports whether an error of the kernel is its answer to the question for
// a route, and not the failure of the question.
func noRoute(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL, syscall.EXDEV, syscall.ENODEV} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// sameMedium reports whether two interfaces are on one link: an interface and its
// macvlan ones, these among each other, or those that the administrator says are,
// by medium_id. (Ports of a bridge have no routes of their own; the bridge has.)
func sameMedium(a, b rtnl.Link) bool {
	if a.IPv4 != nil && b.IPv4 != nil {
		// Documentation/networking/ip-sysctl.rst, medium_id: 0 is not said, -1 is no
		// proxying.
		id, other := a.IPv4[rtnl.ConfMediumID], b.IPv4[rtnl.ConfMediumID]
		if id > 0 && (other == id || other == -1) {
			return true
		}
	}
	return under(a) == under(b)
}

// under returns the index of the interface whose link this one is on.
func under(l rtnl.Link) int {
	if l.Kind == "macvlan" && l.LowerIndex != 0 && !l.LowerNetNS {
		return l.LowerIndex
	}
	return l.Index
}

// linkOf returns an interface as the kernel told last.
func (m *Manager) linkOf(index int) (rtnl.Link, error) {
	if l, ok := (*m.links.Load())[index]; ok {
		return l, nil
	}
	return m.router.Link(index)
}

// routingPause is how long changes of routes are taken together after one: a table
// that flaps costs two hundred wakings a second, however many routes it has, and a
// decision outlives its route by no more.
const routingPause = 5 * time.Millisecond

// runRouting drops the routing decisions whenever one may have changed, until the
// socket is closed.
func (m *Manager) runRouting(ctx context.Context) error {
	for {
		err := m.routing.Wait()
		switch {
		case errors.Is(err, net.ErrClosed), err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("receiving the kernel's changes of routes: %w", err)
		}
		m.host.InvalidateRoutes()
		select {
		case <-ctx.Done():
		case <-time.After(routingPause):
		}
	}
}
