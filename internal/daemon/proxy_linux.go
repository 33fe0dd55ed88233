package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/api"
)

// errNoProxy is of a daemon whose host does not ask package proxy yet.
var errNoProxy = fmt.Errorf("this version of isat does not proxy: %w", syscall.EOPNOTSUPP)

// ProxyRules implements the API.
func (d *Daemon) ProxyRules(context.Context) ([]api.ProxyRule, error) { return nil, nil }

// SetProxyRule implements the API.
func (d *Daemon) SetProxyRule(context.Context, api.ProxyRule) (api.ProxyRule, bool, error) {
	return api.ProxyRule{}, false, errNoProxy
}

// DeleteProxyRule implements the API.
func (d *Daemon) DeleteProxyRule(context.Context, netip.Prefix, string) (api.ProxyRule, error) {
	return api.ProxyRule{}, errNoProxy
}

// Explain implements the API.
func (d *Daemon) Explain(context.Context, api.ExplainQuery) (api.Explanation, error) {
	return api.Explanation{}, errNoProxy
}
