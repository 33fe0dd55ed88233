package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/api"
)

func (s *Server) getProxyRules(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	rules, err := s.backend.ProxyRules(r.Context())
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, ruleList(rules))
}

// ruleList is the body with these rules, without null.
func ruleList(rules []api.ProxyRule) api.ProxyRules {
	for i := range rules {
		rules[i].DenyFrom = list(rules[i].DenyFrom)
	}
	return api.ProxyRules{Rules: list(rules)}
}

func (s *Server) putProxyRule(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	rule := api.ProxyRule{Ether: api.EtherAuto}
	err := decodeBody(w, r,
		field{"prefix", &rule.Prefix, wantPrefix, true},
		field{"interface", &rule.Interface, wantName, true},
		field{"ether", &rule.Ether, wantMACOrAuto, false},
		field{"deny_from", &rule.DenyFrom, wantPrefixes, false})
	if err != nil {
		return err
	}
	if rule.Interface == "" {
		return fmt.Errorf("interface: empty; want %s: %w", wantName, syscall.EINVAL)
	}
	if err := checkPrefix("prefix", rule.Prefix); err != nil {
		return err
	}
	for _, p := range rule.DenyFrom {
		if err := checkPrefix("deny_from", p); err != nil {
			return err
		}
	}
	if rule.Ether != api.EtherAuto {
		if rule.Ether, err = canonicalMAC("ether", rule.Ether); err != nil {
			return err
		}
	}
	set, created, err := s.backend.SetProxyRule(r.Context(), rule)
	if err != nil {
		return err
	}
	set.DenyFrom = list(set.DenyFrom)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return s.writeJSON(w, status, set)
}

func (s *Server) deleteProxyRule(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r, "prefix", "interface")
	if err != nil {
		return err
	}
	prefix, err := netip.ParsePrefix(q.Get("prefix"))
	if err != nil {
		return badPrefix("prefix", q.Get("prefix"))
	}
	if err := checkPrefix("prefix", prefix); err != nil {
		return err
	}
	if q.Get("interface") == "" {
		return fmt.Errorf("interface: want %s: %w", wantName, syscall.EINVAL)
	}
	deleted, err := s.backend.DeleteProxyRule(r.Context(), prefix, q.Get("interface"))
	if err != nil {
		return err
	}
	return s.writeJSON(w, http.StatusOK, ruleList([]api.ProxyRule{deleted}))
}

func (s *Server) getExplain(w http.ResponseWriter, r *http.Request) error {
	p, err := parameters(r, "interface", "target", "sender", "mac")
	if err != nil {
		return err
	}
	q := api.ExplainQuery{Interface: p.Get("interface")}
	if q.Interface == "" {
		return fmt.Errorf("interface: want %s: %w", wantName, syscall.EINVAL)
	}
	if q.Target, err = parseIP("target", p.Get("target")); err != nil {
		return err
	}
	if q.Sender, err = parseIP("sender", p.Get("sender")); err != nil {
		return err
	}
	if p.Has("mac") {
		if q.MAC, err = canonicalMAC("mac", api.MAC(p.Get("mac"))); err != nil {
			return err
		}
	}
	e, err := s.backend.Explain(r.Context(), q)
	if err != nil {
		return err
	}
	e.Findings = list(e.Findings)
	return s.writeJSON(w, http.StatusOK, e)
}

// checkPrefix checks that p is an IPv4 network; the name is for the error.
func checkPrefix(name string, p netip.Prefix) error {
	switch {
	case !p.IsValid() || !p.Addr().Is4():
		return badPrefix(name, p.String())
	case p != p.Masked():
		return fmt.Errorf("%s: %v has bits beyond its length; the network is %v: %w", name, p, p.Masked(), syscall.EINVAL)
	}
	return nil
}

func badPrefix(name, text string) error {
	return fmt.Errorf("%s: want %s, not %q: %w", name, wantPrefix, shorten(text), syscall.EINVAL)
}
