package cable_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/arcnet"
	"github.com/isat-project/isat/lladdr"
)

// Two hosts on a cable of each medium find each other, and packets of the longest
// length that all take get through.
func TestHosts(t *testing.T) {
	for _, test := range []struct {
		framing link.Framing
		a, b    string
	}{
		{link.Ethernet{}, "02:00:00:00:00:0a", "02:00:00:00:00:0b"},
		{link.TokenRing{}, "02:00:00:00:00:0a", "02:00:00:00:00:0b"},
		{link.ARCnet{}, "0a", "0b"},
	} {
		t.Run(test.framing.HardwareType().String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cable")
			hub, _ := start(t, path)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			received := make(chan int, 1)
			run := func(address, mac string, deliver func([]byte)) *host.Host {
				var port host.Port = dial(t, hub, path)
				if test.framing == (link.ARCnet{}) {
					port = arcnet.NewPort(port, test.framing.MTU())
				}
				h := host.New(host.Config{})
				_, err := h.Attach(host.InterfaceConfig{
					Name: "e0", Index: 1, MAC: lladdr.MustParse(mac), Port: port, Framing: test.framing, Deliver: deliver,
					Addresses: []host.Address{{Prefix: netip.MustParsePrefix(address)}},
				})
				if err != nil {
					t.Fatal(err)
				}
				running.Go(func() {
					if err := h.Run(ctx); err != nil {
						t.Errorf("Run: %v", err)
					}
				})
				return h
			}
			here := run("192.0.2.1/24", test.a, nil)
			run("192.0.2.2/24", test.b, func(packet []byte) { received <- len(packet) })
			mac, err := here.Resolve(ctx, netip.MustParseAddr("192.0.2.2"))
			if err != nil || mac.String() != test.b {
				t.Fatalf("192.0.2.2 is at %v, error %v; want %s", mac, err, test.b)
			}
			packet := make([]byte, test.framing.MTU())
			copy(packet, []byte{0x45, 0, 1500 >> 8, 1500 & 0xff, 8: 64, 9: 253, 12: 192, 0, 2, 1, 192, 0, 2, 2})
			if err := here.Output(packet); err != nil {
				t.Fatal(err)
			}
			select {
			case n := <-received:
				if n != len(packet) {
					t.Errorf("%d bytes came, want %d", n, len(packet))
				}
			case <-ctx.Done():
				t.Error("the packet did not come")
			}
		})
	}
}
