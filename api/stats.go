package api

// Stats are the counters since the daemon started: the body of GET /v1/stats.
// The totals cover interfaces that are gone, too.
type Stats struct {
	Counters
	Interfaces []InterfaceStats `json:"interfaces"`
}

// InterfaceStats are the counters of one interface.
type InterfaceStats struct {
	Interface string `json:"interface"`
	Counters
}

// Counters count what netstat -s -p arp shows, under the names of FreeBSD's
// struct arpstat (net/if_arp.h), and the packets dropped by reason.
type Counters struct {
	TxRequests uint64 `json:"txrequests"` // requests sent
	TxReplies  uint64 `json:"txreplies"`  // replies sent
	TxErrors   uint64 `json:"txerrors"`   // frames that could not be sent
	RxRequests uint64 `json:"rxrequests"` // requests received
	RxReplies  uint64 `json:"rxreplies"`  // replies received
	Received   uint64 `json:"received"`   // ARP packets received
	Dropped    uint64 `json:"dropped"`    // held IP packets lost for want of an entry
	Timeouts   uint64 `json:"timeouts"`   // entries removed by a timer
	DupIPs     uint64 `json:"dupips"`     // claims by others of an own address

	// Drops counts ARP packets that were not acted on, by reason.
	Drops map[string]uint64 `json:"drops"`
}
