package api

import "net/netip"

// Route is a row of the routing table, with what netstat -rn shows of it.
type Route struct {
	Destination netip.Prefix `json:"destination"` // 0.0.0.0/0 is the default route; flag H marks a host
	Gateway     string       `json:"gateway"`     // an address, a [MAC], or "link#INDEX"
	Flags       string       `json:"flags"`       // letters of netstat(1): "UC", "UHLW", "UGS" ...
	Interface   string       `json:"interface"`
	Refs        int          `json:"refs"`
	Use         uint64       `json:"use"`
	ExpiresIn   Seconds      `json:"expires_in"` // whole seconds, 0: does not expire
}

// Routes is the body of GET /v1/routes.
type Routes struct {
	Routes []Route `json:"routes"`
}
