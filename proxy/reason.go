package proxy

import "fmt"

// Verdict is what becomes of a request.
type Verdict uint8

// The verdicts.
const (
	Ignore Verdict = iota // it is no matter of this host's
	Answer                // it is answered with Decision.MAC
	Refuse                // it is a matter of this host's, and something forbids the answer
	Wait                  // the routing decision is not known yet: decide again when it is
)

// String returns the name of v in the API: "ignore", "answer", "refuse", "wait".
func (v Verdict) String() string {
	names := [...]string{"ignore", "answer", "refuse", "wait"}
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("verdict %d", uint8(v))
}

// Step is one of the rules that [Rules.Decide] looks at.
type Step uint8

// The steps, in their order.
const (
	StepTarget    Step = iota // is the target an address that a host may have?
	StepOwn                   // is it an own address?
	StepPublished             // does it have a published entry on the interface?
	StepPrefix                // is it in the prefix of a rule for the interface?
	StepProxyARP              // does Linux' proxy_arp answer? Passed over where it is off
	StepProxyAll              // is it reachable through another interface?
	numSteps
)

// String returns the words for s, such as "prefix rule".
func (s Step) String() string {
	names := [...]string{"target", "own address", "published entry", "prefix rule", "proxy_arp", "proxyall"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("step %d", uint8(s))
}

// Reason is what a step found. It tells the step, what the step decided, and
// the words for it: see the table in this file.
type Reason uint8

// The reasons, step by step.
const (
	NotReached Reason = iota // an earlier step decided, or the step was passed over

	TargetHost   // goes on
	TargetNoHost // unspecified, loopback, multicast, broadcast or not IPv4

	OwnForeign   // goes on
	OwnAnswer    // an own address
	OwnWithheld  // an own address, which the interface does not answer for
	OwnBroadcast // a broadcast address

	PublishedNone     // goes on
	PublishedAnswer   // a published entry on the interface
	PublishedOwner    // the host asks that the entry is for
	PublishedWithheld // a published entry, and probing has not found the address free

	PrefixNone   // goes on
	PrefixAnswer // a rule for the interface
	PrefixDenied // a rule whose deny-from has the sender
	PrefixMedium // a rule whose link-layer address is no station's on the interface
	PrefixProbe  // a rule, and proxy_probes is 0
	PrefixOwner  // a rule, and the target itself asks

	ARPProbe    // goes on: a probe
	ARPOwner    // goes on: the target itself asks
	ARPUnknown  // the routing decision is not known yet
	ARPLimited  // too many routing decisions were asked for
	ARPNoRoute  // goes on: no route to the target
	ARPSameLink // goes on: the route to the target leaves by the interface of the request
	ARPAnswer   // the route to the target leaves by another interface

	AllOff       // proxyall is 0
	AllElsewhere // a published entry on another interface
	AllProbe     // proxy_probes is 0
	AllOwner     // the target itself asks
	AllUnknown   // the routing decision is not known yet
	AllLimited   // too many routing decisions were asked for
	AllNoRoute   // no route to the target
	AllSameLink  // the route to the target leaves by the interface of the request
	AllNoReturn  // no route back to the sender
	AllWrongLink // the route back to the sender leaves by another interface
	AllAnswer    // both routes are right
	numReasons
)

// outcome is what a reason means.
type outcome struct {
	step    Step
	final   bool // no further step is looked at
	verdict Verdict
	name    string
	text    string // with the places of Decision.fill
}

// outcomes is the table of all reasons. What concerns only hosts of the link,
// as most requests do, is ignored; it is refused where a rule of the
// administrator's would answer or where the routes contradict each other.
var outcomes = [numReasons]outcome{
	TargetHost:   {StepTarget, false, Ignore, "target_host", "{target} may be the address of a host"},
	TargetNoHost: {StepTarget, true, Ignore, "target_no_host", "{target} is not the IPv4 address of a host"},

	OwnForeign:   {StepOwn, false, Ignore, "own_foreign", "{target} is no address of this host"},
	OwnAnswer:    {StepOwn, true, Answer, "own_answer", "{target} is an address of this host"},
	OwnWithheld:  {StepOwn, true, Ignore, "own_withheld", "{target} is an address of this host that {interface} does not answer for (arp_ignore, it is not verified, or somebody else has it)"},
	OwnBroadcast: {StepOwn, true, Ignore, "own_broadcast", "{target} is a broadcast address of {interface}"},

	PublishedNone:     {StepPublished, false, Ignore, "published_none", "{target} has none on {interface}"},
	PublishedAnswer:   {StepPublished, true, Answer, "published_answer", "{target} is published on {interface}"},
	PublishedOwner:    {StepPublished, true, Refuse, "published_owner", "{target} is published on {interface}, but {sender_mac} is {target} itself"},
	PublishedWithheld: {StepPublished, true, Refuse, "published_withheld", "{target} is published on {interface}, but not verified: it is being probed, or somebody else uses it"},

	PrefixNone:   {StepPrefix, false, Ignore, "prefix_none", "no rule for {interface} has {target} in its prefix"},
	PrefixAnswer: {StepPrefix, true, Answer, "prefix_answer", "{prefix} on {interface} has {target}"},
	PrefixDenied: {StepPrefix, true, Refuse, "prefix_denied", "{prefix} on {interface} has {target}, but its deny-from has {sender}"},
	PrefixMedium: {StepPrefix, true, Refuse, "prefix_medium", "{prefix} on {interface} has {target}, but its link-layer address is not one of a station there"},
	PrefixProbe:  {StepPrefix, true, Refuse, "prefix_probe", "{prefix} on {interface} has {target}, but a probe is not answered (proxy_probes is 0)"},
	PrefixOwner:  {StepPrefix, true, Refuse, "prefix_owner", "{prefix} on {interface} has {target}, but {sender_mac} is {target} itself"},

	ARPProbe:    {StepProxyARP, false, Ignore, "proxy_arp_probe", "net.ipv4.conf.{interface}.proxy_arp is 1, but Linux never answers a probe by it"},
	ARPOwner:    {StepProxyARP, false, Ignore, "proxy_arp_owner", "net.ipv4.conf.{interface}.proxy_arp is 1, but {sender_mac} is {target} itself"},
	ARPUnknown:  {StepProxyARP, true, Wait, "proxy_arp_unknown", "net.ipv4.conf.{interface}.proxy_arp is 1; the route to {target} is being asked for"},
	ARPLimited:  {StepProxyARP, true, Refuse, "proxy_arp_limited", "net.ipv4.conf.{interface}.proxy_arp is 1, but too many routes are being asked for; the sender will ask again"},
	ARPNoRoute:  {StepProxyARP, false, Ignore, "proxy_arp_no_route", "net.ipv4.conf.{interface}.proxy_arp is 1, but there is no route to {target}"},
	ARPSameLink: {StepProxyARP, false, Ignore, "proxy_arp_same_link", "net.ipv4.conf.{interface}.proxy_arp is 1, but the route to {target} leaves by {interface}, where the request came from"},
	ARPAnswer:   {StepProxyARP, true, Answer, "proxy_arp_answer", "net.ipv4.conf.{interface}.proxy_arp is 1, and the route to {target} leaves by {to}"},

	AllOff:       {StepProxyAll, true, Ignore, "proxyall_off", "proxyall is 0"},
	AllElsewhere: {StepProxyAll, true, Ignore, "proxyall_elsewhere", "{target} is published on another interface, which is the only one to answer for it"},
	AllProbe:     {StepProxyAll, true, Ignore, "proxyall_probe", "a probe is not answered (proxy_probes is 0)"},
	AllOwner:     {StepProxyAll, true, Ignore, "proxyall_owner", "{sender_mac} is {target} itself"},
	AllUnknown:   {StepProxyAll, true, Wait, "proxyall_unknown", "the routes to {target} and back to {sender} are being asked for"},
	AllLimited:   {StepProxyAll, true, Refuse, "proxyall_limited", "too many routes are being asked for; the sender will ask again"},
	AllNoRoute:   {StepProxyAll, true, Ignore, "proxyall_no_route", "there is no route to {target} for what comes in on {interface}, or this host does not forward it"},
	AllSameLink:  {StepProxyAll, true, Ignore, "proxyall_same_link", "the route to {target} leaves by {interface}, where the request came from"},
	AllNoReturn:  {StepProxyAll, true, Refuse, "proxyall_no_return", "the route to {target} leaves by {to}, but there is no route back to {sender}"},
	AllWrongLink: {StepProxyAll, true, Refuse, "proxyall_wrong_link", "the route to {target} leaves by {to}, but the route back to {sender} leaves by {back}, not by {interface}"},
	AllAnswer:    {StepProxyAll, true, Answer, "proxyall_answer", "the route to {target} leaves by {to}, the route back to {sender} by {interface}"},
}

// Step returns the step that finds r.
func (r Reason) Step() Step { return outcomes[r].step }

// Verdict returns what r decides. A reason that is not the last has [Ignore]:
// what no step answers is ignored.
func (r Reason) Verdict() Verdict { return outcomes[r].verdict }

// String returns the name of r in the API, such as "prefix_denied"; it is "" for
// NotReached.
func (r Reason) String() string {
	if r < numReasons {
		return outcomes[r].name
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Reasons returns all reasons but NotReached, in the order of the steps.
func Reasons() []Reason {
	all := make([]Reason, 0, numReasons-1)
	for r := NotReached + 1; r < numReasons; r++ {
		all = append(all, r)
	}
	return all
}
