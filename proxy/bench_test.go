package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// filled returns n rules for e0 with random prefixes of 24 to 32 bits in
// 10.0.0.0/8, one in four with a deny-from, and addresses in them.
func filled(tb testing.TB, n int) (*Rules, []netip.Addr) {
	rng := rand.New(rand.NewPCG(1, 2))
	rules := new(Rules)
	var batch []Rule
	var targets []netip.Addr
	seen := make(map[netip.Prefix]bool)
	for len(batch) < n {
		bits := rng.Uint32() >> 8
		ip := netip.AddrFrom4([4]byte{10, byte(bits >> 16), byte(bits >> 8), byte(bits)})
		p, _ := ip.Prefix(24 + rng.IntN(9))
		if seen[p] {
			continue
		}
		seen[p] = true
		r := Rule{Prefix: p, Interface: "e0"}
		if len(batch)%4 == 0 {
			r.DenyFrom = []netip.Prefix{prefix("192.0.2.66/32")}
		}
		batch = append(batch, r)
		targets = append(targets, ip)
	}
	mustAdd(tb, rules, batch...)
	return rules, targets
}

// BenchmarkDecide is what a request costs that a prefix rule answers, among n
// rules, with random targets.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules, targets := filled(b, n)
			w := new(world)
			r := ask("10.0.0.0")
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				r.TargetIP = targets[i]
				if i++; i == len(targets) {
					i = 0
				}
				if sinkDecision = rules.Decide(epoch, r, w, nil); sinkDecision.Verdict != Answer {
					b.Fatal(sinkDecision.Explain())
				}
			}
		})
	}
}

// BenchmarkDecideOther is the rest of what may become of a request.
func BenchmarkDecideOther(b *testing.B) {
	for _, tt := range decisions {
		switch tt.name {
		case "own address", "published", "nothing", "proxyall":
		default:
			continue
		}
		b.Run(tt.name, func(b *testing.B) {
			var rules Rules
			mustAdd(b, &rules, tt.rules...)
			w := tt.world
			b.ReportAllocs()
			for b.Loop() {
				sinkDecision = rules.Decide(epoch, tt.request, &w, &w)
			}
		})
	}
}

// BenchmarkAdd adds and removes a rule beside n others.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules, _ := filled(b, n)
			r := on("e0", "10.0.0.0/23")
			for b.Loop() {
				mustAdd(b, rules, r)
				if err := rules.Remove(r.Interface, r.Prefix); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAddAll adds n rules at once, as reading a configuration does.
func BenchmarkAddAll(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules, _ := filled(b, n)
			all := rules.List()
			for b.Loop() {
				mustAdd(b, new(Rules), all...)
			}
		})
	}
}

// BenchmarkRouteCache is a request whose routing decision is kept.
func BenchmarkRouteCache(b *testing.B) {
	cache := NewRouteCache(Limits{})
	var requests []Request
	for i := range 200 {
		requests = append(requests, nth(i))
		cache.Routes(epoch, requests[i])
	}
	for _, q := range cache.Questions(nil) {
		cache.Store(epoch, q, through)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, sinkState = cache.Routes(epoch, requests[i]); sinkState != Known {
			b.Fatal("no decision")
		}
		if i++; i == len(requests) {
			i = 0
		}
	}
}
