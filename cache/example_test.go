package cache_test

import (
	"fmt"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/lladdr"
)

// An entry lives: a packet waits, a request goes out, the answer comes.
func ExampleEntry() {
	limits := cache.DefaultLimits()
	entry := cache.New(&limits)
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

	show := func(effects []cache.Effect) {
		for _, e := range effects {
			switch e.Action {
			case cache.Report:
				fmt.Println(now.Format(time.TimeOnly), "tell:", e.Event)
			case cache.Release:
				fmt.Printf("%s send %q to %v\n", now.Format(time.TimeOnly), e.Packets, entry.Addr())
			default:
				fmt.Println(now.Format(time.TimeOnly), e.Action)
			}
		}
	}
	show(entry.Handle(now, cache.Input{Kind: cache.Demand, Packet: []byte("hello")}, nil))
	now = now.Add(2 * time.Second)
	show(entry.Handle(now, cache.Input{Kind: cache.Answer, Addr: lladdr.MustParse("02:00:00:00:00:09")}, nil))
	fmt.Println(entry.State(), "until", entry.Expires().Format(time.TimeOnly))
	// Output:
	// 12:00:00 tell: added
	// 12:00:00 request
	// 12:00:02 bind
	// 12:00:02 send ["hello"] to 02:00:00:00:00:09
	// 12:00:02 tell: resolved
	// reachable until 12:20:02
}
