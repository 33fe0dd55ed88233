package proxy

import (
	"testing"

	"github.com/isat-project/isat/lladdr"
)

// decisions are one or more for every reason that ends an inquiry, and for the
// order in which the steps and the checks within a step come.
var decisions = []struct {
	name    string
	request Request
	world   world
	rules   []Rule
	want    Reason
	mac     lladdr.Addr // to answer with
}{
	// The target.
	{"unspecified target", ask("0.0.0.0"), world{ownership: Owned}, everything, TargetNoHost, none},
	{"loopback target", ask("127.0.0.1"), world{ownership: Owned}, everything, TargetNoHost, none},
	{"multicast target", ask("224.0.0.1"), world{ownership: Owned}, everything, TargetNoHost, none},
	{"reserved target", ask("240.0.0.1"), world{}, everything, PrefixAnswer, ownMAC}, // a host's, for Linux
	{"own address that is reserved", ask("240.0.0.1"), world{ownership: Owned}, nil, OwnAnswer, ownMAC},
	{"limited broadcast", ask("255.255.255.255"), world{ownership: Owned}, everything, TargetNoHost, none},
	{"IPv6 target", ask("2001:db8::1"), world{ownership: Owned}, everything, TargetNoHost, none},
	{"IPv4 in IPv6", ask("::ffff:198.51.100.9"), world{ownership: Owned}, everything, TargetNoHost, none},
	{"no target", Request{Interface: "e0"}, world{ownership: Owned}, everything, TargetNoHost, none},
	{"last address below multicast", ask("223.255.255.255"), world{}, everything, PrefixAnswer, ownMAC},

	// Own addresses.
	{"own address", ask("192.0.2.1"), world{ownership: Owned}, nil, OwnAnswer, ownMAC},
	{"own address bound elsewhere", ask("192.0.2.1"), world{ownership: Owned, ownMAC: otherMAC}, nil, OwnAnswer, otherMAC},
	{"own address, probe", probe("192.0.2.1"), world{ownership: Owned}, nil, OwnAnswer, ownMAC},
	{"own address, claimed", from(ask("192.0.2.1"), "192.0.2.1"), world{ownership: Owned}, nil, OwnAnswer, ownMAC},
	{"own address before all rules", ask("192.0.2.1"), world{ownership: Owned, publication: PublishedHere, pubMAC: otherMAC, settings: both, routes: through, state: Known}, everything, OwnAnswer, ownMAC},
	{"withheld address is not proxied", ask("192.0.2.1"), world{ownership: Withheld, publication: PublishedHere, settings: both, routes: through, state: Known}, everything, OwnWithheld, none},
	{"broadcast address is not proxied", ask("192.0.2.255"), world{ownership: Broadcast, publication: PublishedHere, settings: both, routes: through, state: Known}, everything, OwnBroadcast, none},

	// Published entries.
	{"published", ask("198.51.100.9"), world{publication: PublishedHere, pubMAC: otherMAC}, nil, PublishedAnswer, otherMAC},
	{"published with the own address", ask("198.51.100.9"), world{publication: PublishedHere}, nil, PublishedAnswer, ownMAC},
	{"published, probe", probe("198.51.100.9"), world{publication: PublishedHere}, nil, PublishedAnswer, ownMAC},
	{"published, probe of the owner", probe("198.51.100.9"), world{publication: PublishedHere, heard: askerMAC}, nil, PublishedOwner, none},
	{"published, request of the owner", ask("198.51.100.9"), world{publication: PublishedHere, heard: askerMAC}, nil, PublishedOwner, none},
	{"published, another was heard", ask("198.51.100.9"), world{publication: PublishedHere, heard: otherMAC}, nil, PublishedAnswer, ownMAC},
	{"published with the asker's own address", probe("198.51.100.9"), world{publication: PublishedHere, pubMAC: askerMAC}, nil, PublishedOwner, none},
	{"published, announced by somebody", from(ask("198.51.100.9"), "198.51.100.9"), world{publication: PublishedHere}, nil, PublishedOwner, none},
	{"published, asker not known", without(probe("198.51.100.9")), world{publication: PublishedHere}, nil, PublishedAnswer, ownMAC},
	{"published before a rule", ask("198.51.100.9"), world{publication: PublishedHere, pubMAC: otherMAC}, everything, PublishedAnswer, otherMAC},
	{"published, the owner is refused by no rule after", ask("198.51.100.9"), world{publication: PublishedHere, heard: askerMAC, settings: both, routes: through, state: Known}, everything, PublishedOwner, none},
	{"published, not verified", ask("198.51.100.9"), world{publication: PublishedUnverified, pubMAC: otherMAC}, nil, PublishedWithheld, none},
	{"published, not verified, before a rule", ask("198.51.100.9"), world{publication: PublishedUnverified}, everything, PublishedWithheld, none},
	{"published, not verified, the owner asks", ask("198.51.100.9"), world{publication: PublishedUnverified, heard: askerMAC}, nil, PublishedWithheld, none},

	// Prefix rules.
	{"rule", ask("198.51.100.9"), world{}, network, PrefixAnswer, ownMAC},
	{"rule with an address", ask("198.51.100.9"), world{}, []Rule{{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: otherMAC}}, PrefixAnswer, otherMAC},
	{"rule for another interface", ask("198.51.100.9"), world{}, []Rule{on("e1", "198.51.100.0/24")}, AllOff, none},
	{"rule for another prefix", ask("198.51.100.9"), world{}, []Rule{on("e0", "198.51.101.0/24")}, AllOff, none},
	{"longest prefix", ask("198.51.100.9"), world{}, []Rule{on("e0", "0.0.0.0/0"), {Prefix: prefix("198.51.100.9/32"), Interface: "e0", MAC: otherMAC}, on("e0", "198.51.100.0/24")}, PrefixAnswer, otherMAC},
	{"denied", ask("198.51.100.9"), world{}, denying("192.0.2.7/32"), PrefixDenied, none},
	{"denied by prefix", ask("198.51.100.9"), world{}, denying("203.0.113.0/24", "192.0.2.0/28"), PrefixDenied, none},
	{"somebody else denied", ask("198.51.100.9"), world{}, denying("192.0.2.8/32"), PrefixAnswer, ownMAC},
	{"denied by the longest, not by the shorter", ask("198.51.100.9"), world{}, append(denying("192.0.2.7/32"), on("e0", "0.0.0.0/0")), PrefixDenied, none},
	{"denied by the shorter, not by the longest", ask("198.51.100.129"), world{}, append(denying("192.0.2.7/32"), on("e0", "198.51.100.128/25")), PrefixAnswer, ownMAC},
	{"denied, proxyall does not answer", ask("198.51.100.9"), world{settings: both, routes: through, state: Known}, denying("192.0.2.7/32"), PrefixDenied, none},
	{"rule with a group address", ask("198.51.100.9"), world{}, []Rule{{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: groupMAC}}, PrefixMedium, none},
	{"rule of another medium", ask("198.51.100.9"), world{}, []Rule{{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: mac("07")}}, PrefixMedium, none},
	{"rule, probe", probe("198.51.100.9"), world{}, network, PrefixProbe, none},
	{"rule, probe, proxyall alone", probe("198.51.100.9"), world{settings: Settings{ProxyAll: true}, routes: through, state: Known}, network, PrefixProbe, none},
	{"rule, probe, proxy_probes", probe("198.51.100.9"), world{settings: Settings{ProxyProbes: true}}, network, PrefixAnswer, ownMAC},
	{"rule, probe denied", probe("198.51.100.9"), world{settings: Settings{ProxyProbes: true}}, denying("0.0.0.0/32"), PrefixDenied, none},
	{"rule, owner", ask("198.51.100.9"), world{heard: askerMAC}, network, PrefixOwner, none},
	{"rule, probe of the owner, proxy_probes", probe("198.51.100.9"), world{settings: both, heard: askerMAC}, network, PrefixOwner, none},
	{"rule, announced by somebody", from(ask("198.51.100.9"), "198.51.100.9"), world{}, network, PrefixOwner, none},
	{"rule with the asker's address", ask("198.51.100.9"), world{}, []Rule{{Prefix: prefix("198.51.100.0/24"), Interface: "e0", MAC: askerMAC}}, PrefixOwner, none},
	{"rule here, published elsewhere", ask("198.51.100.9"), world{publication: PublishedElsewhere}, network, PrefixAnswer, ownMAC},
	{"rule before proxyall", ask("198.51.100.9"), world{settings: both}, network, PrefixAnswer, ownMAC},

	// proxy_arp.
	{"proxy_arp", ask("198.51.100.9"), world{settings: linux, routes: through, state: Known}, nil, ARPAnswer, ownMAC},
	{"proxy_arp, the route back is not looked at", ask("198.51.100.9"), world{settings: linux, routes: Routes{"e1", "e2"}, state: Known}, nil, ARPAnswer, ownMAC},
	{"proxy_arp, no route back", ask("198.51.100.9"), world{settings: linux, routes: Routes{"e1", ""}, state: Known}, nil, ARPAnswer, ownMAC},
	{"proxy_arp, published elsewhere", ask("198.51.100.9"), world{settings: linux, publication: PublishedElsewhere, routes: through, state: Known}, nil, ARPAnswer, ownMAC},
	{"proxy_arp before proxyall", ask("198.51.100.9"), world{settings: Settings{ProxyAll: true, ProxyARP: true}, routes: Routes{"e1", "e2"}, state: Known}, nil, ARPAnswer, ownMAC},
	{"rule before proxy_arp", ask("198.51.100.9"), world{settings: linux, routes: through, state: Known}, denying("192.0.2.7/32"), PrefixDenied, none},
	{"proxy_arp, probe", probe("198.51.100.9"), world{settings: linux, routes: through, state: Known}, nil, AllOff, none},
	{"proxy_arp, probe, proxy_probes", probe("198.51.100.9"), world{settings: Settings{ProxyARP: true, ProxyProbes: true}, routes: through, state: Known}, nil, AllOff, none},
	{"proxy_arp, probe, proxyall answers", probe("198.51.100.9"), world{settings: Settings{ProxyAll: true, ProxyProbes: true, ProxyARP: true}, routes: through, state: Known}, nil, AllAnswer, ownMAC},
	{"proxy_arp, owner", ask("198.51.100.9"), world{settings: linux, heard: askerMAC, routes: through, state: Known}, nil, AllOff, none},
	{"proxy_arp, announcement", from(ask("198.51.100.9"), "198.51.100.9"), world{settings: linux, routes: through, state: Known}, nil, AllOff, none},
	{"proxy_arp, not known yet", ask("198.51.100.9"), world{settings: linux, state: Unknown}, nil, ARPUnknown, none},
	{"proxy_arp, too many", ask("198.51.100.9"), world{settings: linux, state: Limited}, nil, ARPLimited, none},
	{"proxy_arp, no route", ask("198.51.100.9"), world{settings: linux, routes: Routes{"", "e0"}, state: Known}, nil, AllOff, none},
	{"proxy_arp, same link", ask("192.0.2.9"), world{settings: linux, routes: Routes{"e0", "e0"}, state: Known}, nil, AllOff, none},

	// proxyall.
	{"nothing", ask("198.51.100.9"), world{routes: through, state: Known}, nil, AllOff, none},
	{"nothing, proxy_probes", probe("198.51.100.9"), world{settings: Settings{ProxyProbes: true}, routes: through, state: Known}, nil, AllOff, none},
	{"published elsewhere only", ask("198.51.100.9"), world{publication: PublishedElsewhere}, nil, AllOff, none},
	{"proxyall", ask("198.51.100.9"), world{settings: all, routes: through, state: Known}, nil, AllAnswer, ownMAC},
	{"proxyall, published elsewhere", ask("198.51.100.9"), world{settings: all, publication: PublishedElsewhere, routes: through, state: Known}, nil, AllElsewhere, none},
	{"proxyall, probe", probe("198.51.100.9"), world{settings: all, routes: through, state: Known}, nil, AllProbe, none},
	{"proxyall, probe, proxy_probes", probe("198.51.100.9"), world{settings: both, routes: through, state: Known}, nil, AllAnswer, ownMAC},
	{"proxyall, probe, default route elsewhere", probe("198.51.100.9"), world{settings: both, routes: Routes{"e1", "e1"}, state: Known}, nil, AllWrongLink, none},
	{"proxyall, owner", ask("198.51.100.9"), world{settings: all, heard: askerMAC, routes: through, state: Known}, nil, AllOwner, none},
	{"proxyall, announcement", from(ask("198.51.100.9"), "198.51.100.9"), world{settings: all, routes: through, state: Known}, nil, AllOwner, none},
	{"proxyall, not known yet", ask("198.51.100.9"), world{settings: all, state: Unknown}, nil, AllUnknown, none},
	{"proxyall, too many", ask("198.51.100.9"), world{settings: all, state: Limited}, nil, AllLimited, none},
	{"proxyall, no route", ask("198.51.100.9"), world{settings: all, routes: Routes{"", "e0"}, state: Known}, nil, AllNoRoute, none},
	{"proxyall, no route at all", ask("198.51.100.9"), world{settings: all, state: Known}, nil, AllNoRoute, none},
	{"proxyall, same link", ask("192.0.2.9"), world{settings: all, routes: Routes{"e0", "e0"}, state: Known}, nil, AllSameLink, none},
	{"proxyall, same link, sender astray", ask("192.0.2.9"), world{settings: all, routes: Routes{"e0", "e1"}, state: Known}, nil, AllSameLink, none},
	{"proxyall, no route back", ask("198.51.100.9"), world{settings: all, routes: Routes{"e1", ""}, state: Known}, nil, AllNoReturn, none},
	{"proxyall, sender of the target's link", ask("198.51.100.9"), world{settings: all, routes: Routes{"e1", "e1"}, state: Known}, nil, AllWrongLink, none},
	{"proxyall, sender of a third link", ask("198.51.100.9"), world{settings: all, routes: Routes{"e1", "e2"}, state: Known}, nil, AllWrongLink, none},
}

var (
	none       lladdr.Addr
	both       = Settings{ProxyAll: true, ProxyProbes: true}
	all        = Settings{ProxyAll: true}
	linux      = Settings{ProxyARP: true}
	through    = Routes{To: "e1", Back: "e0"}
	network    = []Rule{on("e0", "198.51.100.0/24")}
	everything = []Rule{on("e0", "0.0.0.0/0")}
)

// denying returns the rule of network with a deny-from.
func denying(senders ...string) []Rule {
	r := network[0]
	for _, s := range senders {
		r.DenyFrom = append(r.DenyFrom, prefix(s))
	}
	return []Rule{r}
}

// from returns r with another sender address.
func from(r Request, sender string) Request {
	r.SenderIP = addr(sender)
	return r
}

// without returns r without the sender's link-layer address.
func without(r Request) Request {
	r.SenderMAC = none
	return r
}

func TestDecide(t *testing.T) {
	reached := make(map[Reason]bool)
	for _, tt := range decisions {
		t.Run(tt.name, func(t *testing.T) {
			var rules Rules
			mustAdd(t, &rules, tt.rules...)
			w := tt.world
			d := rules.Decide(epoch, tt.request, &w, &w)
			if d.Reason != tt.want || d.MAC != tt.mac {
				t.Errorf("%v with %q, want %v with %q\n%s", d.Reason, d.MAC, tt.want, tt.mac, d.Explain())
			}
			checkDecision(t, d)
			asks := 0
			for _, f := range d.Findings() {
				reached[f.Reason] = true
				if f.Step == StepProxyARP && f.Reason >= ARPUnknown || f.Reason >= AllUnknown {
					asks++
				}
			}
			if w.asked != asks {
				t.Errorf("%v: asked for routes %d times, want %d", d.Reason, w.asked, asks)
			}
		})
	}
	for _, why := range Reasons() {
		if !reached[why] {
			t.Errorf("no row reaches %v", why)
		}
	}
}

// fataler is *testing.T or *rapid.T.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkDecision checks what has to hold of every decision.
func checkDecision(t fataler, d Decision) {
	t.Helper()
	findings := d.Findings()
	if len(findings) == 0 {
		t.Errorf("no findings: %+v", d)
		return
	}
	next := StepTarget
	for i, f := range findings {
		o := outcomes[f.Reason]
		last := i == len(findings)-1
		if next == StepProxyARP && f.Step != next {
			next++ // the only step that may be passed over
		}
		if f.Step != next || o.step != f.Step || o.final != last {
			t.Errorf("finding %d of %d is %v of %v", i, len(findings), f.Reason, f.Step)
		}
		if last && f.Reason != d.Reason {
			t.Errorf("the last finding is %v, the reason %v", f.Reason, d.Reason)
		}
		next++
	}
	if d.Verdict != d.Reason.Verdict() {
		t.Errorf("%v: verdict %v, want %v", d.Reason, d.Verdict, d.Reason.Verdict())
	}
	if (d.Verdict == Answer) != d.MAC.IsValid() {
		t.Errorf("%v: verdict %v with %q", d.Reason, d.Verdict, d.MAC)
	}
	if d.Proxied() && d.MAC == d.Request.SenderMAC && d.Reason.Step() < StepProxyARP {
		t.Errorf("%v: the answer gives the asker its own address", d.Reason)
	}
}

// A router is asked only with proxyall and proxy_arp.
func TestDecideWithoutRouter(t *testing.T) {
	var rules Rules
	mustAdd(t, &rules, network...)
	for _, target := range []string{"198.51.100.9", "203.0.113.1"} {
		checkDecision(t, rules.Decide(epoch, ask(target), &world{}, nil))
	}
}

// When the routing decision has come, the same request is decided with it.
func TestDecideAgain(t *testing.T) {
	var rules Rules
	w := world{settings: all}
	cache := NewRouteCache(Limits{})
	d := rules.Decide(epoch, ask("198.51.100.9"), &w, cache)
	if d.Verdict != Wait {
		t.Fatalf("verdict %v, want wait", d.Verdict)
	}
	questions := cache.Questions(nil)
	if len(questions) != 1 || questions[0].Target != addr("198.51.100.9") || questions[0].Sender != addr("192.0.2.7") || questions[0].Interface != "e0" {
		t.Fatalf("questions %+v", questions)
	}
	request, ok := cache.Store(epoch, questions[0], through)
	if !ok || request != d.Request {
		t.Fatalf("Store gave %+v, %t, want %+v", request, ok, d.Request)
	}
	if d = rules.Decide(epoch, request, &w, through); d.Reason != AllAnswer || d.MAC != ownMAC {
		t.Errorf("decided again: %v with %q", d.Reason, d.MAC)
	}
	if d = rules.Decide(epoch, request, &w, cache); d.Reason != AllAnswer {
		t.Errorf("decided by the cache: %v", d.Reason)
	}
}

func TestReasons(t *testing.T) {
	names := make(map[string]Reason)
	for _, why := range Reasons() {
		o := outcomes[why]
		if o.name == "" || o.text == "" {
			t.Errorf("reason %d has no name or no text", why)
		}
		if other, ok := names[why.String()]; ok {
			t.Errorf("reasons %d and %d are both %q", other, why, why)
		}
		names[why.String()] = why
		if !o.final && o.verdict != Ignore {
			t.Errorf("%v goes on and has the verdict %v", why, o.verdict)
		}
	}
	for _, tt := range []struct{ got, want string }{
		{Ignore.String(), "ignore"}, {Wait.String(), "wait"}, {Verdict(9).String(), "verdict 9"},
		{StepTarget.String(), "target"}, {StepProxyAll.String(), "proxyall"}, {Step(9).String(), "step 9"},
		{Reason(200).String(), "reason 200"}, {NotReached.String(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
