package host_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"sync"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// Two hosts on a network in memory: one finds the other. The README has the same
// program; docs/readme_test.go compares them.
func ExampleHost() {
	lan := segment.New(segment.Options{})
	defer lan.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup

	start := func(address, mac string) *host.Host {
		h := host.New(host.Config{})
		hw := lladdr.MustParse(mac)
		_, err := h.Attach(host.InterfaceConfig{
			Name:      "e0",
			Index:     1,
			MAC:       hw,
			Port:      lan.Port(hw), // or your own host.Port
			Addresses: []host.Address{{Prefix: netip.MustParsePrefix(address)}},
		})
		if err != nil {
			log.Fatal(err)
		}
		running.Go(func() {
			if err := h.Run(ctx); err != nil {
				log.Fatal(err)
			}
		})
		return h
	}
	here := start("192.0.2.1/24", "02:00:00:00:00:01")
	start("192.0.2.9/24", "02:00:00:00:00:09")

	// From the table, or by asking the wire until somebody answers.
	wait, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	mac, err := here.Resolve(wait, netip.MustParseAddr("192.0.2.9"))
	if err != nil {
		log.Fatal(err) // errors.Is(err, syscall.EHOSTDOWN) if nobody answers
	}
	fmt.Println("192.0.2.9 is at", mac)

	// From the table alone: no lock, no allocation, no system call.
	mac, ok := here.Lookup(netip.MustParseAddr("192.0.2.9"))
	fmt.Println(mac, ok)

	cancel()
	running.Wait()
	// Output:
	// 192.0.2.9 is at 02:00:00:00:00:09
	// 02:00:00:00:00:09 true
}
