package proxy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

// Decision is what was decided on a request, and why. It is a value without
// pointers to anything that changes.
type Decision struct {
	Request Request
	Verdict Verdict
	Reason  Reason       // what decided; its Step is the rule
	MAC     lladdr.Addr  // to answer with; the zero Addr unless the verdict is Answer
	Prefix  netip.Prefix // of the prefix rule that holds, invalid if that step found none
	Routes  Routes       // that proxy_arp and proxyall went by, if they asked

	findings [numSteps]Reason
}

// Finding is what one step found.
type Finding struct {
	Step   Step
	Reason Reason
	Text   string // why the rule matched or did not, in words
}

// Findings returns what the steps found, in their order, up to the one that
// decided.
func (d Decision) Findings() []Finding {
	fill := d.filler()
	var all []Finding
	for step, why := range d.findings {
		if why != NotReached {
			all = append(all, Finding{Step(step), why, fill.Replace(outcomes[why].text)})
		}
	}
	return all
}

// Explain returns the decision in words: the request, a line for each rule that
// was looked at, and the outcome. Lines end with "\n".
func (d Decision) Explain() string {
	fill := d.filler()
	var b strings.Builder
	fill.WriteString(&b, "{interface}: who has {target}? Tell {sender}")
	if d.Request.SenderMAC.IsValid() {
		fill.WriteString(&b, ", {sender_mac}")
	}
	b.WriteString("\n")
	for _, f := range d.Findings() {
		fmt.Fprintf(&b, "  %-16s %s\n", f.Step.String()+":", f.Text)
	}
	switch d.Verdict {
	case Answer:
		fmt.Fprintf(&b, "Answered with %v, by the rule %q.\n", d.MAC, d.Reason.Step())
		if d.Proxied() && !d.Request.SenderMAC.IsValid() {
			fill.WriteString(&b, "It would not be if it came from {target} itself; give the sender's MAC address to have that checked.\n")
		}
	case Refuse:
		fmt.Fprintf(&b, "Refused, by the rule %q.\n", d.Reason.Step())
	case Wait:
		b.WriteString("Not decided yet.\n")
	default:
		b.WriteString("Not answered.\n")
	}
	return b.String()
}

// Proxied reports whether the request is answered for somebody else.
func (d Decision) Proxied() bool { return d.Verdict == Answer && d.Reason.Step() != StepOwn }

// Diagnostic returns the line of FreeBSD's arp(4) for the decision and its
// severity, "" and 0 if there is none (facts/freebsd-arp.md 4.1). The line about
// an answer is FreeBSD's when it is compiled for debugging, and for proxyall only.
func (d Decision) Diagnostic() (event.Severity, string) {
	switch {
	case d.Reason == AllWrongLink:
		return event.Info, fmt.Sprintf("arp_proxy: ignoring request from %v via %s, expecting %s", d.Request.SenderIP, d.Request.Interface, d.Routes.Back)
	case d.Proxied():
		return event.Debug, fmt.Sprintf("arp: proxying for %v", d.Request.TargetIP)
	}
	return 0, ""
}

// filler puts the request and what was found into the texts of outcomes.
func (d Decision) filler() *strings.Replacer {
	mac := "the sender"
	if d.Request.SenderMAC.IsValid() {
		mac = d.Request.SenderMAC.String()
	}
	return strings.NewReplacer(
		"{interface}", d.Request.Interface,
		"{target}", d.Request.TargetIP.String(),
		"{sender}", d.Request.SenderIP.String(),
		"{sender_mac}", mac,
		"{prefix}", d.Prefix.String(),
		"{to}", d.Routes.To,
		"{back}", d.Routes.Back,
	)
}
