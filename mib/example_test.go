package mib_test

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/isat-project/isat/mib"
)

func Example() {
	tree := mib.New()
	tree.OnChange(func(c mib.Change) { fmt.Printf("%s: %d -> %d\n", c.Name, c.Old, c.New) })

	if err := tree.Set("net.link.ether.inet.max_age", "", 600); err != nil {
		fmt.Println(err)
	}
	err := tree.Set("net.link.ether.inet.maxtries", "", 0)
	fmt.Println(errors.Is(err, syscall.EINVAL))
	fmt.Println(tree.Settings("eth0").MaxAge)
	// Output:
	// net.link.ether.inet.max_age: 1200 -> 600
	// true
	// 10m0s
}

// An interface has the values of the host but for those set for it.
func ExampleTree_Settings() {
	tree := mib.New()
	if err := tree.Set("net.link.ether.inet.maxtries", "eth0", 3); err != nil {
		fmt.Println(err)
	}
	fmt.Println(tree.Settings("eth0").MaxTries, tree.Settings("eth1").MaxTries)
	// Output: 3 5
}

// What sysctl net.link.ether.arp.stats shows.
func ExampleTree_Walk() {
	tree := mib.New()
	tree.AddCounter(mib.StatsPrefix+"txrequests", "requests sent", func() uint64 { return 12 })
	tree.AddCounter(mib.StatsPrefix+"rxreplies", "replies received", func() uint64 { return 11 })
	for n := range tree.Walk("net.link.ether.arp.stats") {
		v, err := tree.Get(n.Name, "")
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s: %d\n", n.Name, v)
	}
	// Output:
	// net.link.ether.arp.stats.rxreplies: 11
	// net.link.ether.arp.stats.txrequests: 12
}
