package daemon

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/link/packet"
)

// Status implements the API.
func (d *Daemon) Status(ctx context.Context) (api.Status, error) {
	interfaces, err := d.Interfaces(ctx)
	if err != nil {
		return api.Status{}, err
	}
	s := api.Status{
		Version: d.options.Version, Instance: d.events.Instance(), LastSeq: d.events.Last(), PID: os.Getpid(),
		Started: d.started, Uptime: api.Seconds(time.Since(d.started)), Config: d.options.ConfigPath,
		Interfaces: interfaces,
	}
	for _, e := range d.host.Entries() {
		s.Tables.Entries++
		s.Tables.Held += e.Held
		if !e.State.Usable() {
			s.Tables.Incomplete++
		}
		if e.Expires.IsZero() {
			s.Tables.Permanent++
		}
		if e.Publish != host.Unpublished {
			s.Tables.Published++
		}
	}
	for _, r := range d.host.Routes() {
		if !r.Prefix.IsSingleIP() {
			s.Tables.Networks++
		}
	}
	return s, nil
}

// Interfaces implements the API.
func (d *Daemon) Interfaces(context.Context) ([]api.Interface, error) {
	counts := make(map[string]int)
	for _, e := range d.host.Entries() {
		counts[e.Interface]++
	}
	all := []api.Interface{}
	for _, s := range d.takeover.Status() {
		all = append(all, interfaceStatus(s, counts[s.Name]))
	}
	for _, s := range d.hosts.Status() {
		all = append(all, hostInterface(s, counts[s.Name]))
	}
	slices.SortFunc(all, func(a, b api.Interface) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// state returns the state of an interface as the API has it, and the error of one that
// the host cannot have. ifc is nil if the host does not have it.
func state(ifc *host.Interface, err error) (state, why string) {
	switch {
	case ifc == nil && err != nil:
		return "failed", err.Error()
	case ifc == nil:
		return "absent", ""
	case ifc.Running():
		return "up", ""
	}
	return "down", ""
}

// interfaceStatus returns an interface as the API has it.
func interfaceStatus(s takeover.Status, entries int) api.Interface {
	i := api.Interface{
		Name: s.Name, Index: s.Link.Index, MAC: api.MAC(s.Link.MAC.String()), Medium: "ethernet", MTU: s.Link.MTU,
		Datapath: "kernel", ARP: s.Mode.String(), DAD: s.DAD && !s.Observe, Guarded: !s.Observe && s.Host != nil, Since: s.Since,
		Addresses: []api.InterfaceAddr{}, Entries: entries,
	}
	if s.Observe {
		i.Datapath = "observe"
	}
	if s.Released {
		i.State = "released"
	} else {
		i.State, i.Error = state(s.Host, s.Err)
	}
	if s.Host != nil {
		i.Addresses, i.Published = ownAddresses(s.Host, i.DAD), publications(s.Host)
		if s.Err != nil {
			i.Warnings = append(i.Warnings, s.Err.Error())
		}
	}
	return i
}

// ownAddresses returns the own addresses of an interface as the API has them. Where
// nothing is detected, dad is false, each is in use and so verified.
func ownAddresses(ifc *host.Interface, dad bool) []api.InterfaceAddr {
	all := []api.InterfaceAddr{}
	for _, own := range ifc.OwnAddresses() {
		a := api.InterfaceAddr{Prefix: own.Address.Prefix, State: api.AddrVerified}
		if dad {
			a.State, a.Owner, a.Delayed = own.State.String(), api.MAC(own.Owner.String()), own.Delayed
		}
		all = append(all, a)
	}
	return all
}

// publications returns the addresses that are published with detection on an interface
// as the API has them.
func publications(ifc *host.Interface) []api.PublishedAddr {
	var all []api.PublishedAddr
	for _, p := range ifc.Publications() {
		all = append(all, api.PublishedAddr{IP: p.IP, State: p.State.String(), Owner: api.MAC(p.Owner.String())})
	}
	return all
}

// Routes implements the API.
func (d *Daemon) Routes(context.Context) ([]api.Route, error) {
	now := time.Now()
	all := []api.Route{}
	for _, r := range d.host.Routes() {
		a := api.Route{Destination: r.Prefix, Flags: r.Flags.String(), Interface: r.Interface}
		switch {
		case r.Gateway.IsValid():
			a.Gateway = r.Gateway.String()
		case r.MAC.IsValid():
			a.Gateway = r.MAC.String()
		default:
			a.Gateway = fmt.Sprintf("link#%d", r.Index)
		}
		if !r.Expires.IsZero() {
			a.ExpiresIn = api.Seconds(max(0, r.Expires.Sub(now).Truncate(time.Second)))
		}
		all = append(all, a)
	}
	return all, nil
}

// Stats implements the API.
func (d *Daemon) Stats(context.Context) (api.Stats, error) {
	interfaces := []api.InterfaceStats{}
	var ports packet.Stats // of the present ones: the counters of a port end with it
	add := func(name string, ifc *host.Interface, port packet.Stats) {
		if ifc == nil {
			return
		}
		interfaces = append(interfaces, api.InterfaceStats{Interface: name, Counters: counters(ifc.Stats(), port)})
		ports.Overflow += port.Overflow
		ports.Tagged += port.Tagged
		ports.OtherHost += port.OtherHost
		ports.Truncated += port.Truncated
	}
	for _, s := range d.takeover.Status() {
		add(s.Name, s.Host, s.Port)
	}
	for _, s := range d.hosts.Status() {
		add(s.Name, s.Host, s.PortStats)
	}
	return api.Stats{Counters: counters(d.host.Stats(), ports), Interfaces: interfaces}, nil
}

// counters returns the statistics of the host and its ports, or of an interface
// and its port. What a port drops the host does not see.
func counters(s host.Stats, port packet.Stats) api.Counters {
	c := api.Counters{
		TxRequests: s.TxRequests, TxReplies: s.TxReplies, TxErrors: s.TxErrors, RxRequests: s.RxRequests, RxReplies: s.RxReplies,
		Received: s.Received, Dropped: s.Dropped, Timeouts: s.Timeouts, DupIPs: s.DupIPs,
		Drops: map[string]uint64{
			"overflow": port.Overflow, "tagged": port.Tagged, "other_host": port.OtherHost, "truncated": port.Truncated,
		},
	}
	for _, r := range host.Drops() {
		c.Drops[r.String()] += s.Drops[r] // "other_host": the port sees most of them, the host the rest
	}
	return c
}

// Take implements the API.
func (d *Daemon) Take(_ context.Context, name string) (api.Interface, error) {
	d.mu.Lock()
	spec, ok := d.spec(d.config, name)
	d.mu.Unlock()
	if !ok {
		spec = d.specOf(config.DefaultInterface(name), name)
	}
	if err := d.takeover.Take(spec); err != nil {
		return api.Interface{}, err
	}
	for _, s := range d.takeover.Status() {
		if s.Name == name {
			return interfaceStatus(s, 0), nil
		}
	}
	return api.Interface{}, fmt.Errorf("taking %s over: it is gone again: %w", name, syscall.ENXIO)
}

// Release implements the API.
func (d *Daemon) Release(_ context.Context, name string) error { return d.takeover.Release(name) }
