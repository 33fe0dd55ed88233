package proxy_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// router is a host with the interfaces e0 and e1 and no entries.
type router struct{}

func (*router) Settings() proxy.Settings   { return proxy.Settings{ProxyAll: true} }
func (*router) LinkAddr() lladdr.Addr      { return lladdr.MustParse("02:00:00:00:00:01") }
func (*router) IsStation(lladdr.Addr) bool { return true }
func (*router) Own(r proxy.Request) (proxy.Ownership, lladdr.Addr) {
	if r.TargetIP == netip.MustParseAddr("192.0.2.1") {
		return proxy.Owned, lladdr.Addr{}
	}
	return proxy.Foreign, lladdr.Addr{}
}
func (*router) Published(netip.Addr) (proxy.Publication, lladdr.Addr) {
	return proxy.Unpublished, lladdr.Addr{}
}
func (*router) Heard(netip.Addr, lladdr.Addr) bool { return false }

func Example() {
	var rules proxy.Rules
	err := rules.Add(proxy.Rule{
		Prefix:    netip.MustParsePrefix("198.51.100.0/24"),
		Interface: "e0",
		DenyFrom:  []netip.Prefix{netip.MustParsePrefix("192.0.2.66/32")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	request := proxy.Request{
		Interface: "e0",
		SenderMAC: lladdr.MustParse("02:00:00:00:00:42"),
		SenderIP:  netip.MustParseAddr("192.0.2.66"),
		TargetIP:  netip.MustParseAddr("198.51.100.9"),
	}
	d := rules.Decide(time.Now(), request, &router{}, nil)
	fmt.Println(d.Verdict, d.Reason)
	fmt.Print(d.Explain())
	// Output:
	// refuse prefix_denied
	// e0: who has 198.51.100.9? Tell 192.0.2.66, 02:00:00:00:00:42
	//   target:          198.51.100.9 may be the address of a host
	//   own address:     198.51.100.9 is no address of this host
	//   published entry: 198.51.100.9 has none on e0
	//   prefix rule:     198.51.100.0/24 on e0 has 198.51.100.9, but its deny-from has 192.0.2.66
	// Refused, by the rule "prefix rule".
}

// With proxyall a request may have to wait for the routing decision.
func ExampleRouteCache() {
	var rules proxy.Rules
	cache := proxy.NewRouteCache(proxy.Limits{})
	request := proxy.Request{
		Interface: "e0",
		SenderMAC: lladdr.MustParse("02:00:00:00:00:07"),
		SenderIP:  netip.MustParseAddr("192.0.2.7"),
		TargetIP:  netip.MustParseAddr("198.51.100.9"),
	}
	now := time.Now()

	// The host receives the request, and holds its lock.
	fmt.Println(rules.Decide(now, request, &router{}, cache).Verdict)

	// Another goroutine asks the kernel, without the lock, ...
	for _, q := range cache.Questions(nil) {
		fmt.Println("asked for the routes to", q.Target, "and", q.Sender)
		routes := proxy.Routes{To: "e1", Back: "e0"}

		// ... and takes the lock again for the answer.
		if waiting, ok := cache.Store(now, q, routes); ok {
			d := rules.Decide(now, waiting, &router{}, routes)
			fmt.Println(d.Verdict, d.MAC, d.Reason)
		}
	}
	// Output:
	// wait
	// asked for the routes to 198.51.100.9 and 192.0.2.7
	// answer 02:00:00:00:00:01 proxyall_answer
}
