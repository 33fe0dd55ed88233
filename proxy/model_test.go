package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/isat-project/isat/lladdr"
)

// model is a list of rules, and the decision written down as one would say it.
type model []Rule

// find returns the place of a rule, -1 if it is not there.
func (m model) find(ifname string, p netip.Prefix) int {
	return slices.IndexFunc(m, func(r Rule) bool { return r.Interface == ifname && r.Prefix == p })
}

// longest returns the rule that holds.
func (m model) longest(ifname string, ip netip.Addr) (best Rule, ok bool) {
	for _, r := range m {
		if r.Interface == ifname && r.Prefix.Contains(ip) && (!ok || r.Prefix.Bits() > best.Prefix.Bits()) {
			best, ok = r, true
		}
	}
	return best, ok
}

// answer returns the verdict and the link-layer address, by the sentences of the
// issue and of facts/freebsd-arp.md 3.3.
func (m model) answer(r Request, w *world) (Verdict, lladdr.Addr) {
	auto := func(a lladdr.Addr) lladdr.Addr {
		if a.IsValid() {
			return a
		}
		return ownMAC
	}
	probing := r.SenderIP == addr("0.0.0.0")
	owner := r.SenderIP == r.TargetIP || r.SenderMAC.IsValid() && r.SenderMAC == w.heard
	rule, ruled := m.longest(r.Interface, r.TargetIP)
	denied := slices.ContainsFunc(rule.DenyFrom, func(p netip.Prefix) bool { return p.Contains(r.SenderIP) })
	linux := w.settings.ProxyARP && !probing && !owner
	switch {
	case w.ownership == Owned:
		return Answer, auto(w.ownMAC)
	case w.ownership != Foreign:
		return Ignore, none
	case w.publication == PublishedUnverified:
		return Refuse, none
	case w.publication == PublishedHere && (owner || r.SenderMAC == auto(w.pubMAC)):
		return Refuse, none
	case w.publication == PublishedHere:
		return Answer, auto(w.pubMAC)
	case ruled && (denied || probing && !w.settings.ProxyProbes || owner || r.SenderMAC == auto(rule.MAC)):
		return Refuse, none
	case ruled:
		return Answer, auto(rule.MAC)
	case linux && w.state == Unknown:
		return Wait, none
	case linux && w.state == Limited:
		return Refuse, none
	case linux && w.routes.To != "" && w.routes.To != r.Interface:
		return Answer, ownMAC
	case !w.settings.ProxyAll || owner || w.publication != Unpublished || probing && !w.settings.ProxyProbes:
		return Ignore, none
	case w.state == Unknown:
		return Wait, none
	case w.state == Limited:
		return Refuse, none
	case w.routes.To == "" || w.routes.To == r.Interface:
		return Ignore, none
	case w.routes.Back != r.Interface:
		return Refuse, none
	}
	return Answer, ownMAC
}

// Few names and addresses, so that they meet.
var (
	genInterface = rapid.SampledFrom([]string{"e0", "e1", "e2"})
	genHost      = rapid.Custom(func(t *rapid.T) netip.Addr {
		return netip.AddrFrom4([4]byte{10, rapid.Byte().Draw(t, "b") & 1, 0, rapid.Byte().Draw(t, "d") & 7})
	})
	genPrefix = rapid.Custom(func(t *rapid.T) netip.Prefix {
		p, _ := genHost.Draw(t, "address").Prefix(rapid.SampledFrom([]int{0, 8, 15, 16, 29, 30, 31, 32}).Draw(t, "bits"))
		return p
	})
	genMAC  = rapid.SampledFrom([]lladdr.Addr{none, ownMAC, askerMAC, ownerMAC, otherMAC})
	genRule = rapid.Custom(func(t *rapid.T) Rule {
		return Rule{
			Prefix: genPrefix.Draw(t, "prefix"), Interface: genInterface.Draw(t, "interface"),
			MAC: genMAC.Draw(t, "mac"), DenyFrom: rapid.SliceOfN(genPrefix, 0, 2).Draw(t, "deny-from"),
		}
	})
	genRequest = rapid.Custom(func(t *rapid.T) Request {
		return Request{
			Interface: genInterface.Draw(t, "interface"), SenderMAC: genMAC.Draw(t, "sender mac"),
			SenderIP: rapid.OneOf(genHost, rapid.Just(addr("0.0.0.0"))).Draw(t, "sender"), TargetIP: genHost.Draw(t, "target"),
		}
	})
	genWorld = rapid.Custom(func(t *rapid.T) *world {
		back := rapid.SampledFrom([]string{"", "e0", "e1", "e2"})
		return &world{
			settings: Settings{rapid.Bool().Draw(t, "proxyall"), rapid.Bool().Draw(t, "proxy_probes"), rapid.Bool().Draw(t, "proxy_arp")},
			// Foreign and Unpublished more often, for the later steps.
			ownership:   rapid.SampledFrom([]Ownership{Foreign, Foreign, Foreign, Foreign, Owned, Withheld, Broadcast}).Draw(t, "ownership"),
			ownMAC:      genMAC.Draw(t, "own mac"),
			publication: rapid.SampledFrom([]Publication{Unpublished, Unpublished, PublishedHere, PublishedElsewhere, PublishedUnverified}).Draw(t, "publication"),
			pubMAC:      genMAC.Draw(t, "published mac"),
			heard:       genMAC.Draw(t, "heard"),
			routes:      Routes{back.Draw(t, "to"), back.Draw(t, "back")},
			state:       rapid.SampledFrom([]RouteState{Known, Known, Known, Unknown, Limited}).Draw(t, "state"),
		}
	})
)

func TestModel(t *testing.T) { rapid.Check(t, checkModel) }

// FuzzModel is TestModel with the fuzzer's choices.
func FuzzModel(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkModel)) }

// checkModel does the same to Rules and to a model.
func checkModel(t *rapid.T) {
	var rules Rules
	var m model
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			batch := rapid.SliceOfN(genRule, 0, 3).Draw(t, "rules")
			next, want := slices.Clone(m), error(nil)
			for _, r := range batch {
				if next.find(r.Interface, r.Prefix) >= 0 {
					want = syscall.EEXIST
				}
				next = append(next, r)
			}
			if err := rules.Add(batch...); !errors.Is(err, want) {
				t.Fatalf("Add: error %v, want %v", err, want)
			}
			if want == nil {
				m = next
			}
		},
		"set": func(t *rapid.T) {
			r := genRule.Draw(t, "rule")
			at := m.find(r.Interface, r.Prefix)
			if created, err := rules.Set(r); err != nil || created != (at < 0) {
				t.Fatalf("Set = %t, %v; was there: %t", created, err, at >= 0)
			}
			if at < 0 {
				m = append(m, r)
			} else {
				m[at] = r
			}
		},
		"remove": func(t *rapid.T) {
			ifname, p := genInterface.Draw(t, "interface"), genPrefix.Draw(t, "prefix")
			at := m.find(ifname, p)
			if err := rules.Remove(ifname, p); (err == nil) != (at >= 0) {
				t.Fatalf("Remove(%q, %v): error %v; was there: %t", ifname, p, err, at >= 0)
			}
			if at >= 0 {
				m = slices.Delete(m, at, at+1)
			}
		},
		"decide": func(t *rapid.T) {
			r, w := genRequest.Draw(t, "request"), genWorld.Draw(t, "world")
			d := rules.Decide(epoch, r, w, w)
			if verdict, mac := m.answer(r, w); d.Verdict != verdict || d.MAC != mac {
				t.Fatalf("%v with %q, want %v with %q\nhost: %+v\n%s", d.Verdict, d.MAC, verdict, mac, w, d.Explain())
			}
			checkDecision(t, d)
		},
		"": func(t *rapid.T) {
			sorted := slices.Clone(m)
			slices.SortFunc(sorted, func(a, b Rule) int {
				if a.Interface != b.Interface {
					if a.Interface < b.Interface {
						return -1
					}
					return 1
				}
				return a.Prefix.Compare(b.Prefix)
			})
			if diff := cmp.Diff([]Rule(sorted), rules.List(), byValue, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("rules (-want +got):\n%s", diff)
			}
			if rules.Len() != len(m) {
				t.Fatalf("Len %d, want %d", rules.Len(), len(m))
			}
		},
	})
}

// FuzzDecide looks for a request that no step is prepared for: it decides, and
// explains, without a panic and with every promise kept.
func FuzzDecide(f *testing.F) {
	for _, tt := range decisions {
		r := tt.request
		f.Add(r.Interface, r.SenderMAC.AppendBytes(nil), r.SenderIP.AsSlice(), r.TargetIP.AsSlice(),
			uint8(tt.world.ownership), uint8(tt.world.publication), uint8(tt.world.state), tt.world.routes.To, tt.world.routes.Back,
			tt.world.settings.ProxyAll, tt.world.settings.ProxyProbes, tt.world.settings.ProxyARP)
	}
	var rules Rules
	mustAdd(f, &rules, append(denying("192.0.2.66/32", "0.0.0.0/32"), on("e0", "0.0.0.0/0"), on("e1", "192.0.2.0/24"))...)
	cache := NewRouteCache(Limits{Size: 16})
	now := epoch
	f.Fuzz(func(t *testing.T, ifname string, mac, sender, target []byte, ownership, publication, state uint8, to, back string, proxyAll, probes, proxyARP bool) {
		r := Request{Interface: ifname}
		r.SenderMAC, _ = lladdr.FromSlice(mac)
		r.SenderIP, _ = netip.AddrFromSlice(sender)
		r.TargetIP, _ = netip.AddrFromSlice(target)
		w := &world{
			settings: Settings{proxyAll, probes, proxyARP}, ownership: Ownership(ownership), publication: Publication(publication),
			routes: Routes{to, back}, state: RouteState(state),
		}
		for _, router := range []Router{w, cache} {
			d := rules.Decide(now, r, w, router)
			checkDecision(t, d)
			if d.Explain() == "" {
				t.Error("no explanation")
			}
			d.Diagnostic()
		}
		now = now.Add(time.Millisecond)
		for _, q := range cache.Questions(nil) {
			if waiting, ok := cache.Store(now, q, w.routes); ok && waiting != r {
				t.Errorf("%+v waited, want %+v", waiting, r)
			}
		}
	})
}
