package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// proxyRules are the prefix rules of the host: those of the configuration, and
// those made over the API, which live until the daemon ends. The rules themselves
// are safe for concurrent use; mu is about who made them.
type proxyRules struct {
	rules *proxy.Rules

	mu     sync.Mutex
	ofFile map[ruleName]bool // made by the configuration, and left alone by the API since
}

// ruleName names a rule.
type ruleName struct {
	prefix netip.Prefix
	ifname string
}

// configure carries out what a configuration has otherwise than an older one.
// What both have is not disturbed, nor what the API has made in its place. Both
// are valid.
func (p *proxyRules) configure(old, new config.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, after := ruleSet(old), ruleSet(new)
	for name := range before {
		if _, stays := after[name]; stays || !p.ofFile[name] {
			continue
		}
		if err := p.rules.Remove(name.ifname, name.prefix); err != nil {
			return err
		}
		delete(p.ofFile, name)
	}
	present := make(map[ruleName]bool)
	for _, r := range p.rules.List() {
		present[ruleName{r.Prefix, r.Interface}] = true
	}
	var fresh []proxy.Rule
	for name, rule := range after {
		if was, ok := before[name]; ok && equalRules(was, rule) {
			continue
		}
		if p.ofFile == nil {
			p.ofFile = make(map[ruleName]bool)
		}
		p.ofFile[name] = true
		if !present[name] {
			fresh = append(fresh, rule)
		} else if _, err := p.rules.Set(rule); err != nil {
			return err
		}
	}
	return p.rules.Add(fresh...) // at once: a start may have very many
}

// ruleSet returns the rules of a configuration, by name.
func ruleSet(c config.Config) map[ruleName]proxy.Rule {
	all := make(map[ruleName]proxy.Rule, len(c.Proxies))
	for _, p := range c.Proxies {
		all[ruleName{p.Prefix, p.Interface}] = proxy.Rule{Prefix: p.Prefix, Interface: p.Interface, MAC: p.Ether, DenyFrom: p.DenyFrom}
	}
	return all
}

func equalRules(a, b proxy.Rule) bool {
	return a.Prefix == b.Prefix && a.Interface == b.Interface && a.MAC == b.MAC && slices.Equal(a.DenyFrom, b.DenyFrom)
}

// find returns the rule of a name.
func (p *proxyRules) find(name ruleName) (proxy.Rule, bool) {
	for _, r := range p.rules.List() {
		if (ruleName{r.Prefix, r.Interface}) == name {
			return r, true
		}
	}
	return proxy.Rule{}, false
}

// set makes or changes a rule for the API.
func (p *proxyRules) set(r proxy.Rule) (created bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if created, err = p.rules.Set(r); err == nil {
		delete(p.ofFile, ruleName{r.Prefix, r.Interface})
	}
	return created, err
}

// remove removes a rule for the API and returns it.
func (p *proxyRules) remove(name ruleName) (proxy.Rule, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, _ := p.find(name)
	if err := p.rules.Remove(name.ifname, name.prefix); err != nil {
		return r, err
	}
	delete(p.ofFile, name)
	return r, nil
}

// ProxyRules implements the API.
func (d *Daemon) ProxyRules(context.Context) ([]api.ProxyRule, error) {
	all := []api.ProxyRule{}
	for _, r := range d.proxies.rules.List() {
		all = append(all, apiRule(r))
	}
	return all, nil
}

// apiRule returns a rule as the API has it.
func apiRule(r proxy.Rule) api.ProxyRule {
	ether := api.EtherAuto
	if r.MAC.IsValid() {
		ether = api.MAC(r.MAC.String())
	}
	return api.ProxyRule{Prefix: r.Prefix, Interface: r.Interface, Ether: ether, DenyFrom: r.DenyFrom}
}

// SetProxyRule implements the API.
func (d *Daemon) SetProxyRule(_ context.Context, a api.ProxyRule) (api.ProxyRule, bool, error) {
	r := proxy.Rule{Prefix: a.Prefix, Interface: a.Interface, DenyFrom: a.DenyFrom}
	var err error
	if a.Ether != api.EtherAuto {
		if r.MAC, err = lladdr.Parse(string(a.Ether)); err == nil {
			err = d.checkRuleMAC(r)
		}
	}
	if err != nil {
		return api.ProxyRule{}, false, fmt.Errorf("setting the proxy rule for %v on %s: %w: %w", r.Prefix, r.Interface, err, syscall.EINVAL)
	}
	created, err := d.proxies.set(r)
	return apiRule(r), created, err
}

// checkRuleMAC returns why the interface of a rule, if it is there, cannot answer
// with the link-layer address of the rule.
func (d *Daemon) checkRuleMAC(r proxy.Rule) error {
	if ifc, ok := d.host.Interface(r.Interface); ok {
		return ifc.CheckMAC(r.MAC)
	}
	return nil
}

// DeleteProxyRule implements the API.
func (d *Daemon) DeleteProxyRule(_ context.Context, prefix netip.Prefix, ifname string) (api.ProxyRule, error) {
	r, err := d.proxies.remove(ruleName{prefix, ifname})
	return apiRule(r), err
}

// Explain implements the API.
func (d *Daemon) Explain(ctx context.Context, q api.ExplainQuery) (api.Explanation, error) {
	request := proxy.Request{Interface: q.Interface, SenderIP: q.Sender, TargetIP: q.Target}
	if q.MAC != "" {
		mac, err := lladdr.Parse(string(q.MAC))
		if err != nil {
			return api.Explanation{}, fmt.Errorf("explaining: %w: %w", err, syscall.EINVAL)
		}
		request.SenderMAC = mac
	}
	e, err := d.host.Explain(ctx, request)
	if err != nil {
		return api.Explanation{}, err
	}
	return explanation(e), nil
}

// stepInput is the step of what happens to a request before the rules are looked
// at.
const stepInput = "input"

// explanation returns what the host says of a request as the API has it.
func explanation(e host.Explanation) api.Explanation {
	d := e.Decision
	a := api.Explanation{
		Interface: e.Request.Interface, Target: e.Request.TargetIP, Sender: e.Request.SenderIP,
		SenderMAC: api.MAC(e.Request.SenderMAC.String()), Verdict: d.Verdict.String(), Step: d.Reason.Step().String(),
		Reason: d.Reason.String(), MAC: api.MAC(d.MAC.String()), Prefix: d.Prefix,
		Routes: api.ProxyRoutes{To: d.Routes.To, Back: d.Routes.Back}, Findings: []api.Finding{}, Text: e.Explain(),
	}
	if e.Before != "" {
		before := api.Finding{Step: stepInput, Reason: "conflict", Text: e.Before}
		if e.Dropped {
			before.Reason = e.Drop.String()
			a.Step, a.Reason = before.Step, before.Reason
		}
		a.Findings = append(a.Findings, before)
	}
	for _, f := range d.Findings() {
		a.Findings = append(a.Findings, api.Finding{Step: f.Step.String(), Reason: f.Reason.String(), Text: f.Text})
	}
	return a
}
