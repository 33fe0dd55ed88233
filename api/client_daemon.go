package api

import (
	"context"
	"net/http"
	"net/url"
)

// Sysctls returns every node of the MIB in order of name: the host's values, or
// those that hold on the interface named.
func (c *Client) Sysctls(ctx context.Context, iface string) ([]SysctlNode, error) {
	var s Sysctls
	_, err := c.call(ctx, http.MethodGet, "/v1/sysctl", query("interface", iface), nil, &s)
	return s.Nodes, err
}

// Sysctl returns one node: the host's value, or the one that holds on the
// interface named. syscall.ENOENT: there is no such node; syscall.ENXIO: the daemon
// does not know the interface.
func (c *Client) Sysctl(ctx context.Context, name, iface string) (SysctlNode, error) {
	var n SysctlNode
	_, err := c.call(ctx, http.MethodGet, "/v1/sysctl/"+url.PathEscape(name), query("interface", iface), nil, &n)
	return n, err
}

// SetSysctl sets a node for the host, or for the interface named, and returns
// it. A value out of range is syscall.EINVAL and changes nothing.
func (c *Client) SetSysctl(ctx context.Context, name, iface string, value int64) (SysctlNode, error) {
	var n SysctlNode
	_, err := c.call(ctx, http.MethodPut, "/v1/sysctl/"+url.PathEscape(name), query("interface", iface),
		SetSysctl{Value: value}, &n)
	return n, err
}

// ResetSysctl undoes SetSysctl and returns the node: it has the value of the
// daemon's configuration again, else the default, or on the interface named that of
// the whole host.
func (c *Client) ResetSysctl(ctx context.Context, name, iface string) (SysctlNode, error) {
	var n SysctlNode
	_, err := c.call(ctx, http.MethodDelete, "/v1/sysctl/"+url.PathEscape(name), query("interface", iface), nil, &n)
	return n, err
}

// Routes returns the routing table in order of destination.
func (c *Client) Routes(ctx context.Context) ([]Route, error) {
	var r Routes
	_, err := c.call(ctx, http.MethodGet, "/v1/routes", nil, nil, &r)
	return r.Routes, err
}

// Interfaces returns the interfaces the daemon knows, in order of name.
func (c *Client) Interfaces(ctx context.Context) ([]Interface, error) {
	var i Interfaces
	_, err := c.call(ctx, http.MethodGet, "/v1/interfaces", nil, nil, &i)
	return i.Interfaces, err
}

// Status returns the state of the daemon.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	_, err := c.call(ctx, http.MethodGet, "/v1/status", nil, nil, &s)
	return s, err
}

// Stats returns the counters since the daemon started.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	_, err := c.call(ctx, http.MethodGet, "/v1/stats", nil, nil, &s)
	return s, err
}

// Take takes the interface over and returns its state then.
func (c *Client) Take(ctx context.Context, iface string) (Interface, error) {
	var i Interface
	_, err := c.call(ctx, http.MethodPost, "/v1/interfaces/"+url.PathEscape(iface)+"/take", nil, nil, &i)
	return i, err
}

// Release hands the interface back to the kernel.
func (c *Client) Release(ctx context.Context, iface string) error {
	_, err := c.call(ctx, http.MethodPost, "/v1/interfaces/"+url.PathEscape(iface)+"/release", nil, nil, nil)
	return err
}

// Reload makes the daemon read its configuration again, and returns a line for
// each thing that changed. A bad file changes nothing: the error says what is
// wrong with it and where.
func (c *Client) Reload(ctx context.Context) ([]string, error) {
	var r ReloadResult
	_, err := c.call(ctx, http.MethodPost, "/v1/reload", nil, nil, &r)
	return r.Changes, err
}
