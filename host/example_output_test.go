package host_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// attach gives a host an interface on a segment.
func attach(h *host.Host, lan *segment.Segment, mac, address string, deliver func([]byte)) {
	m := lladdr.MustParse(mac)
	_, err := h.Attach(host.InterfaceConfig{
		Name: "e0", Index: 1, MAC: m, Port: lan.Port(m),
		Addresses: []host.Address{{Prefix: netip.MustParsePrefix(address)}},
		Deliver:   deliver,
	})
	if err != nil {
		panic(err)
	}
}

// A program with an IP stack of its own hands its packets to Output, and takes
// those that come in from Deliver.
func ExampleHost_Output() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lan := segment.New(segment.Options{})
	defer lan.Close()

	got := make(chan string, 1)
	a, router := host.New(host.Config{}), host.New(host.Config{})
	attach(a, lan, "02:00:00:00:00:0a", "192.0.2.1/24", nil)
	attach(router, lan, "02:00:00:00:00:0b", "192.0.2.254/24", func(packet []byte) {
		got <- fmt.Sprintf("to %v: %s", netip.AddrFrom4([4]byte(packet[16:20])), packet[20:25])
	})
	go a.Run(ctx)
	go router.Run(ctx)
	if err := a.AddRoute(host.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.254")}); err != nil {
		panic(err)
	}

	packet := make([]byte, 20, 25) // an IPv4 header, as far as Output looks at it
	packet[0] = 0x45
	copy(packet[16:], []byte{203, 0, 113, 5})
	packet = append(packet, "hello"...)
	// The router is not known yet: the packet waits until it has answered.
	if err := a.Output(packet); err != nil {
		panic(err)
	}
	fmt.Println(<-got)
	// Output: to 203.0.113.5: hello
}
