package config

import (
	"fmt"
	"net/netip"
)

// Policy is a section [[dad]]: how own addresses are treated where the interface
// has DAD. Exactly one of Prefix, Label and IFAProto selects the addresses that it
// is about; of the sections that select an address the first in the file holds.
type Policy struct {
	Line     int
	Prefix   netip.Prefix
	Label    string // as the kernel has it, such as "eth0:vip"
	IFAProto int    // IFA_PROTO of rtnetlink(7), 1..255
	Detect   Detect
	Defend   Defend
}

// Detect is whether an address that appears is probed: the key policy.
type Detect string

// The kinds of detection.
const (
	// DetectDefault is what holds without a section: announce for a /32 inside a
	// network that the interface already has, else probe.
	DetectDefault  Detect = ""
	DetectProbe    Detect = "probe"    // before it is used
	DetectAnnounce Detect = "announce" // used at once, announced, watched, never removed
	DetectOff      Detect = "off"      // used at once, neither announced nor watched
)

// Defend is what is done about a claim to an address in use.
type Defend string

// The kinds of defence.
const (
	DefendNever   Defend = "never"   // it is given up
	DefendOnce    Defend = "once"    // given up at a second claim within 10 s
	DefendAlways  Defend = "always"  // kept
	DefendSolaris Defend = "solaris" // given up after max_defend claims
)

// maxLabel is the most bytes in the label of an address (IFA_LABEL has IFNAMSIZ
// bytes with the final zero, linux/if_addr.h).
const maxLabel = maxIfname

func (r *reader) policy(t *table) Policy {
	p := Policy{Line: t.place.line, Defend: DefendSolaris}
	text(t, "prefix", "a network", &p.Prefix, parseHostsNetwork)
	text(t, "label", "the label of an address", &p.Label, parseLabel)
	t.int("ifa-proto", &p.IFAProto, 1, 255) // IFA_PROTO is one byte; 0 is "none given"
	choice(t, "policy", &p.Detect, DetectProbe, DetectAnnounce, DetectOff)
	choice(t, "defend", &p.Defend, DefendNever, DefendOnce, DefendAlways, DefendSolaris)
	if key := t.oneOf("prefix", "label", "ifa-proto"); key != "" && p.selects() {
		p.Line = t.at(key).line
		r.once(t.at(key), "dad", p.name())
	}
	if p.Detect == DetectOff && t.has("defend") {
		t.problem("defend", `%q has no meaning with policy = %q: the address is not watched`, p.Defend, DetectOff)
	}
	return p
}

// selects reports whether p has a selector; the value of one that is wrong is not
// stored.
func (p Policy) selects() bool { return p.Prefix.IsValid() || p.Label != "" || p.IFAProto != 0 }

// name is the selector, which tells the section from others.
func (p Policy) name() string {
	switch {
	case p.Label != "":
		return "label " + p.Label
	case p.IFAProto != 0:
		return fmt.Sprintf("ifa-proto %d", p.IFAProto)
	}
	return "prefix " + p.Prefix.String()
}

func (p Policy) settings() []setting {
	return []setting{{"policy", orDefault(string(p.Detect))}, {"defend", string(p.Defend)}}
}

// parseLabel accepts what the kernel can have as the label of an address.
func parseLabel(s string) (string, error) {
	if s == "" || len(s) > maxLabel {
		return "", fmt.Errorf("%q: a label has 1 to %d bytes", s, maxLabel)
	}
	return s, nil
}
