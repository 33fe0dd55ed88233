package event_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/lladdr"
)

func Example() {
	ring := event.NewRing("5f1e0c2a", event.DefaultSize)
	reader := ring.Reader(ring.Last()) // from now on
	go ring.Append(event.Event{
		Time:      time.Now(),
		Type:      event.Resolved,
		Interface: "eth0",
		IP:        netip.MustParseAddr("192.0.2.9"),
		MAC:       lladdr.MustParse("02:00:00:00:00:09"),
	})
	e, err := reader.Next(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reader.Position(), e.Type, e.IP, e.MAC)
	// Output: 5f1e0c2a:1 resolved 192.0.2.9 02:00:00:00:00:09
}

// A client that comes back too late is told what it missed.
func ExampleRing_ReaderSince() {
	ring := event.NewRing("5f1e0c2a", 2)
	for range 5 {
		ring.Append(event.Event{Time: time.Now(), Type: event.Added})
	}
	since, err := event.ParsePosition("5f1e0c2a:1")
	if err != nil {
		fmt.Println(err)
		return
	}
	reader := ring.ReaderSince(since)
	for e, ok := reader.TryNext(); ok; e, ok = reader.TryNext() {
		fmt.Printf("%d %v %q\n", e.Seq, e.Type, e.Message)
	}
	// Output:
	// 3 lost "arp: 2 events are no longer kept"
	// 4 added ""
	// 5 added ""
}
