package host

import (
	"net/netip"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// TestSendAllocations: packets to known neighbours cost no memory and wait for no
// lock, many at a time neither.
func TestSendAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	h, ifc := newTestHost(t)
	var batch [][]byte
	for i := range byte(50) {
		to := netip.AddrFrom4([4]byte{10, 0, 1, 2 + i%3})
		if i < 3 {
			learnEntry(t, h, to)
		}
		p := make([]byte, 1500)
		p[0] = 0x45
		copy(p[16:], to.AsSlice())
		batch = append(batch, p)
	}
	failed := func(_ []byte, err error) { t.Error(err) }
	ifc.Output(batch, failed) // buffers grow
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := testing.AllocsPerRun(100, func() { ifc.Output(batch, failed) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestSourceRouteAllocations: neither does a source route.
func TestSourceRouteAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	h := New(Config{})
	ifc, err := h.Attach(InterfaceConfig{
		Name: "tr0", Index: 1, MAC: ownMAC, Port: nullPort{}, Framing: link.TokenRing{},
		Addresses: []Address{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	by, err := link.ParseSourceRoute([]byte{0x06, 0x90, 0x00, 0x11, 0x00, 0x20})
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddr("10.0.0.2")
	request := arp.Packet{
		HardwareType: arp.IEEE802, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: peerMAC, SenderIP: to, TargetIP: netip.MustParseAddr("10.0.0.1"),
	}
	header := link.Header{Destination: lladdr.Broadcast(), Source: peerMAC, Type: link.TypeARP, Route: by}
	frame := link.TokenRing{}.Append(nil, header, request.AppendTo(nil))
	packet := ipv4(to)
	batch := [][]byte{packet, packet}
	failed := func(_ []byte, err error) { t.Error(err) }
	for what, do := range map[string]func(){
		"input":            func() { ifc.Input(frame) },
		"Output":           func() { _ = h.Output(packet) },
		"Interface.Output": func() { ifc.Output(batch, failed) },
	} {
		ifc.Input(frame)
		do() // buffers grow
		if got := testing.AllocsPerRun(100, do); got != 0 {
			t.Errorf("%s: %v allocations", what, got)
		}
	}
	if all := h.Entry(to); len(all) != 1 || all[0].Route != by.Reply() {
		t.Errorf("the entries are %+v", all)
	}
}

func BenchmarkInterfaceOutput(b *testing.B) {
	h, ifc := newTestHost(b)
	to := netip.MustParseAddr("10.0.1.2")
	learnEntry(b, h, to)
	p := make([]byte, 1500)
	p[0] = 0x45
	copy(p[16:], to.AsSlice())
	batch := make([][]byte, 45)
	for i := range batch {
		batch[i] = p
	}
	failed := func(_ []byte, err error) { b.Error(err) }
	b.SetBytes(int64(len(batch) * len(p)))
	for b.Loop() {
		ifc.Output(batch, failed)
	}
}
