package api

import "net/netip"

// ProbeRequest is the body of POST /v1/probe: are these addresses free on the
// network of the interface? Each is in it once.
type ProbeRequest struct {
	Interface string       `json:"interface"`
	IPs       []netip.Addr `json:"ips"`
	// Fast asks by the timing of the nodes fastprobe_* of the MIB in place of that of
	// RFC 5227 section 1.1.
	Fast bool `json:"fast,omitempty"`
}

// Probed is what became known of one address: a line of the answer of POST
// /v1/probe.
type Probed struct {
	IP   netip.Addr `json:"ip"`
	Free bool       `json:"free"`          // nobody has it
	MAC  MAC        `json:"mac,omitempty"` // who has it, which may be this host; "" if it is free
}
