package daemon

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// Networks of rules.
const (
	netA, netB, netC = "198.51.100.0/24", "198.51.101.0/24", "198.51.102.0/24"
)

func section(prefix, ether string) string {
	return "[[proxy]]\nprefix = \"" + prefix + "\"\ninterface = \"e0\"\nether = \"" + ether + "\"\n"
}

// TestProxyRulesReload has what a reload does to rules of the file and to those
// that the API made, changed and deleted.
func TestProxyRulesReload(t *testing.T) {
	const mac1, mac2, mac3 = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
	set := func(prefix, ether string) func(*proxyRules) error {
		return func(p *proxyRules) error {
			_, err := p.set(proxy.Rule{Prefix: netip.MustParsePrefix(prefix), Interface: "e0", MAC: lladdr.MustParse(ether)})
			return err
		}
	}
	remove := func(prefix string) func(*proxyRules) error {
		return func(p *proxyRules) error {
			_, err := p.remove(ruleName{netip.MustParsePrefix(prefix), "e0"})
			return err
		}
	}
	for _, tt := range []struct {
		name         string
		first, again string
		between      func(*proxyRules) error
		want         map[string]string // MAC by prefix
	}{
		{"the same file", section(netA, mac1), section(netA, mac1), nil, map[string]string{netA: mac1}},
		{"another prefix", section(netA, mac1), section(netB, mac1), nil, map[string]string{netB: mac1}},
		{"another address", section(netA, mac1), section(netA, mac2), nil, map[string]string{netA: mac2}},
		{"none any more", section(netA, mac1) + section(netB, mac1), section(netB, mac1), nil, map[string]string{netB: mac1}},
		{"one of the API stays", section(netA, mac1), section(netA, mac1), set(netC, mac3), map[string]string{netA: mac1, netC: mac3}},
		{"one of the API that comes into the file", "", section(netC, mac1), set(netC, mac3), map[string]string{netC: mac1}},
		{"changed by the API, the same file", section(netA, mac1), section(netA, mac1), set(netA, mac3), map[string]string{netA: mac3}},
		{"changed by the API and in the file", section(netA, mac1), section(netA, mac2), set(netA, mac3), map[string]string{netA: mac2}},
		{"changed by the API, out of the file", section(netA, mac1), "", set(netA, mac3), map[string]string{netA: mac3}},
		{"deleted by the API, the same file", section(netA, mac1), section(netA, mac1), remove(netA), map[string]string{}},
		{"deleted by the API, out of the file", section(netA, mac1), "", remove(netA), map[string]string{}},
		{"deleted by the API, changed in the file", section(netA, mac1), section(netA, mac2), remove(netA), map[string]string{netA: mac2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := proxyRules{rules: new(proxy.Rules)}
			first, again := parse(t, tt.first), parse(t, tt.again)
			if err := p.configure(config.Config{}, first); err != nil {
				t.Fatal(err)
			}
			if tt.between != nil {
				if err := tt.between(&p); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.configure(first, again); err != nil {
				t.Fatal(err)
			}
			got := make(map[string]string)
			for _, r := range p.rules.List() {
				got[r.Prefix.String()] = r.MAC.String()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// A file without rules takes away what files have made, and that only.
			if err := p.configure(again, config.Config{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestExplanation has a decision in the form of the API: that of a rule.
func TestExplanation(t *testing.T) {
	ip := netip.MustParseAddr
	request := proxy.Request{Interface: "e0", SenderIP: ip("192.0.2.1"), TargetIP: ip("198.51.100.9"), SenderMAC: lladdr.MustParse("02:00:00:00:00:01")}
	d := proxy.Decision{
		Request: request,
		Verdict: proxy.Answer, Reason: proxy.PrefixAnswer, MAC: lladdr.MustParse("02:00:00:00:00:0a"),
		Prefix: netip.MustParsePrefix(netA), Routes: proxy.Routes{To: "e1", Back: "e0"},
	}
	want := api.Explanation{
		Interface: "e0", Target: ip("198.51.100.9"), Sender: ip("192.0.2.1"), SenderMAC: "02:00:00:00:00:01",
		Verdict: "answer", Step: "prefix rule", Reason: "prefix_answer", MAC: "02:00:00:00:00:0a",
		Prefix: netip.MustParsePrefix(netA), Routes: api.ProxyRoutes{To: "e1", Back: "e0"}, Findings: []api.Finding{},
		Text: "e0: who has 198.51.100.9? Tell 192.0.2.1, 02:00:00:00:00:01\nAnswered with 02:00:00:00:00:0a, by the rule \"prefix rule\".\n",
	}
	if diff := cmp.Diff(want, explanation(host.Explanation{Request: request, Decision: d}), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What is dropped before the rules.
	dropped := host.Explanation{Request: request, Before: "the link of e0 is down", Dropped: true, Drop: host.DropInterfaceDown}
	e := explanation(dropped)
	finding := []api.Finding{{Step: "input", Reason: host.DropInterfaceDown.String(), Text: dropped.Before}}
	if diff := cmp.Diff(finding, e.Findings); diff != "" || e.Verdict != "ignore" || e.Step != "input" || e.Reason != host.DropInterfaceDown.String() {
		t.Errorf("dropped: %+v (-want +got):\n%s", e, diff)
	}
	// No address is no text, not "invalid".
	if e := explanation(host.Explanation{}); e.MAC != "" || e.SenderMAC != "" {
		t.Errorf("no addresses: %+v", e)
	}
}
