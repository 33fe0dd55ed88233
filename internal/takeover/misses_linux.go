package takeover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
)

// runMisses hands the kernel's questions to the host until the socket is closed.
func (m *Manager) runMisses(ctx context.Context) error {
	for {
		batch, err := m.misses.Receive()
		m.demand(batch)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, rtnl.ErrOverrun):
			m.overrun("misses")
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("receiving the kernel's misses: %w", err)
		}
	}
}

// demand tells the host what the kernel asks for, each interface's in one call.
func (m *Manager) demand(batch []rtnl.Miss) {
	for len(batch) > 0 {
		index := batch[0].Index
		n := 1
		for n < len(batch) && batch[n].Index == index {
			n++
		}
		if t := m.get(index); t != nil && !t.spec.Observe {
			misses := make([]host.Miss, 0, n)
			for _, miss := range batch[:n] {
				misses = append(misses, m.miss(miss))
			}
			t.ifc.Demand(misses)
		}
		batch = batch[n:]
	}
}

// miss translates a miss. One in state INCOMPLETE is asked for with the preferred
// source of the kernel's route (DESIGN section 3, Sender address).
func (m *Manager) miss(miss rtnl.Miss) host.Miss {
	d := host.Miss{IP: miss.IP, Confirm: miss.State == rtnl.StateProbe}
	if !d.Confirm {
		d.Source = m.source(miss.Index, miss.IP)
	}
	return d
}

// source returns the preferred source address of the kernel's route to a next
// hop on an interface, invalid if there is none.
func (m *Manager) source(index int, ip netip.Addr) netip.Addr {
	r, err := m.conn.RouteGet(ip, index)
	if err != nil {
		return netip.Addr{}
	}
	return r.PrefSrc
}

// overrun is what follows lost notifications: everything is read again.
func (m *Manager) overrun(socket string) {
	m.host.Record(event.Event{Type: event.Overrun, Severity: event.Warning,
		Message: "isat: netlink socket for " + socket + " overran, reading everything again"})
	if err := m.resyncAll(); err != nil {
		m.log.Error("reading everything again after an overrun", "error", err)
	}
}

// NextHop returns where the kernel sends packets to an address: by which
// interface, and to which gateway, invalid if the address is on the link.
func (m *Manager) NextHop(ip netip.Addr) (ifname string, gateway netip.Addr, err error) {
	r, err := m.conn.RouteGet(ip, 0)
	if err != nil {
		return "", netip.Addr{}, err
	}
	l, err := m.conn.Link(r.OIF)
	if err != nil {
		return "", netip.Addr{}, err
	}
	return l.Name, r.Gateway, nil
}
