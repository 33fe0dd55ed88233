package api

import (
	"context"
	"net/http"
	"net/netip"
)

// ProxyRules returns the prefix rules by interface and address, those of the
// configuration included.
func (c *Client) ProxyRules(ctx context.Context) ([]ProxyRule, error) {
	var r ProxyRules
	_, err := c.call(ctx, http.MethodGet, "/v1/proxy", nil, nil, &r)
	return r.Rules, err
}

// SetProxyRule makes a rule or changes the one of its prefix and interface. It
// returns the rule as it is then, and whether it is new.
func (c *Client) SetProxyRule(ctx context.Context, rule ProxyRule) (set ProxyRule, created bool, err error) {
	body := struct {
		ProxyRule
		// An empty list may be left away, null may not.
		DenyFrom []netip.Prefix `json:"deny_from,omitempty"`
		Ether    MAC            `json:"ether,omitempty"`
	}{rule, rule.DenyFrom, rule.Ether}
	status, err := c.call(ctx, http.MethodPut, "/v1/proxy", nil, body, &set)
	return set, status == http.StatusCreated, err
}

// DeleteProxyRule deletes a rule and returns it. syscall.ENXIO: there is none.
func (c *Client) DeleteProxyRule(ctx context.Context, prefix netip.Prefix, iface string) ([]ProxyRule, error) {
	var deleted ProxyRules
	_, err := c.call(ctx, http.MethodDelete, "/v1/proxy", query("prefix", prefix.String(), "interface", iface), nil, &deleted)
	return deleted.Rules, err
}

// Explain tells what the daemon would do with an ARP request. syscall.ENXIO: the
// interface is not taken over.
func (c *Client) Explain(ctx context.Context, q ExplainQuery) (Explanation, error) {
	var e Explanation
	_, err := c.call(ctx, http.MethodGet, "/v1/explain", query("interface", q.Interface,
		"target", addrText(q.Target), "sender", addrText(q.Sender), "mac", string(q.MAC)), nil, &e)
	return e, err
}
