package host

import (
	"github.com/isat-project/isat/mib"
	"github.com/isat-project/isat/proxy"
)

// Stats are the statistics of FreeBSD's struct arpstat (facts/freebsd-arp.md
// 1.2), what isat counts besides, and the frames dropped by reason.
type Stats struct {
	TxRequests uint64 // requests sent, announcements included
	TxReplies  uint64 // replies sent
	TxErrors   uint64 // frames that could not be sent
	RxRequests uint64 // requests received
	RxReplies  uint64 // replies received
	Received   uint64 // ARP packets received with a sound header
	Dropped    uint64 // packets that waited for an answer and were given up
	Timeouts   uint64 // entries that ended by time
	DupIPs     uint64 // claims of an own address by another host
	Evicted    uint64 // entries that made room for another
	Refused    uint64 // entries not made because max_entries are in use
	Suppressed uint64 // diagnostics held back by max_log_per_second
	Proxied    uint64 // replies sent for others, which TxReplies has too
	UnARPs     uint64 // entries removed because their owners said so (RFC 1868)

	// Routes counts the routing decisions that proxying asked Config.Router for;
	// it is of the whole host.
	Routes proxy.RouteStats

	Drops [numDrops]uint64 // received frames not acted on, by Drop
}

// counter is one field of Stats with its name in the MIB.
type counter struct {
	name, description string
	read              func(*Stats) uint64
}

// counters are in the order of Stats; the names are FreeBSD's where it has one.
var counters = [...]counter{
	{"txrequests", "ARP requests sent", func(s *Stats) uint64 { return s.TxRequests }},
	{"txreplies", "ARP replies sent", func(s *Stats) uint64 { return s.TxReplies }},
	{"txerrors", "ARP frames that could not be sent", func(s *Stats) uint64 { return s.TxErrors }},
	{"rxrequests", "ARP requests received", func(s *Stats) uint64 { return s.RxRequests }},
	{"rxreplies", "ARP replies received", func(s *Stats) uint64 { return s.RxReplies }},
	{"received", "ARP packets received", func(s *Stats) uint64 { return s.Received }},
	{"dropped", "packets dropped while they waited for an ARP reply", func(s *Stats) uint64 { return s.Dropped }},
	{"timeouts", "ARP entries timed out", func(s *Stats) uint64 { return s.Timeouts }},
	{"dupips", "claims of an own address by another host", func(s *Stats) uint64 { return s.DupIPs }},
	{"evicted", "ARP entries removed to make room", func(s *Stats) uint64 { return s.Evicted }},
	{"refused", "ARP entries not made, max_entries are in use", func(s *Stats) uint64 { return s.Refused }},
	{"suppressed", "diagnostics held back by max_log_per_second", func(s *Stats) uint64 { return s.Suppressed }},
	{"proxied", "ARP replies sent for other hosts", func(s *Stats) uint64 { return s.Proxied }},
	{"unarps", "ARP entries removed by UNARP packets of their owners", func(s *Stats) uint64 { return s.UnARPs }},
	{"route_hits", "requests decided by a routing decision that was kept", func(s *Stats) uint64 { return s.Routes.Hits }},
	{"route_questions", "questions for routing decisions", func(s *Stats) uint64 { return s.Routes.Questions }},
	{"route_limited", "requests refused because too many routing decisions were asked for", func(s *Stats) uint64 { return s.Routes.Limited }},
	{"route_late", "requests whose routing decision came too late or never", func(s *Stats) uint64 { return s.Routes.Late }},
	{"route_replaced", "requests in whose place a newer one waited for the routing decision", func(s *Stats) uint64 { return s.Routes.Replaced }},
}

// add adds the numbers of o to s.
func (s *Stats) add(o *Stats) {
	s.TxRequests += o.TxRequests
	s.TxReplies += o.TxReplies
	s.TxErrors += o.TxErrors
	s.RxRequests += o.RxRequests
	s.RxReplies += o.RxReplies
	s.Received += o.Received
	s.Dropped += o.Dropped
	s.Timeouts += o.Timeouts
	s.DupIPs += o.DupIPs
	s.Evicted += o.Evicted
	s.Refused += o.Refused
	s.Suppressed += o.Suppressed
	s.Proxied += o.Proxied
	s.UnARPs += o.UnARPs
	for i, n := range o.Drops {
		s.Drops[i] += n
	}
}

// Stats returns the sums over all interfaces, those detached since included.
func (h *Host) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := h.gone
	for _, ifc := range h.interfaces {
		sum.add(&ifc.stats)
	}
	sum.Routes = h.decisions.Stats()
	return sum
}

// Stats returns those of the interface.
func (i *Interface) Stats() Stats {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.stats
}

// addCounters puts the statistics into the MIB.
func (h *Host) addCounters() {
	for _, c := range counters {
		h.mib.AddCounter(mib.StatsPrefix+c.name, c.description, func() uint64 {
			s := h.Stats()
			return c.read(&s)
		})
	}
	for _, d := range Drops() {
		h.mib.AddCounter(mib.StatsPrefix+"drop_"+d.String(), dropDescriptions[d], func() uint64 { return h.Stats().Drops[d] })
	}
}
