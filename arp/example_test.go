package arp_test

import (
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/lladdr"
)

func ExamplePacket_AppendTo() {
	request := arp.Packet{
		HardwareType: arp.Ethernet,
		ProtocolType: arp.ProtocolIPv4,
		Operation:    arp.Request,
		SenderHW:     lladdr.MustParse("02:00:00:00:00:01"),
		SenderIP:     netip.MustParseAddr("192.0.2.1"),
		TargetIP:     netip.MustParseAddr("192.0.2.9"), // TargetHW is what we ask for
	}
	fmt.Printf("%x\n", request.AppendTo(nil))
	// Output: 0001080006040001020000000001c0000201000000000000c0000209
}

func ExampleParse() {
	payload := []byte{
		0, 1, 8, 0, 6, 4, 0, 2,
		2, 0, 0, 0, 0, 9, 192, 0, 2, 9,
		2, 0, 0, 0, 0, 1, 192, 0, 2, 1,
	}
	p, err := arp.Parse(payload)
	fmt.Println(p, err)
	_, err = arp.Parse(payload[:20])
	fmt.Println(err)
	// Output:
	// 192.0.2.9 is-at 02:00:00:00:00:09 <nil>
	// ARP packet of 20 bytes with address lengths 6 and 4: packet shorter than the lengths in it
}
