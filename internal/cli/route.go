package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/isat-project/isat/api"
)

type routeCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (routeCommand) Help() string {
	return `The form is that of netstat -rn. The flags: U up, G gateway, H host, C makes host routes (a connected network), W made by such a one, L has a link-layer address, S static.

Examples:

    isat route
    isat route --json
`
}

// Run prints the routing table.
func (c routeCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	routes, err := client.Routes(ctx)
	if err != nil {
		return a.explain(err, "reading the routes")
	}
	if c.JSON {
		return a.printJSON(api.Routes{Routes: routes})
	}
	printRoutes(a.stdout, routes)
	return nil
}

// printRoutes prints as FreeBSD 7's netstat -rn does, its widths included, but
// the column Netif is as wide as the longest name: Linux has names of up to 15
// bytes, and a truncated one is of no use.
func printRoutes(w io.Writer, routes []api.Route) {
	netif := 6
	for _, r := range routes {
		netif = max(netif, len(r.Interface))
	}
	fmt.Fprintf(w, "Routing tables\n\nInternet:\n")
	fmt.Fprintf(w, "%-18s %-18s %-6s %6s %8s %*s %6s\n",
		"Destination", "Gateway", "Flags", "Refs", "Use", netif, "Netif", "Expire")
	for _, r := range routes {
		expire := ""
		if s := wholeSeconds(r.ExpiresIn); s > 0 {
			expire = fmt.Sprintf(" %6d", s)
		}
		fmt.Fprintf(w, "%-18s %-18s %-6s %6d %8d %*s%s\n",
			destination(r), gateway(r.Gateway), r.Flags, r.Refs, r.Use, netif, r.Interface, expire)
	}
}

// destination returns the network or host of r as netstat prints it.
func destination(r api.Route) string {
	switch {
	case r.Destination.Bits() == 0:
		return "default"
	case strings.Contains(r.Flags, "H"):
		return r.Destination.Addr().String()
	}
	return r.Destination.String()
}

// gateway returns a gateway as netstat prints it: the bytes of a link-layer
// address without leading zeros, unlike arp(8).
func gateway(s string) string {
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		return s // an IPv4 address, or link#1
	}
	for i, p := range parts {
		if len(p) == 2 && p[0] == '0' {
			parts[i] = p[1:]
		}
	}
	return strings.Join(parts, ":")
}

// wholeSeconds rounds up, so that what was just made shows the whole of its
// lifetime and what still lives never shows 0.
func wholeSeconds(s api.Seconds) int64 {
	const second = api.Seconds(1e9)
	return int64((s + second - 1) / second)
}
