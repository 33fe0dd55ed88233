package packet_test

import (
	"errors"
	"fmt"
	"log"
	"net"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/packet"
)

// Print the ARP packets that an interface receives.
func ExampleListen() {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := packet.Listen(eth0.Index, packet.Options{Observe: true})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	frames := make([][]byte, packet.DefaultBatch)
	for {
		n, err := conn.ReadFrames(frames)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, frame := range frames[:n] {
			_, payload, err := link.Ethernet{}.Parse(frame)
			if err != nil {
				continue
			}
			if p, err := arp.Parse(payload); err == nil {
				fmt.Println(p)
			}
		}
	}
}
