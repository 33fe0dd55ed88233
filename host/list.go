package host

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// Entry is an entry as it is at one moment.
type Entry struct {
	Interface string
	Index     int
	Type      string // of the medium, as arp(8) names it
	IP        netip.Addr
	MAC       lladdr.Addr      // the zero Addr if it is not known
	Route     link.SourceRoute // the way there over the bridges of a Token Ring
	Auto      bool             // MAC is that of the interface, which a published entry follows
	State     cache.State
	Expires   time.Time // zero for a permanent one
	Tries     int       // requests since the last answer
	Held      int       // packets that wait
	Flags     route.Flags
	Own       bool // an address of this host
	Authority bool // Own, or said to be ours by the administrator
	Origin    Origin
	Publish   Publish // whether requests for it are answered
	Action    Action  // what becomes of packets to it
	Probed    bool    // its address was, or is being, probed: see [Change.Probe]
	Told      bool    // the IP side has been told of it, or published it first
}

// Entries returns the entries of all interfaces, those of the own addresses
// included, by interface and address. A published-only entry is one of its own,
// behind the ordinary one of the same address.
func (h *Host) Entries() []Entry {
	all := h.snapshot()
	slices.SortFunc(all, inOrder)
	return all
}

// inOrder compares entries by interface and address; the published-only one comes
// after the ordinary one.
func inOrder(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), a.IP.Compare(b.IP), cmp.Compare(a.Publish, b.Publish))
}

// snapshot returns the entries in no order: sorting takes longest, and nobody need
// wait for it.
func (h *Host) snapshot() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Entry
	for _, ifc := range h.interfaces {
		for _, a := range ifc.addresses {
			all = append(all, ifc.ownEntry(a.Prefix.Addr()))
		}
		for e := range ifc.entries() {
			all = append(all, e.snapshot())
		}
		for _, p := range ifc.published {
			all = append(all, p.snapshot())
		}
	}
	return all
}

// ownEntry returns the entry of an own address.
func (i *Interface) ownEntry(ip netip.Addr) Entry {
	return Entry{
		Interface: i.name, Index: i.index, Type: i.framing.HardwareType().String(),
		IP: ip, MAC: i.mac, State: cache.Permanent, Own: true, Authority: true,
		Flags: ownFlags, Origin: Administrator,
	}
}

// Entry returns what [Host.Entries] has of one address, without looking at the
// others: of each interface the ordinary entry and the published-only one.
func (h *Host) Entry(ip netip.Addr) []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	ip = ip.Unmap()
	var all []Entry
	for _, ifc := range h.interfaces {
		if ifc.owns(ip) {
			all = append(all, ifc.ownEntry(ip))
		}
		if e := h.find(ifc, ip); e != nil {
			all = append(all, e.snapshot())
		}
		if p := ifc.published[ip]; p != nil {
			all = append(all, p.snapshot())
		}
	}
	return all
}

func (e *entry) snapshot() Entry {
	clone, _ := e.network.Clones().Get(route.Key(e.ip))
	return Entry{
		Interface: e.ifc.name, Index: e.ifc.index, Type: e.ifc.framing.HardwareType().String(),
		IP: e.ip, MAC: e.Addr(), Auto: e.auto, Route: e.sourceRoute(), State: e.State(), Expires: e.Expires(), Tries: e.Tries(), Held: e.Held(), Flags: clone.Flags,
		Origin: e.origin, Publish: e.publish, Action: e.action, Authority: e.authority, Told: e.installed,
		Probed: e.publish == Published && e.ifc.proxied[e.ip] != nil,
	}
}
