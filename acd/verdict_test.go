package acd

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

// TestVerdicts is facts/solaris-arp-ipmp.md 3.3 row by row, and 3.6.
func TestVerdicts(t *testing.T) {
	none, all := lladdr.Addr{}, lladdr.Broadcast()
	zeros := lladdr.From6([6]byte{})
	for _, tt := range []struct {
		name    string
		packet  arp.Packet
		verdict Verdict
		probing bool // a conflict while probing
		used    bool // a conflict while in use
	}{
		{"row 1: candidate as sender, request", packet(arp.Request, theirs, address, zeros, other), Claim, true, true},
		{"row 1: announcement", packet(arp.Request, theirs, address, zeros, address), Claim, true, true},
		{"row 1: reply to us", packet(arp.Reply, theirs, address, ours, nobody), Claim, true, true},
		{"row 1: gratuitous reply", packet(arp.Reply, theirs, address, all, address), Claim, true, true},
		{"row 1: any opcode", packet(arp.InverseReply, theirs, address, ours, other), Claim, true, true},
		{"row 1: unknown opcode", packet(99, theirs, address, zeros, other), Claim, true, true},
		{"row 2: own announcement comes back", packet(arp.Request, ours, address, zeros, address), Reflection, false, false},
		{"row 2: by another interface of this host", packet(arp.Request, sibling, address, zeros, other), Reflection, false, false},
		{"row 2: own probe comes back", packet(arp.Request, ours, nobody, zeros, address), Reflection, false, false},
		{"row 2: probe by another interface", packet(arp.Request, sibling, nobody, zeros, address), Reflection, false, false},
		{"row 2: own reply to a third party", packet(arp.Reply, ours, other, third, address), Reflection, false, false},
		{"row 3: foreign probe", packet(arp.Request, theirs, nobody, zeros, address), RivalProbe, true, false},
		{"row 3: of another address", packet(arp.Request, theirs, nobody, zeros, other), Unrelated, false, false},
		{"row 4: a third party is answered", packet(arp.Reply, theirs, other, third, address), ThirdParty, true, false},
		{"row 4: all are answered", packet(arp.Reply, theirs, other, all, address), ThirdParty, true, false},
		{"row 5: we are answered", packet(arp.Reply, theirs, other, ours, address), Stale, false, false},
		{"row 5: another interface is answered", packet(arp.Reply, theirs, other, sibling, address), Stale, false, false},
		{"row 6: a request for the candidate", packet(arp.Request, theirs, other, zeros, address), Question, false, false},
		{"row 6: with our MAC as target", packet(arp.Request, theirs, other, ours, address), Question, false, false},
		{"row 6: of another address", packet(arp.Request, theirs, other, zeros, nobody), Unrelated, false, false},
		{"only a request is a probe", packet(arp.Reply, theirs, nobody, ours, address), Stale, false, false},
		{"another operation asks for it", packet(arp.ReverseRequest, theirs, other, zeros, address), Unrelated, false, false},
		{"UNARP of the candidate", packet(arp.Reply, none, address, none, address), Nameless, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := Judge(&tt.packet, address, false, macs{ours, sibling})
			if v != tt.verdict {
				t.Fatalf("%v is %v, want %v", tt.packet, v, tt.verdict)
			}
			for s := range numStates {
				want := tt.probing && s.asks() || tt.used && s.watched()
				if got := v.Conflict(s); got != want {
					t.Errorf("conflict in state %v: %v, want %v", s, got, want)
				}
			}
			// Row 7: none of it counts on another interface.
			if v := Judge(&tt.packet, address, true, macs{ours, sibling}); v != Elsewhere && v != Unrelated || v.Conflict(Probing) || v.Conflict(Verified) {
				t.Errorf("elsewhere: %v", v)
			}
		})
	}
	if v := Judge(&claim, address, true, macs{ours}); v != Elsewhere {
		t.Errorf("row 7: a claim on another interface is %v", v)
	}
}

func TestOwner(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet arp.Packet
		want   lladdr.Addr
	}{
		{"a claim is the sender's", claim, theirs},
		{"so is a probe", rival, theirs},
		{"a reply names the third party", packet(arp.Reply, theirs, other, third, address), third},
		{"unless it is to all", packet(arp.Reply, theirs, other, lladdr.Broadcast(), address), theirs},
		{"or to none", packet(arp.Reply, theirs, other, lladdr.From6([6]byte{}), address), theirs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := Judge(&tt.packet, address, false, macs{ours})
			if got := v.Owner(&tt.packet); got != tt.want {
				t.Errorf("%v is used by %v, want %v", v, got, tt.want)
			}
		})
	}
}

// slowConflict is the table of 3.3 once more: each row by itself, as it is
// written there, from the bytes on the wire of an Ethernet packet.
func slowConflict(wire []byte, candidate [4]byte, mine [][6]byte) (probing, used bool) {
	op := int(wire[6])<<8 | int(wire[7])
	if wire[4] == 0 {
		return false, false
	}
	sha, spa := [6]byte(wire[8:14]), [4]byte(wire[14:18])
	tha, tpa := [6]byte(wire[18:24]), [4]byte(wire[24:28])
	isOurs := func(mac [6]byte) bool {
		for _, m := range mine {
			if m == mac {
				return true
			}
		}
		return false
	}
	row1 := spa == candidate && !isOurs(sha)
	row3 := op == 1 && spa == [4]byte{} && tpa == candidate && !isOurs(sha)
	row4 := op == 2 && tpa == candidate && !isOurs(tha) && !isOurs(sha)
	return row1 || row3 || row4, row1
}

// Addresses for the fields of packets that are near the rows.
var (
	someMACs = []lladdr.Addr{ours, sibling, theirs, third, lladdr.Broadcast(), lladdr.From6([6]byte{})}
	someIPs  = []netip.Addr{address, other, nobody, netip.MustParseAddr("255.255.255.255")}
)

// compareVerdict compares [Judge] with slowConflict.
func compareVerdict(t *testing.T, p arp.Packet) {
	a, _ := ours.As6()
	b, _ := sibling.As6()
	probing, used := slowConflict(p.AppendTo(nil), address.As4(), [][6]byte{a, b})
	v := Judge(&p, address, false, macs{ours, sibling})
	if v.Conflict(Probing) != probing || v.Conflict(Verified) != used {
		t.Errorf("%v is %v: conflict %v while probing and %v in use, want %v and %v", p, v, v.Conflict(Probing), v.Conflict(Verified), probing, used)
	}
	if v.Conflict(Duplicate) || v.Conflict(Exempt) || v.Conflict(None) {
		t.Errorf("%v is a conflict of an address that nobody looks after", v)
	}
}

// TestAllVerdicts compares them over all packets of those addresses.
func TestAllVerdicts(t *testing.T) {
	for op := range arp.Operation(11) {
		for _, sha := range someMACs {
			for _, spa := range someIPs {
				for _, tha := range someMACs {
					for _, tpa := range someIPs {
						compareVerdict(t, packet(op, sha, spa, tha, tpa))
					}
				}
			}
		}
	}
}

// FuzzJudge compares them over whatever comes in an Ethernet packet.
func FuzzJudge(f *testing.F) {
	for _, p := range []arp.Packet{claim, rival, question, packet(arp.Reply, theirs, other, third, address)} {
		f.Add(p.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		p, err := arp.Parse(wire)
		if err != nil || !p.SenderIP.Is4() || p.SenderHW.Len() != 0 && p.SenderHW.Len() != 6 {
			return // the host's checks keep it away
		}
		compareVerdict(t, p)
	})
}

func TestVerdictNames(t *testing.T) {
	seen := make(map[string]bool)
	for v := range numVerdicts {
		if name := v.String(); name == "" || seen[name] {
			t.Errorf("verdict %d is named %q", v, name)
		} else {
			seen[name] = true
		}
	}
	if got := fmt.Sprint(Verdict(200), Verdict(200).Conflict(Probing)); got != "verdict 200 false" {
		t.Error(got)
	}
}
