package acd_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
)

// own knows the link-layer address of a host with one interface.
type own lladdr.Addr

func (o own) IsSelf(mac lladdr.Addr) bool { return mac == lladdr.Addr(o) }

// A new address is probed. Somebody else has it, and after five minutes it is
// tried again.
func ExampleAddress() {
	config := mib.New().Settings("eth0").ACD
	config.ProbeDelay = 0 // chance would print another time every time
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ifc := acd.NewInterface(now, &config, own(lladdr.MustParse("02:00:00:00:00:01")), rand.NewPCG(1, 2))
	ifc.SetLink(true)
	address := acd.New(ifc, netip.MustParseAddr("192.0.2.1"), acd.Policy{})

	handle := func(in acd.Input) {
		for _, e := range address.Handle(now, in, nil) {
			if _, text := address.Diagnostic(e, "eth0"); text != "" {
				fmt.Println(text)
			} else {
				fmt.Println(e.Action)
			}
		}
	}
	handle(acd.Input{Kind: acd.Assign})
	now = now.Add(time.Second)
	handle(acd.Input{Kind: acd.Hear, Packet: arp.Packet{
		Operation: arp.Reply,
		SenderHW:  lladdr.MustParse("02:00:00:00:00:66"), SenderIP: netip.MustParseAddr("192.0.2.1"),
		TargetHW: lladdr.MustParse("02:00:00:00:00:01"), TargetIP: netip.MustParseAddr("0.0.0.0"),
	}})
	fmt.Println("used by", address.Owner())
	for address.State() != acd.Announcing {
		now = address.Deadline()
		handle(acd.Input{Kind: acd.Tick})
	}
	// Output:
	// suspend
	// report
	// probe
	// withdraw
	// eth0 has duplicate address 192.0.2.1 (in use by 02:00:00:00:00:66); disabled.
	// used by 02:00:00:00:00:66
	// probe
	// probe
	// probe
	// restore
	// use
	// Recovered address 192.0.2.1 on eth0.
	// announce
}

// Is an address free?
func ExampleAddress_inquiry() {
	config := mib.New().Settings("eth0").ACD
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ifc := acd.NewInterface(now, &config, own(lladdr.MustParse("02:00:00:00:00:01")), rand.NewPCG(1, 2))
	ifc.SetLink(true)
	question := acd.New(ifc, netip.MustParseAddr("192.0.2.9"), acd.Policy{})

	effects := question.Handle(now, acd.Input{Kind: acd.Inquire}, nil)
	for {
		for _, e := range effects {
			fmt.Println(e.Action)
		}
		now = question.Deadline()
		if now.IsZero() {
			break
		}
		effects = question.Handle(now, acd.Input{Kind: acd.Tick}, nil)
	}
	// Output:
	// probe
	// probe
	// probe
	// free
}

// What does a packet say about an address?
func ExampleJudge() {
	self := own(lladdr.MustParse("02:00:00:00:00:01"))
	probe := arp.Packet{
		Operation: arp.Request,
		SenderHW:  lladdr.MustParse("02:00:00:00:00:66"), SenderIP: netip.IPv4Unspecified(),
		TargetIP: netip.MustParseAddr("192.0.2.1"),
	}
	verdict := acd.Judge(&probe, netip.MustParseAddr("192.0.2.1"), false, self)
	fmt.Println(verdict)
	fmt.Println("while we probe, too:", verdict.Conflict(acd.Probing))
	fmt.Println("while we use it:", verdict.Conflict(acd.Verified))
	// Output:
	// rival probe
	// while we probe, too: true
	// while we use it: false
}
