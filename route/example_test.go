package route_test

import (
	"fmt"
	"net/netip"

	"github.com/isat-project/isat/route"
)

// entry stands for what a program keeps of a neighbour.
type entry struct{ name string }

func Example() {
	table := route.New(func(m route.Message[entry]) {
		fmt.Println(m.Type, m.Prefix, m.Flags)
	})
	network, err := table.Add(route.Spec{
		Prefix:    netip.MustParsePrefix("192.0.2.0/24"),
		Interface: 2,
		Flags:     route.Cloning,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := table.Add(route.Spec{
		Prefix:    netip.MustParsePrefix("0.0.0.0/0"),
		Interface: 2,
		Gateway:   netip.MustParseAddr("192.0.2.1"),
		Flags:     route.Static,
	}); err != nil {
		fmt.Println(err)
		return
	}
	router := netip.MustParseAddr("192.0.2.1")
	if err := network.Clone(router, &entry{"router"}, 0); err != nil {
		fmt.Println(err)
		return
	}
	network.Clones().Publish(route.Key(router), 0x02_00_00_00_00_01)

	// What a packet to the world costs: two searches, no lock and no allocation.
	hop, _ := table.NextHop(netip.MustParseAddr("203.0.113.7"))
	slot := hop.Network.Clones().Find(route.Key(hop.Addr))
	slot.MarkUsed()
	fmt.Printf("to %v on interface %d: %012x\n", hop.Addr, hop.Network.Interface, slot.Word())

	if err := table.Delete(network); err != nil {
		fmt.Println(err)
	}
	// Output:
	// add 192.0.2.0/24 UC
	// add 0.0.0.0/0 UGS
	// add 192.0.2.1/32 UHLW
	// to 192.0.2.1 on interface 2: 020000000001
	// delete 192.0.2.1/32 UHLW
	// delete 192.0.2.0/24 UC
}
