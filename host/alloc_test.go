package host

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// arpFrame is a broadcast ARP frame of 60 bytes from peerMAC.
func arpFrame(op arp.Operation, sender, target string) []byte {
	p := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: op,
		SenderHW: peerMAC, SenderIP: netip.MustParseAddr(sender), TargetIP: netip.MustParseAddr(target),
	}
	h := link.Header{Destination: lladdr.Broadcast(), Source: peerMAC, Type: link.TypeARP}
	return link.Ethernet{}.Append(nil, h, p.AppendTo(nil))
}

// TestInputAllocations: what comes all the time costs no memory, with detection of
// conflicts or without.
func TestInputAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	for _, tt := range []struct {
		name  string
		frame []byte
	}{
		{"request for us from a known host", arpFrame(arp.Request, "10.0.0.2", "10.0.0.1")},
		{"request for us, a probe", arpFrame(arp.Request, "0.0.0.0", "10.0.0.1")},
		{"reply of a known host", arpFrame(arp.Reply, "10.0.0.2", "10.0.0.1")},
		{"announcement of a known host", arpFrame(arp.Request, "10.0.0.2", "10.0.0.2")},
		{"request for another from an unknown host", arpFrame(arp.Request, "10.0.0.9", "10.0.0.8")},
		{"conflict beyond the limit of diagnostics", arpFrame(arp.Request, "10.0.0.1", "10.0.0.1")},
		{"from a broadcast address", arpFrame(arp.Request, "10.255.255.255", "10.0.0.1")},
		{"IPv6", []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02\x86\xddx")},
	} {
		for _, dad := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dad %v", tt.name, dad), func(t *testing.T) {
				h, ifc := newTestHost(t)
				ifc.SetDAD(dad, acd.ReprobeAnnounce)
				own := ifc.Addresses()
				own[0].Policy.Defend = acd.DefendAlways // or it would be lost
				if err := ifc.SetAddresses(own); err != nil {
					t.Fatal(err)
				}
				learnEntry(t, h, netip.MustParseAddr("10.0.0.2"))
				for range 10 {
					ifc.Input(tt.frame) // buffers grow, the diagnostic is said
				}
				if got := testing.AllocsPerRun(1000, func() { ifc.Input(tt.frame) }); got != 0 {
					t.Errorf("%v allocations", got)
				}
			})
		}
	}
}
