package proxy

import (
	"strings"
	"testing"

	"github.com/isat-project/isat/event"
)

// The words to the letter, one for each verdict.
func TestExplain(t *testing.T) {
	deny := denying("192.0.2.66/32")
	for _, tt := range []struct {
		name    string
		request Request
		world   world
		rules   []Rule
		want    string
	}{
		{"ignored", ask("198.51.100.9"), world{}, nil, `
e0: who has 198.51.100.9? Tell 192.0.2.7, 02:00:00:00:00:07
  target:          198.51.100.9 may be the address of a host
  own address:     198.51.100.9 is no address of this host
  published entry: 198.51.100.9 has none on e0
  prefix rule:     no rule for e0 has 198.51.100.9 in its prefix
  proxyall:        proxyall is 0
Not answered.
`},
		{"own", ask("192.0.2.1"), world{ownership: Owned}, nil, `
e0: who has 192.0.2.1? Tell 192.0.2.7, 02:00:00:00:00:07
  target:          192.0.2.1 may be the address of a host
  own address:     192.0.2.1 is an address of this host
Answered with 02:00:00:00:00:e0, by the rule "own address".
`},
		{"answered, asker not known", without(ask("198.51.100.9")), world{}, network, `
e0: who has 198.51.100.9? Tell 192.0.2.7
  target:          198.51.100.9 may be the address of a host
  own address:     198.51.100.9 is no address of this host
  published entry: 198.51.100.9 has none on e0
  prefix rule:     198.51.100.0/24 on e0 has 198.51.100.9
Answered with 02:00:00:00:00:e0, by the rule "prefix rule".
It would not be if it came from 198.51.100.9 itself; give the sender's MAC address to have that checked.
`},
		{"refused", from(ask("198.51.100.9"), "192.0.2.66"), world{}, deny, `
e0: who has 198.51.100.9? Tell 192.0.2.66, 02:00:00:00:00:07
  target:          198.51.100.9 may be the address of a host
  own address:     198.51.100.9 is no address of this host
  published entry: 198.51.100.9 has none on e0
  prefix rule:     198.51.100.0/24 on e0 has 198.51.100.9, but its deny-from has 192.0.2.66
Refused, by the rule "prefix rule".
`},
		{"wrong link", ask("198.51.100.9"), world{settings: all, routes: Routes{"e1", "e2"}, state: Known}, nil, `
e0: who has 198.51.100.9? Tell 192.0.2.7, 02:00:00:00:00:07
  target:          198.51.100.9 may be the address of a host
  own address:     198.51.100.9 is no address of this host
  published entry: 198.51.100.9 has none on e0
  prefix rule:     no rule for e0 has 198.51.100.9 in its prefix
  proxyall:        the route to 198.51.100.9 leaves by e1, but the route back to 192.0.2.7 leaves by e2, not by e0
Refused, by the rule "proxyall".
`},
		{"proxy_arp", ask("198.51.100.9"), world{settings: linux, routes: Routes{"e1", "e2"}, state: Known}, nil, `
e0: who has 198.51.100.9? Tell 192.0.2.7, 02:00:00:00:00:07
  target:          198.51.100.9 may be the address of a host
  own address:     198.51.100.9 is no address of this host
  published entry: 198.51.100.9 has none on e0
  prefix rule:     no rule for e0 has 198.51.100.9 in its prefix
  proxy_arp:       net.ipv4.conf.e0.proxy_arp is 1, and the route to 198.51.100.9 leaves by e1
Answered with 02:00:00:00:00:e0, by the rule "proxy_arp".
`},
		{"waits", ask("198.51.100.9"), world{settings: all}, nil, `
e0: who has 198.51.100.9? Tell 192.0.2.7, 02:00:00:00:00:07
  target:          198.51.100.9 may be the address of a host
  own address:     198.51.100.9 is no address of this host
  published entry: 198.51.100.9 has none on e0
  prefix rule:     no rule for e0 has 198.51.100.9 in its prefix
  proxyall:        the routes to 198.51.100.9 and back to 192.0.2.7 are being asked for
Not decided yet.
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var rules Rules
			mustAdd(t, &rules, tt.rules...)
			got := rules.Decide(epoch, tt.request, &tt.world, &tt.world).Explain()
			if got != tt.want[1:] {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want[1:])
			}
		})
	}
}

// No place in a text stays unfilled, and none is filled with nothing.
func TestTexts(t *testing.T) {
	d := Decision{Request: ask("198.51.100.9"), Prefix: prefix("198.51.100.0/24"), Routes: Routes{"e1", "e2"}}
	for _, why := range Reasons() {
		d.Reason, d.Verdict, d.findings = why, why.Verdict(), [numSteps]Reason{}
		d.findings[why.Step()] = why
		text := d.Explain()
		if strings.ContainsAny(text, "{}") || strings.Contains(text, "  \n") || strings.Contains(text, "invalid") {
			t.Errorf("%v: %s", why, text)
		}
	}
}

func TestDiagnostic(t *testing.T) {
	for _, tt := range []struct {
		name     string
		world    world
		rules    []Rule
		severity event.Severity
		want     string
	}{
		{"wrong link", world{settings: all, routes: Routes{"e1", "e2"}, state: Known}, nil,
			event.Info, "arp_proxy: ignoring request from 192.0.2.7 via e0, expecting e2"},
		{"no route back", world{settings: all, routes: Routes{"e1", ""}, state: Known}, nil, 0, ""},
		{"answered by proxyall", world{settings: all, routes: through, state: Known}, nil, event.Debug, "arp: proxying for 198.51.100.9"},
		{"answered by a rule", world{}, network, event.Debug, "arp: proxying for 198.51.100.9"},
		{"answered by an entry", world{publication: PublishedHere}, nil, event.Debug, "arp: proxying for 198.51.100.9"},
		{"own", world{ownership: Owned}, nil, 0, ""},
		{"denied", world{}, denying("192.0.2.7/32"), 0, ""},
		{"ignored", world{}, nil, 0, ""},
	} {
		var rules Rules
		mustAdd(t, &rules, tt.rules...)
		d := rules.Decide(epoch, ask("198.51.100.9"), &tt.world, &tt.world)
		if severity, line := d.Diagnostic(); severity != tt.severity || line != tt.want {
			t.Errorf("%s: %v %q, want %v %q", tt.name, severity, line, tt.severity, tt.want)
		}
	}
}
