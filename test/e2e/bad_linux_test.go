package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestBadPackets is every packet that contradicts itself, its frame or the
// medium, and the operations that are not ARP's.
func TestBadPackets(t *testing.T) {
	t.Parallel()
	const (
		sound = `"02000000000a", "c000020a", "000000000000", "c0000201"`
	)
	var cases []wireCase
	add := func(drop, name, frame string, args ...any) {
		cases = append(cases, wireCase{name: name, frame: fmt.Sprintf(frame, args...), drop: drop})
	}
	for _, hrd := range []int{0, 2, 7, 15, 24, 32, 0x0100, 65535} {
		add("hardware_type", fmt.Sprint("hardware type ", hrd), "ether(body(%d, 0x0800, 6, 4, 1, %s))", hrd, sound)
	}
	for _, pro := range []int{0, 6, 0x0806, 0x1000, 0x86dd, 0x0008, 65535} {
		add("protocol_type", fmt.Sprintf("protocol type %#04x", pro), "ether(body(1, %d, 6, 4, 1, %s))", pro, sound)
	}
	for _, op := range []int{0, 3, 4, 8, 9, 25, 0x0100, 65535} {
		add("operation", fmt.Sprint("operation ", op), "arp(op=%d)", op)
	}
	// Addresses as long as the lengths say.
	for _, hln := range []int{0, 1, 5, 7, 8, 16, 20, 21, 255} {
		hw := strings.Repeat("02", hln)
		add("hardware_length", fmt.Sprint("hardware addresses of ", hln), `ether(body(1, 0x0800, %d, 4, 1, "%s", "c000020a", "%[2]s", "c0000201"))`, hln, hw)
	}
	for _, pln := range []int{0, 1, 3, 5, 16, 255} {
		p := strings.Repeat("c0", pln)
		add("protocol_length", fmt.Sprint("protocol addresses of ", pln), `ether(body(1, 0x0800, 6, %d, 1, "02000000000a", "%s", "000000000000", "%[2]s"))`, pln, p)
	}
	// Lengths that the packet does not have, and the padding of a sound driver.
	for _, lengths := range [][2]int{{7, 4}, {6, 5}, {16, 4}, {6, 16}, {255, 255}, {255, 4}, {6, 255}} {
		add("short_packet", fmt.Sprintf("lengths %d and %d in 28 bytes", lengths[0], lengths[1]),
			"ether(body(1, 0x0800, %d, %d, 1, %s))", lengths[0], lengths[1], sound)
	}
	add("hardware_length", "length 8 that the padding fills", "ether(body(1, 0x0800, 8, 4, 1, %s) + bytes(18))", sound)
	add("protocol_length", "length 8 of protocol addresses that the padding fills", "ether(body(1, 0x0800, 6, 8, 1, %s) + bytes(18))", sound)
	for n := range 28 {
		add("short_packet", fmt.Sprint("truncated after ", n), "bytes(arp())[:14+%d]", n)
	}
	playCases(t, cases)
}

// TestBadSenders is every sender that no host can be: none is learned.
func TestBadSenders(t *testing.T) {
	t.Parallel()
	const (
		nobody  = "Linux answers an address that no frame can come from (net/ipv4/arp.c does not look at the sender's)"
		echo    = "Linux answers itself; facts 3.3 step 4 drops it silently"
		lenient = "Linux answers an address to which it would not send (net/ipv4/arp.c asks for a route to the target only)"
	)
	playCases(t, []wireCase{
		{name: "in 127/8", frame: `arp(psrc="127.0.0.1")`, drop: "loopback_address"},
		{name: "end of 127/8", frame: `arp(psrc="127.255.255.254")`, drop: "loopback_address"},
		{name: "multicast", frame: `arp(psrc="224.0.0.1")`, drop: "multicast_address"},
		{name: "end of multicast", frame: `arp(psrc="239.255.255.255")`, drop: "multicast_address"},
		{name: "in 240/4, which is in use", frame: `arp(psrc="240.0.0.1")`,
			answer: `arp(dst=ASKER, src=ISAT, op=2, hwsrc=ISAT, hwdst=ASKER, psrc="192.0.2.1", pdst="240.0.0.1")`},
		{name: "limited broadcast", frame: `arp(psrc="255.255.255.255")`, drop: "broadcast_address"},
		{name: "broadcast of the network", frame: `arp(psrc="192.0.2.255")`, drop: "broadcast_address", linux: lenient},
		{name: "hardware address zero", frame: `arp(hwsrc=ZERO)`, drop: "zero_sender", linux: nobody},
		{name: "hardware address broadcast", frame: `arp(hwsrc=ALL)`, drop: "broadcast_sender", linux: nobody},
		{name: "hardware address multicast", frame: `arp(hwsrc="01:00:5e:00:00:0a")`, drop: "multicast_sender", linux: nobody},
		{name: "hardware address multicast and local", frame: `arp(hwsrc="03:00:00:00:00:0a")`, drop: "multicast_sender", linux: nobody},
		{name: "hardware address ours", frame: `arp(hwsrc=ISAT)`, drop: "self", linux: echo},
		{name: "hardware address zero, a reply", frame: `arp(dst=ISAT, op=2, hwsrc=ZERO)`, drop: "zero_sender"},
		{name: "hardware address broadcast, a reply", frame: `arp(dst=ISAT, op=2, hwsrc=ALL)`, drop: "broadcast_sender"},
		{name: "in 127/8, a reply", frame: `arp(dst=ISAT, op=2, psrc="127.0.0.1")`, drop: "loopback_address"},
		{name: "limited broadcast, a reply", frame: `arp(dst=ISAT, op=2, psrc="255.255.255.255")`, drop: "broadcast_address"},
	})
}
