package cli

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/isat-project/isat/api"
)

type resolveCommand struct {
	Interface string        `short:"i" help:"Ask on this interface; else the route tells." placeholder:"IFNAME"`
	Timeout   time.Duration `help:"How long to wait; else until maxtries requests are unanswered." placeholder:"D"`
	Addresses []ipv4        `arg:"" name:"ADDRESS" help:"IPv4 addresses."`
}

func (resolveCommand) Help() string {
	return `For one address the answer is its link-layer address alone; for several, a line with both for each. What the cache has is not asked for.

Examples:

    isat resolve 192.0.2.1
    isat resolve -i eth0 --timeout 500ms 192.0.2.1 192.0.2.2
`
}

// ipv4 is an IPv4 address on the command line.
type ipv4 struct{ netip.Addr }

func (a *ipv4) UnmarshalText(text []byte) error {
	v, err := netip.ParseAddr(string(text))
	if err != nil || !v.Is4() {
		return fmt.Errorf("%q: want an IPv4 address such as 192.0.2.1", text)
	}
	a.Addr = v
	return nil
}

// maxResolving bounds the addresses that are asked for at once.
const maxResolving = 64

// Run resolves the addresses side by side and prints them in their order.
func (c resolveCommand) Run(ctx context.Context, a *app) error {
	if c.Timeout < 0 {
		return usageError{fmt.Errorf("reading the command line: --timeout %v is below zero", c.Timeout)}
	}
	client := a.client()
	defer client.Close()
	type answer struct {
		mac api.MAC
		err error
	}
	answers := make([]chan answer, len(c.Addresses))
	slots := make(chan struct{}, maxResolving)
	for i, ip := range c.Addresses {
		answers[i] = make(chan answer, 1) // so that no goroutine waits for the printing
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			e, err := client.Resolve(ctx, ip.Addr, c.Interface, c.Timeout)
			answers[i] <- answer{e.MAC, err}
		}()
	}
	var failed error
	for i, ip := range c.Addresses {
		switch got := <-answers[i]; {
		case got.err != nil:
			a.tell("isat", a.explain(got.err, "resolving %v", ip))
			failed = errTold
		case len(c.Addresses) == 1:
			fmt.Fprintln(a.stdout, got.mac)
		default:
			fmt.Fprintln(a.stdout, ip, got.mac)
		}
	}
	return failed
}
