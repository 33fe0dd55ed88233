package proxy

import "testing"

// Results go here, so that the compiler cannot leave the work out.
var (
	sinkDecision Decision
	sinkState    RouteState
)

// What every request costs takes memory from nobody: strangers send them.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates; the plain run of the tests counts")
	}
	for _, tt := range decisions {
		var rules Rules
		mustAdd(t, &rules, tt.rules...)
		w := tt.world
		got := testing.AllocsPerRun(100, func() { sinkDecision = rules.Decide(epoch, tt.request, &w, &w) })
		if got != 0 {
			t.Errorf("%s: %v allocations", tt.name, got)
		}
	}
	cache := NewRouteCache(Limits{Rate: 1, Burst: 1})
	r := ask("198.51.100.9")
	cache.Routes(epoch, r)
	cache.Store(epoch, cache.Questions(nil)[0], through)
	for name, request := range map[string]Request{"hit": r, "limited": ask("198.51.100.10")} {
		if got := testing.AllocsPerRun(100, func() { _, sinkState = cache.Routes(epoch, request) }); got != 0 {
			t.Errorf("cache, %s: %v allocations", name, got)
		}
	}
}
