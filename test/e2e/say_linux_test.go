package e2e

import (
	"net/netip"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// Say sends a packet of ARP in a frame from its sender to another station. The
// target hardware address is zero in a request, and the station's in all else.
// Where the bytes matter scapy makes the frame, not isat's own encoder.
func (c *Capture) Say(op arp.Operation, to, senderMAC, senderIP, targetIP string) {
	c.t.Helper()
	p := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: op,
		SenderHW: lladdr.MustParse(senderMAC), SenderIP: netip.MustParseAddr(senderIP), TargetIP: netip.MustParseAddr(targetIP),
	}
	station := lladdr.MustParse(to)
	if op != arp.Request {
		p.TargetHW = station
	}
	c.Send(link.Ethernet{}.Append(nil, link.Header{Source: p.SenderHW, Destination: station, Type: link.TypeARP}, p.AppendTo(nil)))
}

// everybody is the broadcast address.
const everybody = "ff:ff:ff:ff:ff:ff"

// AnswerNext waits for a request for ip after a mark and answers it.
func (c *Capture) AnswerNext(mark int, ip, mac string) {
	c.t.Helper()
	request := c.Await(mark, "a request for "+ip, who(ip)).Packet
	c.Say(arp.Reply, request.SenderHW.String(), mac, ip, request.SenderIP.String())
}
