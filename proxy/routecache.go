package proxy

import (
	"net/netip"
	"time"
)

// RouteCache is the [Router] of a host that has to ask for its routing decisions
// and must not wait for them, because it holds its lock. It keeps the decisions
// for a short time, and the request that waits for one:
//
//	            Routes: Unknown     Questions           Store
//	no decision ──────────────▶ queued ──────▶ asked ──────────▶ known
//	     ▲                        ▲              │ │               │
//	     │                        └──────────────┘ │ Fail,         │ Keep is over,
//	     │                         routes changed  │ Patience over │ Invalidate
//	     └─────────────────────────────────────────┴───────────────┘
//
// The host does three things. When Decide says [Wait] it wakes the goroutine that
// asks, and forgets the request: the cache has it. That goroutine takes the
// [RouteCache.Questions] under the lock and asks them without it. With each
// answer it calls [RouteCache.Store] under the lock, gets the request back,
// decides on it again with the answer as the Router, and sends the reply.
//
// The key of a decision is interface, target and sender, since policy routing
// may look at all three. If the same request comes again while its decision is
// awaited, the newest one waits alone: it is from the host that asks now.
//
// A RouteCache is not safe for concurrent use: the lock of the host guards it.
type RouteCache struct {
	limits     Limits
	slots      map[routeKey]*slot
	queue      []routeKey // of the slots that are queued, oldest first
	tokens     bucket
	searched   time.Time // when a full cache was last searched for slots that are over
	generation uint64    // of the routes, counted up by Invalidate
	serial     uint64    // of the last question
	stats      RouteStats
}

// RouteStats count what a [RouteCache] did.
type RouteStats struct {
	Hits      uint64 // requests decided by a decision that was kept
	Questions uint64 // questions given out, repeated ones included
	Limited   uint64 // requests that were not asked for: Rate or Size
	Late      uint64 // requests whose answer came after Patience, or never
	Replaced  uint64 // requests in whose place a newer one waited on
}

// routeKey names a decision.
type routeKey struct {
	ifname         string
	target, sender netip.Addr
}

// slot is a decision, or the place for one.
type slot struct {
	phase      phase
	asks       uint8     // how often it was asked for
	since      time.Time // known: when it became so; else when the last request came before it was asked for
	generation uint64    // of the routes when it was asked for
	serial     uint64    // of the question, if asked
	request    Request   // the one that waits, unless known
	routes     Routes    // if known
}

// phase is how far a decision is.
type phase uint8

const (
	queued phase = iota // nobody has been asked yet
	asked
	known
)

// maxAsks is how often a decision is asked for when routes change before the
// answer comes. The last answer is used for the request that waits, or changes in
// quick succession would silence the host, but it is not kept.
const maxAsks = 2

// Question asks for the routing decision of a request.
type Question struct {
	Interface string
	Target    netip.Addr
	Sender    netip.Addr // 0.0.0.0 for a probe

	serial uint64
}

// NewRouteCache returns an empty cache.
func NewRouteCache(limits Limits) *RouteCache {
	limits = limits.withDefaults()
	return &RouteCache{
		limits: limits,
		slots:  make(map[routeKey]*slot),
		tokens: newBucket(limits.Rate, limits.Burst),
	}
}

// Routes implements [Router]. If there is no decision, the request waits for it.
func (c *RouteCache) Routes(now time.Time, r Request) (Routes, RouteState) {
	key := routeKey{r.Interface, r.TargetIP, r.SenderIP}
	s := c.slots[key]
	switch {
	case s == nil:
	case s.phase == queued:
		c.stats.Replaced++
		s.since, s.request = now, r
		return Routes{}, Unknown
	case c.over(now, s):
		c.drop(key, s)
	case s.phase == known:
		c.stats.Hits++
		return s.routes, Known
	default:
		c.stats.Replaced++
		s.request = r
		return Routes{}, Unknown
	}
	if len(c.queue) >= c.limits.Size || !c.room(now) || !c.tokens.take(now) {
		c.stats.Limited++
		return Routes{}, Limited
	}
	c.slots[key] = &slot{since: now, request: r}
	c.queue = append(c.queue, key)
	return Routes{}, Unknown
}

// Questions appends the questions that nobody was asked yet to dst, and returns
// it. Whoever calls it asks them, and calls Store or Fail for each.
func (c *RouteCache) Questions(dst []Question) []Question {
	for _, key := range c.queue {
		s := c.slots[key]
		if s == nil || s.phase != queued {
			continue // it made room, and may be in the queue again
		}
		c.serial++
		c.stats.Questions++
		s.phase, s.serial, s.generation = asked, c.serial, c.generation
		s.asks++
		dst = append(dst, Question{key.ifname, key.target, key.sender, s.serial})
	}
	c.queue = c.queue[:0]
	return dst
}

// Pending reports whether there are questions.
func (c *RouteCache) Pending() bool { return len(c.queue) > 0 }

// Store takes the answer to a question. It returns the request that waited for
// it and true; the caller decides on it with routes. It returns false if no
// request waits any more, or if routes have changed since the question was
// asked: then it is among the Questions again.
func (c *RouteCache) Store(now time.Time, q Question, routes Routes) (Request, bool) {
	key := q.key()
	s := c.slots[key]
	switch {
	case s == nil || s.phase != asked || s.serial != q.serial:
		return Request{}, false
	case c.over(now, s):
		c.drop(key, s)
		return Request{}, false
	case s.generation != c.generation && s.asks < maxAsks:
		s.phase = queued
		c.queue = append(c.queue, key)
		return Request{}, false
	}
	request := s.request
	if s.generation != c.generation {
		delete(c.slots, key)
		return request, true
	}
	*s = slot{phase: known, since: now, generation: s.generation, routes: routes}
	return request, true
}

// Fail tells that a question could not be asked. The request that waits for it
// is forgotten; its sender will repeat it. That there is no route is no failure
// but an answer.
func (c *RouteCache) Fail(q Question) {
	if s := c.slots[q.key()]; s != nil && s.phase == asked && s.serial == q.serial {
		c.drop(q.key(), s)
	}
}

// Invalidate ends every decision: a route, a routing rule, an interface or the
// name of one has changed. It costs nothing, however many there are.
func (c *RouteCache) Invalidate() { c.generation++ }

// Forget ends the decisions for requests on an interface, and what waits for one:
// the interface is gone, or has another name, and its name may be another's soon.
func (c *RouteCache) Forget(ifname string) {
	for key, s := range c.slots {
		if key.ifname == ifname {
			c.drop(key, s)
		}
	}
}

// Len returns the number of decisions kept, some of which may be over, and
// waited for.
func (c *RouteCache) Len() int { return len(c.slots) }

// Stats returns the counts.
func (c *RouteCache) Stats() RouteStats { return c.stats }

// key returns the key of the decision that q asks for.
func (q Question) key() routeKey { return routeKey{q.Interface, q.Target, q.Sender} }

// over reports whether a slot has ended.
func (c *RouteCache) over(now time.Time, s *slot) bool {
	return s.phase == known && s.generation != c.generation || !now.Before(c.end(s))
}

// end returns when a slot ends by time.
func (c *RouteCache) end(s *slot) time.Time {
	if s.phase == known {
		return s.since.Add(c.limits.Keep)
	}
	return s.since.Add(c.limits.Patience)
}

// drop removes a slot.
func (c *RouteCache) drop(key routeKey, s *slot) {
	if s.phase != known {
		c.stats.Late++
	}
	delete(c.slots, key)
}

// searches is how often in Keep a full cache is searched for slots that are over.
// It bounds the time that strangers can make the search take.
const searches = 8

// room reports whether there is room for one more slot. Slots that are over stay
// until then.
func (c *RouteCache) room(now time.Time) bool {
	if len(c.slots) < c.limits.Size {
		return true
	}
	if now.Sub(c.searched) < c.limits.Keep/searches {
		return false
	}
	c.searched = now
	for key, s := range c.slots {
		if c.over(now, s) {
			c.drop(key, s)
		}
	}
	return len(c.slots) < c.limits.Size
}
