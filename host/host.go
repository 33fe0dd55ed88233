package host

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/internal/deadline"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
	"github.com/isat-project/isat/proxy"
	"github.com/isat-project/isat/route"
)

// Config is what a host is made of. The zero Config is a host of its own with
// the default tunables.
type Config struct {
	// MIB has the tunables; the host adds its counters to it. A tree belongs to
	// one host. Nil: a new tree.
	MIB *mib.Tree
	// Events keeps what happens. Nil: a ring of the default size.
	Events *event.Ring
	// Neighbours is told the bindings that the IP side asked for. Nil: the host's
	// only users are Resolve and Output.
	Neighbours Neighbours
	// Router makes the routing decisions that proxying goes by. Nil: the host's
	// own routing table.
	Router Router
	// Addressing is told how the own addresses may be used, where there is DAD.
	// Nil: nobody else uses them.
	Addressing Addressing
	// Rand is where the jitter of address conflict detection comes from. It is for
	// simulations that repeat; nil is a random seed.
	Rand acd.Rand
}

// Host is one ARP host. Use [New].
type Host struct {
	mib        *mib.Tree
	events     *event.Ring
	neighbours Neighbours
	router     Router // nil if there is none
	addressing Addressing
	rand       acd.Rand // guarded by mu
	rules      proxy.Rules
	routes     *route.Table[entry]

	wakeTimers     chan struct{} // capacity 1: the first deadline has moved earlier
	wakeNeighbours chan struct{} // capacity 1: there are bindings to tell
	wakeAddressing chan struct{} // capacity 1: there are own addresses to tell of
	wakeRouter     chan struct{} // capacity 1: there are questions for the Router
	uses           chan entryKey // entries in Verify that a lookup has used
	outlets        atomic.Pointer[outlets]

	pingTimers     chan struct{} // see Ping
	pingNeighbours chan struct{} // see Ping
	pingAddressing chan struct{} // see Ping

	mu         sync.Mutex
	interfaces []*Interface // in the order of Attach
	local      localAddresses
	siblings   map[lladdr.Addr]Sibling // by address; the machine's interfaces: "self"
	timers     *deadline.Queue[timed]
	armed      time.Time    // when Run will look at the timers
	sending    []*Interface // those with frames to send
	gone       Stats        // of interfaces that were detached
	dirty      backlog      // what Neighbours has to be told
	telling    backlog      // what it is being told of
	tellings   tellings     // the rounds of that
	untold     backlog      // what Addressing has to be told
	bindFirst  bool         // before a frame is sent: see unlock
	limiter    limiter      // of diagnostics
	decisions  *proxy.RouteCache
	routing    proxy.Router // decisions, or the routing table; never changes
	lastHeard  lastHeard
	effects    []cache.Effect
	detections []acd.Effect
	moving     bool     // a network is being added: see addNetwork
	moved      []*entry // the entries it takes over
	readers    sync.WaitGroup
	running    context.Context // of Run, nil before it
	ended      bool
}

// timed is what a timer of the host belongs to.
type timed interface {
	// fire is called under the lock when the deadline has come.
	fire(h *Host, now time.Time)
}

// New returns a host without interfaces. It starts nothing; see [Host.Run].
func New(c Config) *Host {
	if c.MIB == nil {
		c.MIB = mib.New()
	}
	if c.Events == nil {
		c.Events = event.NewRing("host", event.DefaultSize)
	}
	if c.Rand == nil {
		c.Rand = rand.NewPCG(rand.Uint64(), rand.Uint64())
	}
	h := &Host{
		mib:            c.MIB,
		events:         c.Events,
		neighbours:     c.Neighbours,
		router:         c.Router,
		addressing:     c.Addressing,
		rand:           c.Rand,
		wakeTimers:     make(chan struct{}, 1),
		wakeNeighbours: make(chan struct{}, 1),
		wakeAddressing: make(chan struct{}, 1),
		wakeRouter:     make(chan struct{}, 1),
		uses:           make(chan entryKey, 256),
		pingTimers:     make(chan struct{}),
		pingNeighbours: make(chan struct{}),
		pingAddressing: make(chan struct{}),
		timers:         deadline.New[timed](time.Now()),
	}
	h.routes = route.New(h.routeChanged)
	h.decisions = proxy.NewRouteCache(proxy.Limits{})
	if h.routing = h.decisions; c.Router == nil {
		h.routing = (*ownRoutes)(h)
	}
	h.publishOutlets()
	h.addCounters()
	h.mib.OnChange(h.settingChanged) // for good: the tree is this host's
	return h
}

// Events returns the ring of what happens.
func (h *Host) Events() *event.Ring { return h.events }

// MIB returns the tunables and counters.
func (h *Host) MIB() *mib.Tree { return h.mib }

// errRunTwice is a mistake in the program.
var errRunTwice = errors.New("the host has run already")

// Run runs the host until ctx is done: it reads the ports, fires the timers and
// tells the IP side its bindings. It returns nil when ctx is done, after its
// goroutines have ended; ports stay open, but their readers end only when their
// port is closed, so Run closes the ports of all interfaces. Run is called once.
func (h *Host) Run(ctx context.Context) error {
	h.mu.Lock()
	if h.running != nil {
		h.mu.Unlock()
		return fmt.Errorf("running the host: %w", errRunTwice)
	}
	h.running = ctx
	for _, ifc := range h.interfaces {
		h.startReader(ifc)
	}
	h.unlock()

	var sinks sync.WaitGroup
	sinks.Go(func() { h.runNeighbours(ctx) })
	sinks.Go(func() { h.runAddressing(ctx) })
	sinks.Go(func() { h.runRouter(ctx) })
	h.runTimers(ctx)
	sinks.Wait()

	h.mu.Lock()
	h.ended = true
	for _, ifc := range h.interfaces {
		ifc.port.Close()
		h.failInquiries(ifc)
	}
	h.failWaiters()
	h.unlock()
	h.readers.Wait()
	return nil
}

// unlock ends a stretch of work: it sends the frames that the work appended,
// wakes those that have something to do, and gives the lock back. Whoever holds
// the lock calls it in place of mu.Unlock, so that nothing waits in a queue.
//
// Only when a neighbour of the IP side has moved do the frames wait until the IP
// side knows: an answer to the neighbour brings its packet at once, and what the
// IP side says to that must not go to the old address.
func (h *Host) unlock() {
	for len(h.sending) > 0 && !h.bindFirst {
		ifc := h.sending[len(h.sending)-1]
		h.sending = h.sending[:len(h.sending)-1]
		h.transmit(ifc)
	}
	if len(h.dirty.order) > 0 {
		wake(h.wakeNeighbours)
	}
	if len(h.untold.order) > 0 {
		wake(h.wakeAddressing)
	}
	if next, ok := h.timers.Next(); ok && (h.armed.IsZero() || next.Before(h.armed)) {
		h.armed = next
		wake(h.wakeTimers)
	}
	h.mu.Unlock()
}

// wake makes the receiver of a channel with capacity 1 run again.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// settingChanged makes a tunable hold for running entries too.
func (h *Host) settingChanged(mib.Change) {
	h.mu.Lock()
	defer h.unlock()
	for _, ifc := range h.interfaces {
		h.readSettings(ifc)
	}
}

// Interface returns the interface with this name.
func (h *Host) Interface(name string) (*Interface, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ifc := h.byName(name)
	return ifc, ifc != nil
}

// byName returns the interface with this name, or nil.
func (h *Host) byName(name string) *Interface {
	for _, ifc := range h.interfaces {
		if ifc.name == name {
			return ifc
		}
	}
	return nil
}

// byIndex returns the interface with this index, or nil.
func (h *Host) byIndex(index int) *Interface {
	for _, ifc := range h.interfaces {
		if ifc.index == index {
			return ifc
		}
	}
	return nil
}

// Ping returns nil when the goroutines of [Host.Run] have shown that they make
// progress: that of the timers, which needs the lock for it, and those of the
// bindings and of the own addresses, which are not busy with an update that does
// not end. Otherwise it returns the error of ctx.
func (h *Host) Ping(ctx context.Context) error {
	loops := []chan struct{}{h.pingTimers}
	if h.neighbours != nil {
		loops = append(loops, h.pingNeighbours)
	}
	if h.addressing != nil {
		loops = append(loops, h.pingAddressing)
	}
	for _, loop := range loops {
		select {
		case loop <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the host: %w", ctx.Err())
		}
	}
	return nil
}

// pong is what a loop does when it is pinged: a lock that is never given back
// keeps it from taking the next one.
func (h *Host) pong() {
	h.mu.Lock()
	h.unlock()
}
