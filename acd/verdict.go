package acd

import (
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// Self knows the link-layer addresses of this host: those of all its interfaces,
// of all members of an IPMP group, whichever interface is asked about.
type Self interface {
	IsSelf(mac lladdr.Addr) bool
}

// Verdict is what a packet says about an address.
type Verdict uint8

// The verdicts, in the order in which [Judge] looks at them.
const (
	Unrelated  Verdict = iota // the packet is not about the address
	Elsewhere                 // it was heard on another interface than the address is on
	Nameless                  // its sender has no link-layer address (UNARP, RFC 1868)
	Reflection                // its sender is this host
	Claim                     // its sender says that the address is its own
	RivalProbe                // its sender asks whether the address is free
	Question                  // its sender asks who has the address
	Stale                     // a reply to this host's own address
	ThirdParty                // a reply to somebody else who has the address
	numVerdicts
)

// verdicts is the table of facts/solaris-arp-ipmp.md 3.3, and of the verified
// address 3.6. All but the first three rows suppose a sender that is not this
// host.
var verdicts = [numVerdicts]struct {
	name    string
	heard   string
	probing bool // a conflict while the address is probed
	used    bool // a conflict while the address is in use
	source  string
}{
	Unrelated:  {"unrelated", "neither sender nor target is the address, or an operation other than request and reply asks for it", false, false, "3.3"},
	Elsewhere:  {"elsewhere", "anything on another interface than that of the address", false, false, "3.3, the last row"},
	Nameless:   {"nameless", "no sender link-layer address", false, false, "RFC 1868: it gives the address up"},
	Reflection: {"reflection", "the sender's link-layer address is one of this host's", false, false, "3.3: of any member of a group"},
	Claim:      {"claim", "any operation, sender = address", true, true, "3.3 and 3.6; RFC 5227 2.1.1 and 2.4"},
	RivalProbe: {"rival probe", "a request, sender = 0.0.0.0, target = address", true, false, "3.3: both sides give up; RFC 5227 2.1.1"},
	Question:   {"question", "a request, any other sender, target = address", false, false, "3.3: dropped"},
	Stale:      {"stale", "a reply, target = address, to a link-layer address of this host", false, false, "3.3: it was sent before detection began anew"},
	ThirdParty: {"third party", "a reply, target = address, to another link-layer address", true, false, "3.3: a third party is being answered"},
}

// String returns the name of v, such as "rival probe".
func (v Verdict) String() string {
	if v < numVerdicts {
		return verdicts[v].name
	}
	return fmt.Sprintf("verdict %d", uint8(v))
}

// Conflict reports whether v is a conflict for an address in state s.
func (v Verdict) Conflict(s State) bool {
	switch {
	case v >= numVerdicts:
		return false
	case s.asks():
		return verdicts[v].probing
	case s.watched():
		return verdicts[v].used
	}
	return false
}

// Judge tells what the packet p says about the address ip of an interface;
// elsewhere says that p came in on another one. It takes packets that have
// passed the checks of ARP's input.
//
// Only a request whose sender address is 0.0.0.0 is a probe (RFC 5227 section
// 1.1). Who sent the frame is of no matter, only what is in the packet.
func Judge(p *arp.Packet, ip netip.Addr, elsewhere bool, self Self) Verdict {
	switch {
	case p.SenderIP != ip && p.TargetIP != ip:
		return Unrelated
	case elsewhere:
		return Elsewhere
	case !p.SenderHW.IsValid():
		return Nameless
	case self.IsSelf(p.SenderHW):
		return Reflection
	case p.SenderIP == ip:
		return Claim
	case p.IsProbe():
		return RivalProbe
	case p.Operation == arp.Request:
		return Question
	case p.Operation != arp.Reply:
		return Unrelated
	case self.IsSelf(p.TargetHW):
		return Stale
	}
	return ThirdParty
}

// Owner returns the link-layer address that uses the address by a packet with
// the verdict v: the sender's, or that of the third party.
func (v Verdict) Owner(p *arp.Packet) lladdr.Addr {
	if v == ThirdParty && !p.TargetHW.IsZero() && !p.TargetHW.IsBroadcast() {
		return p.TargetHW
	}
	return p.SenderHW
}
