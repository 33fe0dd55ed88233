package datapath

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/internal/tun"
	"github.com/isat-project/isat/link/packet"
	"github.com/isat-project/isat/lladdr"
)

// Options are what a manager is made of.
type Options struct {
	Host  *host.Host
	Guard Guard
	// Addressing takes addresses off the devices that are somebody else's, where
	// there is DAD.
	Addressing Addressing
	// Absent reports whether an error of Guard is that there is no such interface:
	// the host then waits for it, as for the hub of a cable.
	Absent func(error) bool
	// Arrived is called when a host has been made, and Leaving before it is taken
	// away. They must not call the manager.
	Arrived, Leaving func(name string)
	Log              *slog.Logger
}

// Addressing is who looks after the own addresses of devices.
type Addressing interface {
	Serve(takeover.Device) error
	Unserve(index int) error
}

// Manager makes hosts of their own and takes them away. Its methods are safe for
// concurrent use.
type Manager struct {
	options Options
	conn    *rtnl.Conn
	changed chan struct{} // capacity 1: links may have changed

	mu    sync.Mutex
	hosts map[string]*entry // by the name of the device
}

// entry is a host that is wanted.
type entry struct {
	spec    Spec
	running *running // nil while there is none
	err     error    // why there is none, nil while its port is waited for
}

// Open makes a manager without hosts, in the network namespace of the calling
// thread.
func Open(o Options) (*Manager, error) {
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		return nil, err
	}
	return &Manager{options: o, conn: conn, changed: make(chan struct{}, 1), hosts: make(map[string]*entry)}, nil
}

// Changed tells the manager that links may have changed. It does not wait.
func (m *Manager) Changed() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// Run follows the links of ports until ctx is done, then takes all hosts away.
func (m *Manager) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return m.removeAll()
		case <-m.changed:
			m.follow()
		}
	}
}

// Check returns the error that Add would return, as far as that is known without
// doing it.
func (m *Manager) Check(s Spec) error {
	if err := s.check(m.options.Guard); err != nil && !m.absent(err) {
		return hostError(s, err)
	}
	return nil
}

// absent reports whether an error is only that the port is not there yet.
func (m *Manager) absent(err error) bool { return errors.Is(err, errNoHub) || m.options.Absent(err) }

func hostError(s Spec, err error) error { return fmt.Errorf("making the host %s: %w", s.Name, err) }

// Add makes a host, or waits for the interface of its port. The error wraps
// EALREADY if there is one of that name; there is none then.
func (m *Manager) Add(s Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hosts[s.Name] != nil {
		return hostError(s, syscall.EALREADY)
	}
	e := &entry{spec: s}
	if err := m.start(e); err != nil && !m.absent(err) {
		return hostError(s, err)
	}
	if e.running == nil {
		m.options.Log.Warn("waiting for the port of a host to appear", "interface", s.Name, "port", s.Port)
	}
	m.hosts[s.Name] = e
	return nil
}

// start makes the host of an entry. mu is held.
func (m *Manager) start(e *entry) error {
	err := e.spec.check(m.options.Guard)
	var r *running
	if err == nil {
		r, err = start(e.spec, m.options.Host, m.options.Guard, m.options.Addressing, m.conn)
	}
	if err != nil {
		return err
	}
	e.running, e.err = r, nil
	m.options.Arrived(e.spec.Name)
	m.report(event.TakenOver, e.spec.Name, fmt.Sprintf("isat: %s is a host of its own on %s, %v", e.spec.Name, e.spec.Port, r.port.mac))
	return nil
}

// Remove takes a host away. The error wraps ENXIO if there is none.
func (m *Manager) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.hosts[name]
	if e == nil {
		return fmt.Errorf("removing the host %s: there is none: %w", name, syscall.ENXIO)
	}
	delete(m.hosts, name)
	return m.stop(e)
}

// stop takes away what start has made. mu is held.
func (m *Manager) stop(e *entry) error {
	if e.running == nil {
		return nil
	}
	m.options.Leaving(e.spec.Name)
	err := e.running.close()
	e.running = nil
	m.report(event.HandedBack, e.spec.Name, fmt.Sprintf("isat: %s is gone", e.spec.Name))
	if err != nil {
		return fmt.Errorf("removing the host %s: %w", e.spec.Name, err)
	}
	return nil
}

func (m *Manager) removeAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for name, e := range m.hosts {
		errs = append(errs, m.stop(e))
		delete(m.hosts, name)
	}
	return errors.Join(errs...)
}

// Close frees the manager, after Run.
func (m *Manager) Close() error { return errors.Join(m.removeAll(), m.conn.Close()) }

// follow makes the hosts what the links allow.
func (m *Manager) follow() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.hosts {
		if e.running != nil {
			m.followRunning(e)
		}
		if e.running != nil {
			continue
		}
		err := m.start(e)
		switch {
		case err == nil, m.absent(err):
			e.err = nil
		case e.err == nil || e.err.Error() != err.Error():
			e.err = err
			m.options.Log.Error("making a host", "interface", e.spec.Name, "error", err)
		}
	}
}

// followRunning follows the port of a host, and stops the host if that or the
// device is gone. mu is held.
func (m *Manager) followRunning(e *entry) {
	r := e.running
	var failed error
	select {
	case failed = <-r.failed:
	default:
		if r.port.held == "" {
			return
		}
		l, err := m.conn.Link(r.port.link)
		if err == nil {
			if err := r.setRunning(l.Up()); err != nil {
				m.options.Log.Error("following the link of a port", "interface", e.spec.Name, "error", err)
			}
			if l.MAC != r.port.mac && !e.spec.MAC.IsValid() {
				r.port.mac = l.MAC
				if err := r.ifc.SetMAC(l.MAC); err != nil {
					m.options.Log.Error("following the address of a port", "interface", e.spec.Name, "error", err)
				}
			}
			return
		}
		if !rtnl.IsNotExist(err) {
			return
		}
		failed = fmt.Errorf("port %s is gone", e.spec.Port)
	}
	m.options.Log.Warn("a host cannot go on; it is made again when it can be", "interface", e.spec.Name, "reason", failed)
	if err := m.stop(e); err != nil {
		m.options.Log.Error("removing a host", "interface", e.spec.Name, "error", err)
	}
}

// report records an event and so logs its line.
func (m *Manager) report(kind event.Type, name, message string) {
	m.options.Host.Record(event.Event{Type: kind, Interface: name, Severity: event.Info, Message: message})
}

// Status is one host as it is at one moment.
type Status struct {
	Spec
	Index      int             // of the device, 0 if there is none
	PortMAC    lladdr.Addr     // in use
	Host       *host.Interface // nil while its port is waited for
	Since      time.Time
	Device     tun.Stats
	PortStats  packet.Stats // of a packet port
	Queue      uint64       // packets dropped because the device's queue was full
	Malformed  uint64       // packets from the wire that are no IPv4
	Fragmented uint64
	TooLong    uint64 // packets that must not be fragmented
	Err        error  // why there is none
}

// Status returns the hosts that are wanted, by name.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Status
	for _, e := range m.hosts {
		s := Status{Spec: e.spec, Err: e.err}
		if r := e.running; r != nil {
			s.Index, s.PortMAC, s.Host, s.Since = r.index, r.port.mac, r.ifc, r.since
			s.Device, s.PortStats, s.Queue = r.device.Stats(), r.port.packetStats(), r.pump.queue.drops()
			s.Malformed, s.Fragmented, s.TooLong = r.pump.malformed.Load(), r.pump.fragmented.Load(), r.pump.tooLong.Load()
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
