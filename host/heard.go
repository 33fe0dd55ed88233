package host

import (
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// lastHeard remembers from which link-layer address an IP address was last heard,
// on any interface: so the owner of an address is known when it asks for it, and
// is not told that its address is taken.
//
// It is not in the entries. A permanent or published one does not follow what is
// heard, and most senders have none: an entry is made only by a packet for us.
//
// Its memory is bounded: when the young generation is full it becomes the old one,
// whose map is emptied and used again. What speaks stays in it, and after the maps
// have grown nothing is allocated.
type lastHeard struct {
	young, old map[uint32]lladdr.Addr // by route.Key
}

// maxHeard is the size of a generation: twice as many hosts as the largest links
// have, and 300 kB for both generations at most.
const maxHeard = 4096

// note remembers that ip was heard from mac.
func (l *lastHeard) note(ip netip.Addr, mac lladdr.Addr) {
	key := route.Key(ip)
	if known, ok := l.young[key]; ok && known == mac {
		return
	} else if !ok && len(l.young) >= maxHeard {
		l.young, l.old = l.old, l.young
		clear(l.young)
	}
	if l.young == nil {
		l.young = make(map[uint32]lladdr.Addr)
	}
	l.young[key] = mac
}

// get returns the link-layer address that ip was last heard from.
func (l *lastHeard) get(ip netip.Addr) (lladdr.Addr, bool) {
	key := route.Key(ip)
	if mac, ok := l.young[key]; ok {
		return mac, true
	}
	mac, ok := l.old[key]
	return mac, ok
}

// forget forgets from where ip was heard: its owner has left.
func (l *lastHeard) forget(ip netip.Addr) {
	delete(l.young, route.Key(ip))
	delete(l.old, route.Key(ip))
}

// hear remembers the sender of a packet. A probe has no address to remember.
func (h *Host) hear(p arp.Packet) {
	if !p.SenderIP.IsUnspecified() {
		h.lastHeard.note(p.SenderIP, p.SenderHW)
	}
}

// heardFrom reports whether ip was last heard from mac. If it was so long ago that
// it is forgotten, a dynamic entry may still know.
func (h *Host) heardFrom(ip netip.Addr, mac lladdr.Addr) bool {
	if last, ok := h.lastHeard.get(ip); ok {
		return last == mac
	}
	for _, ifc := range h.interfaces {
		if e := h.find(ifc, ip); e != nil && e.place >= 0 && e.Addr() == mac {
			return true
		}
	}
	return false
}
