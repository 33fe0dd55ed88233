package takeover

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/link/packet"
	"github.com/isat-project/isat/lladdr"
)

// taken is an interface that isat does ARP on, or watches.
type taken struct {
	spec  Spec // of which mu guards DAD, Down and Reprobe
	index int
	ifc   *host.Interface
	port  *packet.Conn
	since time.Time

	mu sync.Mutex
	// link is the interface as the kernel told last.
	link rtnl.Link
	// foreign has the entries that others have put into the kernel, which isat
	// does not mark as its own, with their address.
	foreign map[netip.Addr]lladdr.Addr
	// proxies has the kernel's proxy neighbours that the host was given as
	// published-only entries, and whether the entry is that still: false once an
	// administrator has set one after that was deleted or replaced.
	proxies map[netip.Addr]bool
	// policy is what the kernel's ARP was told to do when it was asked last.
	policy policy
	// deleting counts the own deletions whose notification has not come yet: the
	// kernel does not say whose they are.
	deleting map[netip.Addr]int
	// refused is why a setting that changed is not honoured, nil if all are.
	refused error
}

// Name returns the present name.
func (t *taken) Name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.link.Name
}

// present returns the interface as the kernel told last.
func (t *taken) present() rtnl.Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.link
}

// useDelay is how long the kernel takes to report use of an entry in state STALE:
// delay_first_probe_time, which isat sets to a second, the timer's coarseness and
// the way through netlink (DESIGN section 4).
const useDelay = 2 * time.Second

// ErrAbsent is an interface that does not exist.
var ErrAbsent = errors.New("no such interface")

// Take takes an interface over, or watches it. An error means that nothing
// changed; it wraps [ErrAbsent] if there is no such interface, and EALREADY if it
// is taken over.
func (m *Manager) Take(spec Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byName(spec.Name) != nil {
		return fmt.Errorf("taking %s over: it is taken over already: %w", spec.Name, syscall.EALREADY)
	}
	l, err := m.conn.LinkByName(spec.Name)
	if rtnl.IsNotExist(err) {
		err = ErrAbsent
	}
	if err == nil {
		err = m.take(spec, l)
	}
	if err != nil {
		return takeError(spec.Name, err)
	}
	m.want(spec)
	return nil
}

// Check returns the error that [Manager.Take] would return, EALREADY aside, and
// changes nothing.
func (m *Manager) Check(spec Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, err := m.conn.LinkByName(spec.Name)
	if rtnl.IsNotExist(err) {
		err = ErrAbsent
	}
	if err == nil {
		err = m.eligible(spec, l)
	}
	if err == nil {
		_, err = m.honour(spec, l)
	}
	if err != nil {
		return takeError(spec.Name, err)
	}
	return nil
}

// takeError says what did not work and, if a privilege is missing, the remedy.
func takeError(name string, err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("taking %s over: %w: run isat as root, or grant it CAP_NET_ADMIN and CAP_NET_RAW (setcap(8), or AmbientCapabilities= of systemd.exec(5))", name, err)
	}
	return fmt.Errorf("taking %s over: %w", name, err)
}

// Await makes the manager take an interface over as soon as it appears.
func (m *Manager) Await(spec Spec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.want(spec)
}

// want notes a spec in place of an older one for the name.
func (m *Manager) want(spec Spec) {
	m.specs = append(slices.DeleteFunc(m.specs, func(s Spec) bool { return s.Name == spec.Name }), spec)
	delete(m.released, spec.Name)
}

// take does the work of Take on an interface that exists. mu is held.
func (m *Manager) take(spec Spec, l rtnl.Link) error {
	if err := m.eligible(spec, l); err != nil {
		return err
	}
	policy, err := m.honour(spec, l)
	if err != nil {
		return err
	}
	addresses, err := m.addresses(l.Index)
	if err != nil {
		return err
	}
	port, err := m.listen(l.Index, packet.Options{})
	if err != nil {
		return err
	}
	t := &taken{
		spec: spec, index: l.Index, port: port, link: l, since: time.Now(),
		foreign: make(map[netip.Addr]lladdr.Addr), deleting: make(map[netip.Addr]int), proxies: make(map[netip.Addr]bool),
	}
	if left := m.left[l.Index]; left != nil && !spec.Observe {
		t.deleting = left
		delete(m.left, l.Index)
	}
	mode := spec.Mode
	if spec.Observe {
		mode = host.Watch
	}
	t.ifc, err = m.host.Attach(host.InterfaceConfig{
		Name: l.Name, Index: l.Index, MAC: l.MAC, Port: port, Mode: mode,
		Reply: policy.reply, DropGratuitous: policy.dropGratuitous,
		Addresses: addresses, AnyTarget: true, UseDelay: useDelay, Down: !running(l),
		DAD: spec.DAD && !spec.Observe, Reprobe: spec.Reprobe, ReportsLink: true,
	})
	if err != nil {
		return errors.Join(err, port.Close())
	}
	m.put(l.Index, t)
	if err := errors.Join(m.address(t), m.readMachine()); err != nil {
		return errors.Join(err, m.withdraw(t))
	}
	if err := m.obey(t, policy); err != nil {
		return errors.Join(err, m.withdraw(t))
	}
	if spec.Observe {
		m.report(event.TakenOver, l.Name, "isat: watching "+l.Name)
		return nil
	}
	if err := m.replaceKernel(t); err != nil {
		return errors.Join(err, m.guard.remove(l.Name), m.withdraw(t))
	}
	delete(m.failed, l.Name)
	m.resume(t)
	if err := m.readopt(l.Name); err != nil {
		m.log.Warn("reading what was set by hand before", "error", err)
	}
	if err := m.settle(); err != nil {
		m.log.Warn("an entry of the configuration is not set", "error", err)
	}
	m.report(event.TakenOver, l.Name, "isat: does ARP on "+l.Name+" now")
	return nil
}

// running reports whether frames can be sent on a link.
func running(l rtnl.Link) bool { return l.Up() && l.Carrier }

// Drop hands an interface back that is no longer wanted, or wanted otherwise. One
// that was released by hand may be taken again.
func (m *Manager) Drop(name string) error {
	err := m.Release(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if errors.Is(err, syscall.ENXIO) {
		err = nil // it is not taken over already
	}
	delete(m.released, name)
	return err
}

// Released reports whether an interface was handed back by hand.
func (m *Manager) Released(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.released[name]
}

// Release hands an interface back to the kernel by hand and forgets its spec: it
// is not taken over until somebody says so. The error wraps ENXIO if it is not
// taken over.
func (m *Manager) Release(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.specs)
	m.specs = slices.DeleteFunc(m.specs, func(s Spec) bool { return s.Name == name })
	m.released[name] = true
	delete(m.failed, name)
	t := m.byName(name)
	if t == nil {
		if len(m.specs) < before {
			return nil // it was waited for
		}
		return fmt.Errorf("handing %s back: it is not taken over: %w", name, syscall.ENXIO)
	}
	if err := errors.Join(m.keep(), m.handBack(t)); err != nil {
		return fmt.Errorf("handing %s back: %w", name, err)
	}
	return nil
}

// replaceKernel is the part of take that changes the kernel. mu is held.
func (m *Manager) replaceKernel(t *taken) error {
	// The table is made before a setting changes: it is what fails if the kernel
	// lacks a feature.
	if err := m.guard.prepare(); err != nil {
		return err
	}
	if err := m.configure(t.link, t.spec.DAD); err != nil {
		return err
	}
	if err := m.resync(t, false); err != nil {
		return err
	}
	return m.guard.add(t.Name())
}

// handBack is the reverse of take. It goes on after an error. mu is held.
func (m *Manager) handBack(t *taken) error {
	name := t.Name()
	var err error
	if !t.spec.Observe {
		err = m.guard.remove(name)
	}
	err = errors.Join(err, m.withdraw(t))
	m.report(event.HandedBack, name, "isat: the kernel does ARP on "+name+" again")
	return err
}

// withdraw takes an interface out of the host and puts back what was changed of
// the kernel, but for the guard. It goes on after an error. mu is held.
func (m *Manager) withdraw(t *taken) error {
	m.unsettle(t)
	// First no more is written: what others have put into the kernel is to stay
	// there when the host's entries go, and what is isat's is deleted below.
	m.updating.Lock()
	m.put(t.index, nil)
	rejectErr := m.unreject(t.index)
	m.updating.Unlock()
	err := errors.Join(rejectErr, t.ifc.Detach())
	if !t.spec.Observe {
		t.mu.Lock()
		foreign := maps.Clone(t.foreign)
		if len(t.deleting) > 0 {
			m.left[t.index] = maps.Clone(t.deleting)
		}
		t.mu.Unlock()
		err = errors.Join(err, m.deleteOwn(t.index, foreign), m.restore(t.index), m.unaddress(t.index))
	}
	return err
}

// handBackAll hands every interface back.
func (m *Manager) handBackAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := []error{m.keep()}
	for _, t := range *m.taken.Load() {
		if err := m.handBack(t); err != nil {
			errs = append(errs, fmt.Errorf("handing %s back: %w", t.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// report records an event of the takeover and so logs its line.
func (m *Manager) report(kind event.Type, name, message string) {
	m.host.Record(event.Event{Type: kind, Interface: name, Severity: event.Info, Message: message})
}
