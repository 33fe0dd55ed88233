package takeover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/instance"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/link/packet"
)

// Options are what a manager is made of.
type Options struct {
	RuntimeDir string // of the records
	Log        *slog.Logger
	// ReceiveBuffer is the size in bytes of each monitor's receive buffer; 0 is
	// the default of package rtnl. Tests force overruns with a small one.
	ReceiveBuffer int
}

// Manager takes interfaces of one network namespace over and hands them back. It
// is the [host.Neighbours], the [host.Router] and the [host.Addressing] of its host. Make it with [Open]. Its methods are safe
// for concurrent use.
type Manager struct {
	log   *slog.Logger
	lock  *instance.Lock
	store *record.Store
	// entries has what was set by hand; unkept says that this has changed since.
	entries *record.Entries
	// addressRecords has what m.down has.
	addressRecords *record.Addresses
	unkept         atomic.Bool
	host           *host.Host
	changed        func() // see Watch

	listen  func(index int, o packet.Options) (*packet.Conn, error) // packet.Listen, but in tests
	conn    *rtnl.Conn                                              // for questions and settings
	writer  *rtnl.Conn                                              // for neighbours: Update's alone
	router  *rtnl.Conn                                              // for routing decisions: Route's alone
	misses  *rtnl.Misses
	changes *rtnl.Changes
	routing *rtnl.Routing

	// links has the interfaces of the machine by index, as the kernel told last. It
	// is replaced as a whole.
	links atomic.Pointer[map[int]rtnl.Link]

	// taken has the interfaces by index. It is replaced as a whole under mu.
	taken atomic.Pointer[map[int]*taken]

	updating sync.Mutex // held by Update; after mu
	// rejections has the routes of entries with an action. Guarded by updating.
	rejections map[rejectKey]*rejection
	// forgotten says that the host has forgotten an entry that others have deleted since
	// the last Update. Guarded by updating.
	forgotten bool
	written   written

	guard      *silence[string] // the kernel's ARP, on what is taken over and on ports
	ipGuard    *silence[string] // IPv4, on ports
	unverified *unverified      // what the kernel would send from addresses that are not verified

	usage *usageQueue // of own addresses

	mu    sync.Mutex
	ports map[string]int // held by HoldPort: name and index
	specs []Spec         // what is wanted by name, in the order of Take
	// match says what is wanted of interfaces that specs does not name, nil if
	// nothing is.
	match func(name string) (Spec, bool)
	// released has the names that match is not asked for: they were handed back by
	// hand, and stay so until they are taken by hand or wanted otherwise.
	released map[string]bool
	// failed has why an interface that is wanted is not taken over, by name.
	failed map[string]error
	// addressed are the interfaces whose own addresses isat looks after, by index.
	addressed map[int]*addressed
	// down are the addresses that were taken down and will be put back, in the order
	// in which that was done.
	down []record.Address
	// unsettled are those of them of whose deletion the kernel has not told yet.
	unsettled map[ipKey]bool
	// refused are those of them that the kernel did not take back.
	refused map[identity]bool
	// leases has until when the host lists duplicates that will not be put back.
	leases map[ipKey]time.Time
	// postponed is what is to be done with own addresses and could not be.
	postponed []postponed
	// unread are interfaces whose addresses changed while they were read.
	unread []int
	// policies say how addresses are treated; the first that matches holds.
	policies []Policy
	// unfollowed has why interfaces do not follow the policies yet, by index.
	unfollowed map[int]string
	// standing are the entries of the configuration.
	standing []standing
	swept    bool // Sweep has been called
	// temporary are the temporary entries that are written down.
	temporary []host.Entry
	// away has the administrator's entries of interfaces that vanished, by name.
	away map[string][]host.Change
	// crossed are entries of others to be compared with the kernel's.
	crossed []crossing
	// left counts the own deletions on interfaces that were handed back, by index,
	// whose notification has not come yet.
	left map[int]map[netip.Addr]int
}

// Spec says how an interface is wanted.
type Spec struct {
	Name string
	// Observe only watches: no setting changes, nothing is sent.
	Observe bool
	Mode    host.Mode // On, Static or Off; not used with Observe
	// DAD has the addresses of the interface probed, announced, watched and
	// defended; not used with Observe.
	DAD     bool
	Down    Down        // what goes down when an address is somebody else's
	Reprobe acd.Reprobe // what the link's coming back means to addresses in use
}

// Open acquires the network namespace of the calling thread for this process and
// opens the sockets. It undoes what a daemon that was killed has left behind, and
// changes nothing else. Errors name the capability or feature that is missing.
func Open(o Options) (*Manager, error) {
	if err := checkKernel(); err != nil {
		return nil, err
	}
	lock, err := instance.Acquire()
	if err != nil {
		return nil, err
	}
	m := &Manager{log: o.Log, lock: lock, listen: packet.Listen, guard: newSilence(o.Log, guard.Open), ipGuard: newSilence(o.Log, guard.OpenIP),
		unverified: newUnverified(newSilence(o.Log, guard.OpenSenders)), away: make(map[string][]host.Change),
		released: make(map[string]bool), failed: make(map[string]error), ports: make(map[string]int), changed: func() {},
		rejections: make(map[rejectKey]*rejection), left: make(map[int]map[netip.Addr]int),
		usage: newUsageQueue(), addressed: make(map[int]*addressed), unsettled: make(map[ipKey]bool),
		refused: make(map[identity]bool), leases: make(map[ipKey]time.Time), unfollowed: make(map[int]string)}
	m.taken.Store(&map[int]*taken{})
	m.links.Store(&map[int]rtnl.Link{})
	if err := m.open(o); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// open opens the records and the sockets. After an error some are open.
func (m *Manager) open(o Options) error {
	here, err := record.Here()
	if err != nil {
		return err
	}
	if m.store, err = record.Open(o.RuntimeDir, here); err != nil {
		return err
	}
	if m.entries, err = record.OpenEntries(o.RuntimeDir, here); err != nil {
		return err
	}
	if m.addressRecords, err = record.OpenAddresses(o.RuntimeDir, here); err != nil {
		return err
	}
	if m.down, err = m.addressRecords.Load(); err != nil {
		return err
	}
	if m.conn, err = rtnl.Dial(rtnl.Config{}); err != nil {
		return err
	}
	if m.writer, err = rtnl.Dial(rtnl.Config{}); err != nil {
		return err
	}
	if m.router, err = rtnl.Dial(rtnl.Config{}); err != nil {
		return err
	}
	if m.routing, err = rtnl.DialRouting(rtnl.Config{}); err != nil {
		return err
	}
	if m.misses, err = rtnl.DialMisses(rtnl.Config{ReadBuffer: o.ReceiveBuffer}); err != nil {
		return err
	}
	own := []uint32{m.conn.PortID(), m.writer.PortID()}
	if m.changes, err = rtnl.DialChanges(rtnl.Config{ReadBuffer: o.ReceiveBuffer}, own...); err != nil {
		return err
	}
	// Whether an interface that was set down is set up again depends on whether this
	// daemon looks after its addresses: see Sweep.
	results, err := restoreSettings(context.Background(), m.store, m.conn, func(r record.Record) bool { return r.Kind != kindLink })
	if err != nil {
		return fmt.Errorf("undoing what an earlier daemon left behind: %w", err)
	}
	for _, r := range results {
		m.log.Info("put back what an earlier daemon left behind", "setting", r.String())
	}
	return nil
}

// Bind gives the manager its host, which was made with it as Neighbours. It is
// called once, before anything is taken over.
func (m *Manager) Bind(h *host.Host) error {
	m.host = h
	return m.readMachine()
}

// Close gives the namespace back. Interfaces are handed back by [Manager.Run]
// before; those that are not are left to the records, as after a SIGKILL.
func (m *Manager) Close() error {
	var errs []error
	m.mu.Lock()
	errs = append(errs, m.unverified.silence.close(), m.ipGuard.close(), m.guard.close())
	m.mu.Unlock()
	if m.misses != nil {
		errs = append(errs, m.misses.Close())
	}
	if m.changes != nil {
		errs = append(errs, m.changes.Close())
	}
	if m.routing != nil {
		errs = append(errs, m.routing.Close())
	}
	if m.router != nil {
		errs = append(errs, m.router.Close())
	}
	if m.writer != nil {
		errs = append(errs, m.writer.Close())
	}
	if m.conn != nil {
		errs = append(errs, m.conn.Close())
	}
	errs = append(errs, m.lock.Release())
	return errors.Join(errs...)
}

// Run serves the interfaces until ctx is done, then hands them all back. The host
// has to run all that time and until Run returns.
func (m *Manager) Run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return m.runMisses(inner) })
	group.Go(func() error { return m.runChanges(inner) })
	group.Go(func() error { return m.runRouting(inner) })
	group.Go(func() error { return m.runGuard(inner) })
	group.Go(func() error { return m.runAddressed(inner) })
	group.Go(func() error { return m.runChores(inner) })
	<-inner.Done()
	// The guard goes first, and with it what makes peers depend on us.
	err := m.handBackAll()
	m.misses.Close()
	m.changes.Close()
	m.routing.Close()
	if runErr := group.Wait(); runErr != nil && !errors.Is(runErr, net.ErrClosed) && !errors.Is(runErr, context.Canceled) {
		err = errors.Join(runErr, err)
	}
	return err
}

// get returns the interface with an index, or nil.
func (m *Manager) get(index int) *taken { return (*m.taken.Load())[index] }

// put adds an interface, or removes it if t is nil. mu is held.
func (m *Manager) put(index int, t *taken) {
	old := *m.taken.Load()
	all := make(map[int]*taken, len(old)+1)
	for i, other := range old {
		all[i] = other
	}
	if t == nil {
		delete(all, index)
	} else {
		all[index] = t
	}
	m.taken.Store(&all)
}

// byName returns the interface with a name, or nil.
func (m *Manager) byName(name string) *taken {
	for _, t := range *m.taken.Load() {
		if t.Name() == name {
			return t
		}
	}
	return nil
}
