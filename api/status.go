package api

import (
	"net/netip"
	"time"
)

// Status is the daemon at a moment: the body of GET /v1/status.
type Status struct {
	Version    string      `json:"version"`
	Instance   string      `json:"instance"`         // the INSTANCE of [Position], new at every start
	LastSeq    uint64      `json:"last_seq"`         // of the latest event, 0 if there was none
	PID        int         `json:"pid"`              //
	Started    time.Time   `json:"started"`          //
	Uptime     Seconds     `json:"uptime"`           //
	Config     string      `json:"config,omitempty"` // the configuration file, if there is one
	Warnings   []string    `json:"warnings,omitempty"`
	Tables     Tables      `json:"tables"`
	Interfaces []Interface `json:"interfaces"`
}

// Tables are sizes of tables, over all interfaces.
type Tables struct {
	Entries    int `json:"entries"`    // ARP entries, own addresses included
	Incomplete int `json:"incomplete"` // of them: without an answer yet
	Permanent  int `json:"permanent"`  // of them: not aging
	Published  int `json:"published"`  // of them: answered for
	Networks   int `json:"networks"`   // routes that are not host routes
	Held       int `json:"held"`       // packets held for unresolved hosts
}

// Interface is one interface the daemon knows by configuration or command.
type Interface struct {
	Name      string          `json:"name"`
	Index     int             `json:"index"`              // the system's, 0 while absent
	MAC       MAC             `json:"mac"`                //
	Medium    string          `json:"medium"`             // "ethernet", "token-ring", "arcnet"
	MTU       int             `json:"mtu"`                // bytes
	Datapath  string          `json:"datapath"`           // "kernel", "tun", "observe"
	Port      string          `json:"port,omitempty"`     // of datapath "tun": where its frames go
	State     string          `json:"state"`              // "absent", "up", "down", "failed", "released" by hand
	ARP       string          `json:"arp"`                // "on", "static", "off"
	DAD       bool            `json:"dad"`                // duplicates of own addresses are detected
	Guarded   bool            `json:"guarded"`            // the kernel's own ARP is kept silent
	Since     time.Time       `json:"since,omitzero"`     // when it was taken over
	Error     string          `json:"error,omitempty"`    // why the state is "failed"
	Warnings  []string        `json:"warnings,omitempty"` // what will break ARP here, with the remedy
	Addresses []InterfaceAddr `json:"addresses"`
	Published []PublishedAddr `json:"published,omitempty"` // with detection, by ioctl
	Entries   int             `json:"entries"`             // ARP entries on it
	// Packets counts the IP packets of datapath "tun", by what became of them.
	Packets map[string]uint64 `json:"packets,omitempty"`
}

// InterfaceAddr is an own address of an interface, or one that was taken off it
// because somebody else has it.
type InterfaceAddr struct {
	Prefix  netip.Prefix `json:"prefix"`            // the address and the length of its network
	State   string       `json:"state"`             // one of [AddrStates]
	Owner   MAC          `json:"owner,omitempty"`   // of a duplicate: who has the address
	Delayed bool         `json:"delayed,omitempty"` // its announcement waits for a place in the interface's budget
}

// PublishedAddr is an address of another host that is published on an interface, and
// not answered for before it is known that nobody on the link has it.
type PublishedAddr struct {
	IP    netip.Addr `json:"ip"`
	State string     `json:"state"`           // one of [AddrStates]
	Owner MAC        `json:"owner,omitempty"` // of a duplicate: who has the address
}

// The states of an own address. Without detection of duplicates every address is
// verified.
const (
	AddrProbing    = "probing"    // not used yet: isat asks whether somebody has it
	AddrAnnouncing = "announcing" // in use, and being announced
	AddrVerified   = "verified"   // in use, and watched
	AddrDefending  = "defending"  // in use, and claimed by somebody else just now
	AddrReprobing  = "reprobing"  // in use, and asked for beside it, because the link came back
	AddrDuplicate  = "duplicate"  // taken off the interface, because somebody else has it
	AddrRecovering = "recovering" // a duplicate that is asked for again
	AddrExempt     = "exempt"     // in use without any of this, by a policy or because there is no ARP
)

// AddrStates returns the states of an own address.
func AddrStates() []string {
	return []string{AddrProbing, AddrAnnouncing, AddrVerified, AddrDefending, AddrReprobing, AddrDuplicate, AddrRecovering, AddrExempt}
}

// Interfaces is the body of GET /v1/interfaces.
type Interfaces struct {
	Interfaces []Interface `json:"interfaces"`
}

// ReloadResult is the body of POST /v1/reload: one line for each thing that
// changed.
type ReloadResult struct {
	Changes []string `json:"changes"`
}
