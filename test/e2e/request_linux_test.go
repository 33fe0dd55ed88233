package e2e

import "testing"

// TestRequests is every kind of request that a sound host sends, and some that it
// might.
func TestRequests(t *testing.T) {
	t.Parallel()
	const notForUs = "other_host"
	playCases(t, []wireCase{
		{name: "target hardware address zero", frame: `arp()`, answer: answered, learns: askerIP},
		{name: "target hardware address broadcast", frame: `arp(hwdst=ALL)`, answer: answered, learns: askerIP},
		{name: "target hardware address ours", frame: `arp(hwdst=ISAT)`, answer: answered, learns: askerIP},
		{name: "target hardware address another's", frame: `arp(hwdst=PEER)`, answer: answered, learns: askerIP},
		{name: "target hardware address random", frame: `arp(hwdst="7b:31:c6:0d:94:5e")`, answer: answered, learns: askerIP},
		{name: "target hardware address multicast", frame: `arp(hwdst="01:00:5e:00:00:01")`, answer: answered, learns: askerIP},
		{name: "unicast", frame: `arp(dst=ISAT)`, answer: answered, learns: askerIP},
		{name: "unicast, target hardware address ours", frame: `arp(dst=ISAT, hwdst=ISAT)`, answer: answered, learns: askerIP},
		{name: "unicast, target hardware address another's", frame: `arp(dst=ISAT, hwdst=PEER)`, answer: answered, learns: askerIP},
		{name: "to a multicast group", frame: `arp(dst="01:00:5e:00:00:01")`, answer: answered, learns: askerIP},
		{name: "to another station", frame: `arp(dst="02:00:00:00:00:77")`, drop: notForUs},
		{name: "to another station, target hardware address ours", frame: `arp(dst="02:00:00:00:00:77", hwdst=ISAT)`, drop: notForUs},
		{name: "for another host", frame: `arp(pdst="192.0.2.77")`, drop: "not_for_us"},
		{name: "for another host, unicast to us", frame: `arp(dst=ISAT, pdst="192.0.2.77")`, drop: "not_for_us"},
		{name: "for a loopback address", frame: `arp(pdst="127.0.0.1")`, drop: "not_for_us"},
		{name: "for the limited broadcast address", frame: `arp(pdst="255.255.255.255")`, drop: "not_for_us"},
		{name: "for the broadcast address of the network", frame: `arp(pdst="192.0.2.255")`, drop: "not_for_us"},
		{name: "for a multicast address", frame: `arp(pdst="224.0.0.1")`, drop: "not_for_us"},
		{name: "for 0.0.0.0", frame: `arp(pdst="0.0.0.0")`, drop: "not_for_us"},
		{name: "probe", frame: `arp(psrc="0.0.0.0")`,
			answer: `arp(dst=ASKER, src=ISAT, op=2, hwsrc=ISAT, hwdst=ASKER, psrc="192.0.2.1", pdst="0.0.0.0")`},
		{name: "probe, unicast", frame: `arp(dst=ISAT, psrc="0.0.0.0")`,
			answer: `arp(dst=ASKER, src=ISAT, op=2, hwsrc=ISAT, hwdst=ASKER, psrc="192.0.2.1", pdst="0.0.0.0")`},
		{name: "probe for another host", frame: `arp(psrc="0.0.0.0", pdst="192.0.2.77")`, drop: "not_for_us"},
		{name: "announcement, by a request", frame: `arp(pdst="192.0.2.10")`, drop: "not_for_us"},
		{name: "announcement, by a reply", frame: `arp(op=2, pdst="192.0.2.10", hwdst=ALL)`},
		{name: "reply that nobody asked for, to us", frame: `arp(dst=ISAT, op=2, hwdst=ISAT)`, learns: askerIP},
		{name: "reply that nobody asked for, to another", frame: `arp(op=2, hwdst=PEER, pdst="192.0.2.2")`},
		{name: "the frame is from another station than the sender", frame: `arp(src=PEER)`, answer: answered, learns: askerIP},
		{name: "the sender is of another network", frame: `arp(psrc="198.51.100.10")`,
			answer: `arp(dst=ASKER, src=ISAT, op=2, hwsrc=ISAT, hwdst=ASKER, psrc="192.0.2.1", pdst="198.51.100.10")`},
		{name: "hardware type IEEE 802", frame: `ether(body(6, 0x0800, 6, 4, 1, "02000000000a", "c000020a", "000000000000", "c0000201"))`, answer: answered, learns: askerIP},
		{name: "padded with garbage", frame: `arp()/Padding(b"\xa5"*18)`, answer: answered, learns: askerIP},
		{name: "padded with garbage to the MTU", frame: `arp()/Padding(b"\x5a"*1472)`, answer: answered, learns: askerIP},
		{name: "SNAP", frame: `Dot3(dst=ALL, src=ASKER)/LLC(dsap=0xaa, ssap=0xaa, ctrl=3)/SNAP(OUI=0, code=0x0806)/packet()`},
		{name: "VLAN 5", frame: `Ether(dst=ALL, src=ASKER)/Dot1Q(vlan=5)/packet()`, drop: "tagged"},
		{name: "VLAN 5, unicast", frame: `Ether(dst=ISAT, src=ASKER)/Dot1Q(vlan=5)/packet()`, drop: notForUs},
		{name: "VLAN 0, a tag for priority alone", frame: `Ether(dst=ALL, src=ASKER)/Dot1Q(vlan=0, prio=5)/packet()`, answer: answered, learns: askerIP},
	})
}
