package proxy

import (
	"net/netip"
	"time"

	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// Request is an ARP request, "who has TargetIP, tell SenderIP", as it came in.
type Request struct {
	Interface string      // the present name of the interface that it came in on
	SenderMAC lladdr.Addr // the zero Addr: not known, the owner of TargetIP is not recognised by it
	SenderIP  netip.Addr  // 0.0.0.0 in a probe
	TargetIP  netip.Addr
	// Back is the way to the sender over the bridges of a Token Ring. The rules do
	// not look at it: it is there for the answer.
	Back link.SourceRoute
}

// IsProbe reports whether the sender has no address yet and asks whether
// TargetIP is free (RFC 5227 section 1.1).
func (r Request) IsProbe() bool { return r.SenderIP == netip.IPv4Unspecified() }

// Host is what [Rules.Decide] asks the host. Every question is about the
// interface that the request came in on. A type of one pointer costs no
// allocation here.
type Host interface {
	// Settings returns the switches in force.
	Settings() Settings
	// LinkAddr returns the interface's own link-layer address, which stands for
	// every answer that names none.
	LinkAddr() lladdr.Addr
	// IsStation reports whether a link-layer address may be that of one station on
	// the interface.
	IsStation(lladdr.Addr) bool
	// Own tells whether the target is an own address of the host, on whichever
	// interface, and the link-layer address to answer with; the zero Addr stands
	// for LinkAddr.
	Own(Request) (Ownership, lladdr.Addr)
	// Published tells whether the address has a published entry, and the
	// link-layer address of the one on this interface; the zero Addr stands for
	// LinkAddr. An entry whose address is still being probed is not published.
	Published(netip.Addr) (Publication, lladdr.Addr)
	// Heard reports whether from is the link-layer address that target was last
	// heard from, on any interface. Published and other permanent entries do not
	// follow what is heard, so this is not what they hold.
	Heard(target netip.Addr, from lladdr.Addr) bool
}

// Settings are the switches that decide on proxying: two of the MIB, one of Linux.
type Settings struct {
	ProxyAll    bool // net.link.ether.inet.proxyall
	ProxyProbes bool // net.link.ether.inet.proxy_probes
	// ProxyARP is Linux' net.ipv4.conf.IF.proxy_arp of the interface of the
	// request, and false while the interface does not forward.
	ProxyARP bool
}

// Ownership is how an address relates to the own addresses of the host.
type Ownership uint8

// The kinds of ownership.
const (
	Foreign   Ownership = iota // no own address
	Owned                      // an own address that the interface answers for
	Withheld                   // an own address that it does not answer for: by arp_ignore, not verified yet, or withdrawn
	Broadcast                  // a broadcast address of the interface
)

// Publication is where an address has a published entry.
type Publication uint8

// The places of a published entry.
const (
	Unpublished         Publication = iota // nowhere
	PublishedHere                          // on the interface of the request
	PublishedElsewhere                     // on another interface only
	PublishedUnverified                    // on the interface of the request, but the address is not known to be free yet
)

// Router makes routing decisions. now is the time of the request.
type Router interface {
	Routes(now time.Time, r Request) (Routes, RouteState)
}

// Routes is the routing decision for a request: the names of the interfaces by
// which the route to its target and the route back to its sender leave, "" where
// there is none. A route that leads to no other host (one of this host's own
// addresses, broadcast, reject, blackhole) is none.
//
// An interface that shares the link of the request's, as the members of a bridge
// or of an IPMP group do, goes by the name of the request's. The route back for
// a probe is the default route.
type Routes struct {
	To   string
	Back string
}

// Routes implements [Router] for a decision that is there.
func (r Routes) Routes(time.Time, Request) (Routes, RouteState) { return r, Known }

// RouteState tells whether there is a routing decision.
type RouteState uint8

// The states.
const (
	Unknown RouteState = iota // it was asked for and will come
	Known
	Limited // there were too many questions: it will not come
)
