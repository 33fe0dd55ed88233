package datapath

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/internal/tun"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// Spec says what a host of its own is.
type Spec struct {
	Name      string       // of the TUN device
	Port      string       // packet:IFNAME, tap:IFNAME or cable:PATH
	Framing   link.Framing // of the medium
	MAC       lladdr.Addr  // the zero Addr: that of the interface of a packet port
	MTU       int          // bytes, of the device and of the link
	Addresses []netip.Prefix
	Gateway   netip.Addr // the zero Addr: none
	Mode      host.Mode  // On, Static or Off
	// DAD has the addresses probed, announced, watched and defended.
	DAD     bool
	Down    takeover.Down // what goes down when an address is somebody else's
	Reprobe acd.Reprobe   // what the link's coming back means to addresses in use
}

// Equal reports whether two hosts are the same.
func (s Spec) Equal(o Spec) bool {
	same := slices.Equal(s.Addresses, o.Addresses)
	s.Addresses, o.Addresses = nil, nil
	return same && s.same(o)
}

func (s *Spec) same(o Spec) bool {
	return s.Name == o.Name && s.Port == o.Port && s.Framing == o.Framing && s.MAC == o.MAC &&
		s.MTU == o.MTU && s.Gateway == o.Gateway && s.Mode == o.Mode &&
		s.DAD == o.DAD && s.Down == o.Down && s.Reprobe == o.Reprobe
}

// running is a host that exists.
type running struct {
	spec       Spec
	guard      Guard
	addressing Addressing
	port       *port
	device     *tun.Device
	pump       *pump
	ifc        *host.Interface
	index      int // of the device
	since      time.Time
	stop       context.CancelFunc
	pumps      sync.WaitGroup
	failed     chan error // capacity 1: the device is gone
}

// start makes the host of s. Everything is undone if there is an error.
func start(s Spec, h *host.Host, g Guard, a Addressing, conn *rtnl.Conn) (r *running, err error) {
	r = &running{spec: s, guard: g, addressing: a, since: time.Now(), stop: func() {}, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.port, err = openPort(s, g); err != nil {
		return r, err
	}
	if r.device, err = tun.Open(s.Name); err != nil {
		return r, err
	}
	l, err := conn.LinkByName(s.Name)
	if err != nil {
		return r, err
	}
	r.index = l.Index
	if err := r.attach(h); err != nil {
		return r, err
	}
	// The kernel's side comes last: it sends as soon as it has an address.
	if s.DAD {
		if err := r.serve(false); err != nil {
			return r, err
		}
	}
	if err := r.configure(conn); err != nil {
		return r, err
	}
	if s.DAD { // now it has them
		if err := r.serve(false); err != nil {
			return r, err
		}
	}
	if err := r.route(h); err != nil {
		return r, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.pumps.Go(func() { r.note(r.pump.read()) })
	r.pumps.Go(func() { r.note(r.pump.write(ctx)) })
	return r, nil
}

// note keeps why the device does not work any more.
func (r *running) note(err error) {
	if err == nil {
		return
	}
	select {
	case r.failed <- err:
	default:
	}
}

// attach gives the host its interface.
func (r *running) attach(h *host.Host) error {
	s := &r.spec
	r.pump = &pump{device: r.device, mtu: s.MTU, queue: newQueue()}
	var own []host.Address
	if !s.DAD { // else they come one after the other, and are probed
		own = s.own()
		r.pump.setAddresses(s.Addresses)
	}
	var err error
	r.ifc, err = h.Attach(host.InterfaceConfig{
		Name: s.Name, Index: r.index, MAC: r.port.mac, Port: &paced{r.port.Port, r.pump.queue}, Framing: s.Framing, Mode: s.Mode,
		Reply: host.ReplyInterface, Addresses: own, Down: !r.port.up, Deliver: r.pump.Deliver,
		DAD: s.DAD, Reprobe: s.Reprobe, ReportsLink: r.port.held != "",
	})
	if err != nil {
		return err
	}
	r.pump.ifc = r.ifc
	return nil
}

// route gives the host its route to the gateway, in whose network it has an address
// by now.
func (r *running) route(h *host.Host) error {
	if !r.spec.Gateway.IsValid() {
		return nil
	}
	return h.AddRoute(host.Route{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: r.spec.Gateway, Interface: r.spec.Name})
}

// own returns the addresses as the host has them.
func (s *Spec) own() []host.Address {
	own := make([]host.Address, 0, len(s.Addresses))
	for _, p := range s.Addresses {
		own = append(own, host.Address{Prefix: p})
	}
	return own
}

// serve has the addresses of the device probed, announced, watched and defended.
func (r *running) serve(inUse bool) error {
	return r.addressing.Serve(takeover.Device{
		Index: r.index, Host: r.ifc, Down: r.spec.Down, Addresses: r.spec.Addresses, InUse: inUse, Follow: r.pump.setAddresses,
	})
}

// configure gives the device what the kernel has to know.
func (r *running) configure(conn *rtnl.Conn) error {
	if err := r.device.SetCarrier(r.port.up); err != nil {
		return err
	}
	up := true
	if err := conn.SetLink(r.index, rtnl.LinkSpec{MTU: r.spec.MTU, Up: &up}); err != nil {
		return err
	}
	for _, p := range r.spec.Addresses {
		if err := conn.AddAddr(rtnl.Addr{Index: r.index, Local: p.Addr(), Prefix: p.Masked()}); err != nil {
			return fmt.Errorf("address %v: %w", p, err)
		}
	}
	return nil
}

// setRunning follows the link of the port.
func (r *running) setRunning(up bool) error {
	if r.port.up == up {
		return nil
	}
	r.port.up = up
	r.ifc.SetRunning(up)
	return r.device.SetCarrier(up)
}

// close is the reverse of start. The kernel is let in by the port when it has no
// address any more by which it would answer.
func (r *running) close() error {
	var errs []error
	r.stop()
	if r.device != nil {
		errs = append(errs, r.device.Close())
	}
	r.pumps.Wait()
	if r.index != 0 {
		errs = append(errs, r.addressing.Unserve(r.index))
	}
	switch {
	case r.ifc != nil:
		if err := r.ifc.Detach(); err != nil && r.port.held == "" {
			errs = append(errs, err)
		}
	case r.port != nil:
		errs = append(errs, r.port.Close())
	}
	if r.port != nil && r.port.held != "" {
		errs = append(errs, r.guard.ReleasePort(r.port.held))
	}
	return errors.Join(errs...)
}
