package cli

import (
	"context"
	"net/netip"
)

type announceCommand struct {
	Interface string `arg:"" name:"IFNAME" help:"The interface."`
	Addresses []ipv4 `arg:"" name:"ADDRESS" help:"Its own or published addresses."`
}

func (announceCommand) Help() string {
	return `One gratuitous request is sent for each address.

Example:

    isat announce eth0 192.0.2.1
`
}

// Run asks the daemon to announce.
func (c announceCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	ips := make([]netip.Addr, len(c.Addresses))
	for i, ip := range c.Addresses {
		ips[i] = ip.Addr
	}
	return a.explain(client.Announce(ctx, c.Interface, ips...), "announcing")
}
