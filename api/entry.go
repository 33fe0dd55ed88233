package api

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
)

// MAC is a link-layer address as text: two lower-case hexadecimal digits a byte
// and ':' between, such as "02:00:00:00:00:01", for media of any length. The
// empty MAC means "none". The daemon also takes one digit a byte, upper case and
// '-'; what it sends is always in the form above.
type MAC string

// MACOf returns the text of a, "" if it has no bytes.
func MACOf(a net.HardwareAddr) MAC { return MAC(a.String()) }

// State is the state of an ARP entry.
type State string

// The states.
const (
	StateIncomplete State = "incomplete" // asked for, not answered yet
	StateReachable  State = "reachable"  // answered within max_age
	StateVerify     State = "verify"     // about to expire and being asked again
	StateDown       State = "down"       // maxtries requests had no answer
	StatePermanent  State = "permanent"  // does not age
)

// Entry is one ARP entry. All its keys are always there.
type Entry struct {
	IP          netip.Addr `json:"ip"`
	MAC         MAC        `json:"mac"`          // "" while incomplete
	Interface   string     `json:"interface"`    // the interface's name
	Type        string     `json:"type"`         // medium: "ethernet", "token-ring", "arcnet"
	RT          string     `json:"rt"`           // token ring: the source route as arp(8) prints it, else ""
	State       State      `json:"state"`        //
	Permanent   bool       `json:"permanent"`    // does not age
	Published   bool       `json:"published"`    // isat answers for it
	PublishOnly bool       `json:"publish_only"` // and does not use it for its own traffic
	Incomplete  bool       `json:"incomplete"`   // has no link-layer address
	ExpiresIn   Seconds    `json:"expires_in"`   // whole seconds; 0 if permanent, incomplete or expired
	Flags       string     `json:"flags"`        // of the host route, in the letters of netstat(1): "UHLW"
	Hold        int        `json:"hold"`         // packets held for it
	Tries       int        `json:"tries"`        // requests since the last answer
	Authority   bool       `json:"authority"`    // an address of this host, or said to be by the administrator: the wire never changes it
	IPMPProxy   bool       `json:"ipmp_proxy"`   // published for an IPMP group's data address
	Action      Action     `json:"action"`       //
	Origin      string     `json:"origin"`       // who made it, such as "learned", "own" or "administrator"
}

// Action is what happens to packets for an entry in place of sending them.
type Action string

// The actions; the empty one sends.
const (
	ActionNone      Action = ""
	ActionReject    Action = "reject"    // an error to the sender
	ActionBlackhole Action = "blackhole" // silence
)

// Publish tells whether isat answers requests for an entry. In JSON it is
// false, true or "only".
type Publish uint8

// The ways to publish.
const (
	PublishNo   Publish = iota // false: do not answer
	PublishYes                 // true: answer, and use the entry for own traffic too
	PublishOnly                // "only": answer, and keep own traffic away from it
)

// MarshalJSON implements [json.Marshaler].
func (p Publish) MarshalJSON() ([]byte, error) {
	switch p {
	case PublishNo:
		return []byte(`false`), nil
	case PublishYes:
		return []byte(`true`), nil
	case PublishOnly:
		return []byte(`"only"`), nil
	}
	return nil, fmt.Errorf("publish %d: no such value", uint8(p))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *Publish) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	switch v {
	case false:
		*p = PublishNo
	case true:
		*p = PublishYes
	case "only":
		*p = PublishOnly
	default:
		return fmt.Errorf(`want false, true or "only", not %s`, text)
	}
	return nil
}

// EntryFilter selects entries. Its zero value selects all of them.
type EntryFilter struct {
	Interface string     // of this interface only
	IP        netip.Addr // of this address only; several interfaces may have it

	// After and Limit page through a listing, which is ordered by address and
	// then by interface: at most about Limit entries of addresses beyond After.
	// The entries of one address are never on two pages, so that a page may be
	// longer than Limit; one that is shorter is the last. Limit 0 is no limit.
	After netip.Addr
	Limit int
}

// SetEntry is what the administrator sets: the body of PUT /v1/arp.
type SetEntry struct {
	IP        netip.Addr `json:"ip"`
	MAC       MAC        `json:"mac"`
	Interface string     `json:"interface,omitempty"` // "": by route
	Temp      bool       `json:"temp,omitempty"`      // ages from max_age on; else permanent
	Pub       Publish    `json:"pub,omitempty"`
	Action    Action     `json:"action,omitempty"`
}

// Entries is the body of listings and deletions.
type Entries struct {
	Entries []Entry `json:"entries"`
}

// ResolveRequest is the body of POST /v1/resolve.
type ResolveRequest struct {
	IP        netip.Addr `json:"ip"`
	Interface string     `json:"interface,omitempty"` // "": by route
	Timeout   Seconds    `json:"timeout,omitempty"`   // 0: until maxtries requests are unanswered
}

// AnnounceRequest is the body of POST /v1/announce. The addresses are own or
// published ones of the interface.
type AnnounceRequest struct {
	Interface string       `json:"interface"`
	IPs       []netip.Addr `json:"ips"`
}
