package proxy

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// asker is a cache with a clock, for tests.
type asker struct {
	*RouteCache
	now time.Time
}

func newAsker(l Limits) *asker { return &asker{NewRouteCache(l), epoch} }

func (a *asker) routes(r Request) (Routes, RouteState) { return a.Routes(a.now, r) }

// question returns the only question.
func (a *asker) question(t *testing.T) Question {
	t.Helper()
	q := a.Questions(nil)
	if len(q) != 1 || a.Pending() {
		t.Fatalf("questions %+v, more pending: %t, want one", q, a.Pending())
	}
	return q[0]
}

// want checks what the cache says about a request.
func (a *asker) want(t *testing.T, r Request, routes Routes, state RouteState) {
	t.Helper()
	if gotRoutes, got := a.routes(r); gotRoutes != routes || got != state {
		t.Errorf("Routes(%v on %s) = %+v, %v, want %+v, %v", r.TargetIP, r.Interface, gotRoutes, got, routes, state)
	}
}

func TestRouteCacheKeepsForOneSecond(t *testing.T) {
	a := newAsker(Limits{})
	r := ask("198.51.100.9")
	a.want(t, r, Routes{}, Unknown)
	a.now = a.now.Add(5 * time.Millisecond)
	if got, ok := a.Store(a.now, a.question(t), through); !ok || got != r {
		t.Fatalf("Store gave %+v, %t", got, ok)
	}
	a.now = a.now.Add(time.Second - 1)
	a.want(t, r, through, Known)
	a.now = a.now.Add(1)
	a.want(t, r, Routes{}, Unknown)
	if got, want := a.Stats(), (RouteStats{Hits: 1, Questions: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// Each part of the key makes another decision.
func TestRouteCacheKey(t *testing.T) {
	a := newAsker(Limits{})
	r := ask("198.51.100.9")
	a.want(t, r, Routes{}, Unknown)
	a.Store(a.now, a.question(t), through)
	for name, other := range map[string]Request{
		"interface": {Interface: "e1", SenderIP: r.SenderIP, TargetIP: r.TargetIP},
		"sender":    {Interface: "e0", SenderIP: addr("192.0.2.8"), TargetIP: r.TargetIP},
		"target":    {Interface: "e0", SenderIP: r.SenderIP, TargetIP: addr("198.51.100.10")},
	} {
		if _, state := a.routes(other); state != Unknown {
			t.Errorf("another %s has the same decision", name)
		}
	}
	if n := len(a.Questions(nil)); n != 3 {
		t.Errorf("%d questions, want 3", n)
	}
	r.SenderMAC = otherMAC
	a.want(t, r, through, Known)
}

// Of those that ask the same while the answer is awaited, the newest gets it, and
// the question is asked once.
func TestRouteCacheNewestWaits(t *testing.T) {
	a := newAsker(Limits{})
	r := ask("198.51.100.9")
	a.want(t, r, Routes{}, Unknown)
	a.want(t, r, Routes{}, Unknown)
	q := a.question(t)
	r.SenderMAC = otherMAC
	a.want(t, r, Routes{}, Unknown)
	if more := a.Questions(nil); len(more) != 0 {
		t.Errorf("asked again: %+v", more)
	}
	if got, ok := a.Store(a.now, q, through); !ok || got.SenderMAC != otherMAC {
		t.Errorf("Store gave %+v, %t", got, ok)
	}
	if got, ok := a.Store(a.now, q, Routes{}); ok {
		t.Errorf("a second answer gave %+v", got)
	}
	a.want(t, r, through, Known)
	if got, want := a.Stats(), (RouteStats{Hits: 1, Questions: 1, Replaced: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// What is kept and awaited for an interface ends with its name, and that of others
// stays: a request is not answered on another interface of the same name.
func TestRouteCacheForget(t *testing.T) {
	a := newAsker(Limits{})
	known, asked, queued, other := ask("198.51.100.9"), ask("198.51.100.10"), ask("198.51.100.11"), ask("198.51.100.9")
	other.Interface = "e1"
	for _, r := range []Request{known, other} {
		a.want(t, r, Routes{}, Unknown)
		a.Store(a.now, a.question(t), through)
	}
	a.want(t, asked, Routes{}, Unknown)
	q := a.question(t)
	a.want(t, queued, Routes{}, Unknown)
	a.Forget("e0")
	if got, ok := a.Store(a.now, q, through); ok {
		t.Errorf("the answer gave %+v", got)
	}
	if more := a.Questions(nil); len(more) != 0 {
		t.Errorf("asked for an interface that is gone: %+v", more)
	}
	a.want(t, other, through, Known)
	for _, r := range []Request{known, asked, queued} {
		a.want(t, r, Routes{}, Unknown)
	}
	if got, want := a.Stats(), (RouteStats{Hits: 1, Questions: 3, Late: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestRouteCacheInvalidate(t *testing.T) {
	a := newAsker(Limits{})
	r := ask("198.51.100.9")
	a.want(t, r, Routes{}, Unknown)
	a.Store(a.now, a.question(t), through)
	a.Invalidate()
	a.want(t, r, Routes{}, Unknown)

	// A change before the question is asked costs nothing.
	a.Invalidate()
	first := a.question(t)
	// One after it makes the answer worthless: it is asked again.
	a.Invalidate()
	if got, ok := a.Store(a.now, first, through); ok {
		t.Fatalf("an answer of old routes gave %+v", got)
	}
	second := a.question(t)
	if first == second {
		t.Error("both questions are the same")
	}
	if _, ok := a.Store(a.now, first, through); ok {
		t.Error("the answer to the first question was taken for one to the second")
	}
	// Routes that change faster than they are asked for do not silence the host,
	// but nothing is kept of them.
	a.Invalidate()
	if got, ok := a.Store(a.now, second, through); !ok || got != r {
		t.Errorf("the second answer gave %+v, %t", got, ok)
	}
	if a.Len() != 0 {
		t.Error("the answer of old routes is kept")
	}
	a.want(t, r, Routes{}, Unknown)
}

// An answer that comes too late is for nobody.
func TestRouteCachePatience(t *testing.T) {
	a := newAsker(Limits{Patience: 100 * time.Millisecond})
	r := ask("198.51.100.9")
	a.want(t, r, Routes{}, Unknown)
	late := a.question(t)
	a.now = a.now.Add(100 * time.Millisecond)
	if got, ok := a.Store(a.now, late, through); ok {
		t.Errorf("a late answer gave %+v", got)
	}
	a.want(t, r, Routes{}, Unknown)
	q := a.question(t)
	a.now = a.now.Add(100 * time.Millisecond)
	a.want(t, r, Routes{}, Unknown) // the sender repeats its request
	if _, ok := a.Store(a.now, q, through); ok {
		t.Error("the answer to the question given up was taken for one to the next")
	}
	// A question that is not even taken in time is still there, once.
	a.now = a.now.Add(100 * time.Millisecond)
	a.want(t, r, Routes{}, Unknown)
	if _, ok := a.Store(a.now, a.question(t), through); !ok {
		t.Error("an answer in time is not taken")
	}
	if got, want := a.Stats(), (RouteStats{Questions: 3, Late: 2, Replaced: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestRouteCacheFail(t *testing.T) {
	a := newAsker(Limits{})
	r := ask("198.51.100.9")
	a.want(t, r, Routes{}, Unknown)
	q := a.question(t)
	a.Fail(q)
	if _, ok := a.Store(a.now, q, through); ok || a.Len() != 0 {
		t.Errorf("a failed question is answered, or %d decisions are kept", a.Len())
	}
	a.want(t, r, Routes{}, Unknown)
	next := a.question(t)
	a.Fail(q) // that of long ago
	if _, ok := a.Store(a.now, next, through); !ok {
		t.Error("the failure of an earlier question ended a later one")
	}
	a.Fail(next)
	a.want(t, r, through, Known)
}

// nth is a request with its own key.
func nth(n int) Request {
	r := ask("198.51.100.9")
	r.TargetIP = addr(fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
	return r
}

func TestRouteCacheRate(t *testing.T) {
	a := newAsker(Limits{Rate: 10, Burst: 3})
	count := func(from int) (n int) {
		for i := range 20 {
			if _, state := a.routes(nth(from + i)); state == Unknown {
				n++
			}
		}
		return n
	}
	if n := count(0); n != 3 {
		t.Errorf("%d at once, want the burst of 3", n)
	}
	a.now = a.now.Add(100 * time.Millisecond)
	if n := count(100); n != 1 {
		t.Errorf("%d after a tenth of a second, want 1", n)
	}
	a.now = a.now.Add(time.Hour)
	if n := count(200); n != 3 {
		t.Errorf("%d after an hour, want the burst of 3", n)
	}
	if got := a.Stats().Limited; got != 17+19+17 {
		t.Errorf("%d limited, want %d", got, 17+19+17)
	}
	// What waits or is known costs no token.
	a.want(t, nth(200), Routes{}, Unknown)
}

func TestRouteCacheSize(t *testing.T) {
	a := newAsker(Limits{Size: 10, Rate: 1_000_000, Burst: 1_000_000})
	fill := func() (n int) {
		for i := range 20 {
			if _, state := a.routes(nth(i)); state == Unknown {
				n++
			}
		}
		return n
	}
	if n := fill(); n != 10 {
		t.Errorf("%d decisions begun, want 10", n)
	}
	for _, q := range a.Questions(nil) {
		a.Store(a.now, q, through)
	}
	a.want(t, nth(3), through, Known)
	a.want(t, nth(15), Routes{}, Limited)
	a.now = a.now.Add(time.Second)
	a.want(t, nth(15), Routes{}, Unknown) // the old ones made room
	if a.Len() > 10 {
		t.Errorf("%d decisions, want 10 at most", a.Len())
	}
	a.Invalidate()
	a.now = a.now.Add(time.Second)
	if fill(); a.Len() > 10 {
		t.Errorf("%d decisions, want 10 at most", a.Len())
	}
}

// Questions that nobody takes do not pile up, whether they are the same or others.
func TestRouteCacheNobodyAsks(t *testing.T) {
	for name, step := range map[string]int{"the same": 0, "others": 4} {
		a := newAsker(Limits{Size: 4})
		for round := range 100 {
			for i := range 4 {
				a.routes(nth(round*step + i))
			}
			a.now = a.now.Add(time.Second)
		}
		if len(a.queue) > 4 || a.Len() > 4 {
			t.Errorf("%s: %d questions and %d decisions, want 4 at most", name, len(a.queue), a.Len())
		}
		a.Questions(nil)
		a.now = a.now.Add(time.Second)
		a.want(t, nth(1000), Routes{}, Unknown)
		if _, ok := a.Store(a.now, a.question(t), through); !ok {
			t.Errorf("%s: no answer is taken any more", name)
		}
	}
}

// A full cache is not searched for every request that finds it full.
func TestRouteCacheSearches(t *testing.T) {
	a := newAsker(Limits{Size: 2, Keep: 8 * time.Second, Patience: time.Second})
	a.routes(nth(0))
	a.now = a.now.Add(900 * time.Millisecond)
	a.routes(nth(1))
	a.Questions(nil)
	a.want(t, nth(2), Routes{}, Limited) // searched, nothing over
	a.now = a.now.Add(100 * time.Millisecond)
	a.want(t, nth(2), Routes{}, Limited) // the first is over, but it is early
	a.now = a.now.Add(900 * time.Millisecond)
	a.want(t, nth(2), Routes{}, Unknown)
}

// TestRouteCacheModel plays against a cache whose every answer is remembered.
func TestRouteCacheModel(t *testing.T) {
	type fact struct {
		since      time.Time
		generation int
		routes     Routes
	}
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{
			Size:  rapid.IntRange(1, 6).Draw(t, "size"),
			Rate:  rapid.IntRange(1, 50).Draw(t, "rate"),
			Burst: rapid.IntRange(1, 8).Draw(t, "burst"),
		}
		c, now, generation := NewRouteCache(limits), epoch, 0
		facts := make(map[routeKey]fact)
		waiting := make(map[routeKey]Request)
		var open []Question
		generations := make(map[Question]int) // when it was asked
		begun := 0
		t.Repeat(map[string]func(*rapid.T){
			"request": func(t *rapid.T) {
				r := nth(rapid.IntRange(0, 8).Draw(t, "n"))
				r.SenderMAC = rapid.SampledFrom([]Request{{SenderMAC: askerMAC}, {SenderMAC: otherMAC}}).Draw(t, "mac").SenderMAC
				key := routeKey{r.Interface, r.TargetIP, r.SenderIP}
				before := len(c.queue)
				routes, state := c.Routes(now, r)
				f, ok := facts[key]
				fresh := ok && f.generation == generation && now.Sub(f.since) < time.Second
				if fresh != (state == Known) || fresh && routes != f.routes {
					t.Fatalf("%+v, %v; the fact is %+v, fresh %t", routes, state, f, fresh)
				}
				if state == Unknown {
					waiting[key] = r
					begun += len(c.queue) - before
				}
			},
			"ask": func(t *rapid.T) {
				for _, q := range c.Questions(nil) {
					open = append(open, q)
					generations[q] = generation
				}
			},
			"answer": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip("no open question")
				}
				i := rapid.IntRange(0, len(open)-1).Draw(t, "question")
				q := open[i]
				open = append(open[:i:i], open[i+1:]...)
				routes := Routes{rapid.SampledFrom([]string{"", "e0", "e1"}).Draw(t, "to"), "e0"}
				r, ok := c.Store(now, q, routes)
				if !ok {
					return
				}
				if r != waiting[q.key()] {
					t.Fatalf("%+v waited, want the newest: %+v", r, waiting[q.key()])
				}
				delete(waiting, q.key())
				delete(facts, q.key())
				if generations[q] == generation {
					facts[q.key()] = fact{now, generation, routes}
				}
			},
			"fail": func(t *rapid.T) {
				if len(open) > 0 {
					c.Fail(open[0])
					open = open[1:]
				}
			},
			"routes change": func(t *rapid.T) { c.Invalidate(); generation++ },
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 700).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				if c.Len() > limits.Size {
					t.Fatalf("%d decisions, the limit is %d", c.Len(), limits.Size)
				}
				if most := limits.Burst + int(now.Sub(epoch).Seconds()*float64(limits.Rate)) + 1; begun > most {
					t.Fatalf("%d decisions begun, at most %d may be", begun, most)
				}
			},
		})
	})
}
