package api

import "net/netip"

// EtherAuto stands for the interface's own link-layer address, which it follows:
// in a [ProxyRule], and in a [SetEntry] that publishes.
const EtherAuto MAC = "auto"

// ProxyRule answers requests on one interface for all addresses of a prefix: a
// section [[proxy]] of the configuration. On an interface the rule with the
// longest prefix holds.
type ProxyRule struct {
	Prefix    netip.Prefix   `json:"prefix"`
	Interface string         `json:"interface"` // need not be there yet
	Ether     MAC            `json:"ether"`     // [EtherAuto], or the address to answer with
	DenyFrom  []netip.Prefix `json:"deny_from"` // senders that are not answered
}

// ProxyRules is the body of listings and deletions.
type ProxyRules struct {
	Rules []ProxyRule `json:"rules"`
}

// ExplainQuery is an ARP request to be explained.
type ExplainQuery struct {
	Interface string     // that it came in on
	Target    netip.Addr // who has
	Sender    netip.Addr // tell; 0.0.0.0 in a probe
	MAC       MAC        // of the sender, "" if it is not known
}

// Explanation is what the daemon would do with an ARP request, and why. Nothing
// is sent or changed for it.
type Explanation struct {
	Interface string       `json:"interface"`
	Target    netip.Addr   `json:"target"`
	Sender    netip.Addr   `json:"sender"`
	SenderMAC MAC          `json:"sender_mac"` // "" if it was not given
	Verdict   string       `json:"verdict"`    // "answer", "refuse", "ignore", or "wait": a route is not known yet
	Step      string       `json:"step"`       // the rule that decided, such as "prefix rule"
	Reason    string       `json:"reason"`     // what it found, such as "prefix_answer"
	MAC       MAC          `json:"mac"`        // to answer with, "" if there is no answer
	Prefix    netip.Prefix `json:"prefix"`     // of the prefix rule that holds, "" if that rule was not reached or there is none
	Routes    ProxyRoutes  `json:"routes"`     // that proxyall went by
	Findings  []Finding    `json:"findings"`   // of each rule looked at, in order
	Text      string       `json:"text"`       // all of it in words; lines end with "\n"
}

// ProxyRoutes are the names of interfaces, "" where there is no route or proxyall
// did not ask.
type ProxyRoutes struct {
	To   string `json:"to"`   // by which the route to the target leaves
	Back string `json:"back"` // by which the route back to the sender leaves
}

// Finding is what one rule found.
type Finding struct {
	Step   string `json:"step"`
	Reason string `json:"reason"`
	Text   string `json:"text"` // in words
}
