package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// errAlready is of an interface that is taken over.
const errAlready = syscall.EALREADY

// Entries implements the API.
func (d *Daemon) Entries(_ context.Context, f api.EntryFilter) ([]api.Entry, error) {
	return d.entries(f.Interface, f.IP), nil
}

// entries returns the entries of an interface and an address; "" and the zero
// Addr are all.
func (d *Daemon) entries(ifname string, ip netip.Addr) []api.Entry {
	now := time.Now()
	var found []host.Entry
	if ip.IsValid() {
		found = d.host.Entry(ip)
	} else {
		found = d.host.Entries()
	}
	var all []api.Entry
	for _, e := range found {
		if ifname == "" || e.Interface == ifname {
			all = append(all, entry(e, now))
		}
	}
	return all
}

// entry returns an entry as the API has it.
func entry(e host.Entry, now time.Time) api.Entry {
	a := api.Entry{
		IP: e.IP, MAC: api.MAC(e.MAC.String()), Interface: e.Interface, Type: e.Type, State: api.State(e.State.String()),
		RT:        strings.TrimPrefix(e.Route.String(), "rt="),
		Permanent: e.Expires.IsZero(), Incomplete: !e.State.Usable(), Flags: e.Flags.String(),
		Hold: e.Held, Tries: e.Tries, Authority: e.Authority, Origin: e.Origin.String(),
		Published: e.Publish != host.Unpublished, PublishOnly: e.Publish == host.PublishedOnly, Action: api.Action(e.Action.String()),
	}
	if e.Own {
		a.Origin = "own"
	}
	if a.Incomplete {
		a.MAC = ""
	} else if !a.Permanent {
		a.ExpiresIn = api.Seconds(max(0, e.Expires.Sub(now).Truncate(time.Second)))
	}
	return a
}

// SetEntry implements the API.
func (d *Daemon) SetEntry(_ context.Context, e api.SetEntry) (api.Entry, bool, error) {
	c, err := change(e)
	if err != nil {
		return api.Entry{}, false, fmt.Errorf("setting the entry of %v: %w: %w", e.IP, err, syscall.EINVAL)
	}
	created, err := d.set(c)
	if err != nil {
		return api.Entry{}, false, err
	}
	if now, ok := madeBy(c, d.entries(e.Interface, e.IP)); ok {
		return now, created, nil
	}
	return api.Entry{}, false, fmt.Errorf("setting the entry of %v: it was changed at once by somebody else: %w", e.IP, syscall.EAGAIN)
}

// madeBy returns the entry of an address that a change has made.
func madeBy(c host.Change, all []api.Entry) (api.Entry, bool) {
	find := func(only bool) int {
		return slices.IndexFunc(all, func(e api.Entry) bool {
			return e.PublishOnly == only && (!c.MAC.IsValid() || e.MAC == api.MAC(c.MAC.String()))
		})
	}
	i := find(c.Publish == host.PublishedOnly)
	if i < 0 && c.Publish == host.Published {
		i = find(true) // what it becomes where a host route leads elsewhere, see host.Host.Set
	}
	if i < 0 {
		return api.Entry{}, false
	}
	return all[i], true
}

// change returns what the administrator sets as the host takes it.
func change(e api.SetEntry) (host.Change, error) {
	c := host.Change{Interface: e.Interface, IP: e.IP, Temporary: e.Temp, Origin: host.Administrator}
	if e.MAC != api.EtherAuto {
		var err error
		if c.MAC, err = lladdr.Parse(string(e.MAC)); err != nil {
			return c, err
		}
	}
	switch e.Pub {
	case api.PublishYes:
		c.Publish = host.Published
	case api.PublishOnly:
		c.Publish = host.PublishedOnly
	}
	switch e.Action {
	case api.ActionReject:
		c.Action = host.Reject
	case api.ActionBlackhole:
		c.Action = host.Blackhole
	}
	return c, nil
}

// DeleteEntry implements the API.
func (d *Daemon) DeleteEntry(_ context.Context, ip netip.Addr, ifname string, pubOnly bool) ([]api.Entry, error) {
	before := d.entries(ifname, ip)
	if err := d.remove(ifname, ip, pubOnly); err != nil {
		return nil, err
	}
	// An address may have an ordinary and a published-only entry, of which the
	// ordinary one goes first.
	after := d.entries(ifname, ip)
	return slices.DeleteFunc(before, func(e api.Entry) bool {
		return slices.ContainsFunc(after, func(left api.Entry) bool {
			return left.Interface == e.Interface && left.PublishOnly == e.PublishOnly
		})
	}), nil
}

// DeleteEntries implements the API.
func (d *Daemon) DeleteEntries(_ context.Context, ifname string) ([]api.Entry, error) {
	if ifname != "" {
		if _, ok := d.host.Interface(ifname); !ok {
			return nil, fmt.Errorf("deleting the entries of %s: %w", ifname, unknown(ifname))
		}
	}
	now := time.Now()
	gone := []api.Entry{}
	for _, e := range d.host.Flush(ifname) {
		gone = append(gone, entry(e, now))
	}
	d.changed()
	return gone, nil
}

// Resolve implements the API.
func (d *Daemon) Resolve(ctx context.Context, ip netip.Addr, ifname string) (api.Entry, error) {
	for _, e := range d.entries(ifname, ip) {
		if e.Origin == "own" {
			return e, nil // an own address, to which the kernel has a route by lo
		}
		if e.Action != api.ActionNone && ifname == "" {
			ifname = e.Interface // Linux' route for the entry would say less than it does
		}
	}
	ifc, next, gateway, err := d.nextHop(ip, ifname)
	if err != nil {
		return api.Entry{}, err
	}
	mac, err := ifc.Resolve(ctx, next)
	if gateway && errors.Is(err, syscall.EHOSTDOWN) {
		err = fmt.Errorf("resolving %v: its gateway %v does not answer: %w", ip, next, syscall.EHOSTUNREACH)
	}
	if errors.Is(err, syscall.ENXIO) {
		err = fmt.Errorf("resolving %v on %s: somebody deleted the entry meanwhile: %w", next, ifc.Name(), syscall.ENXIO)
	}
	if err != nil {
		return api.Entry{}, err
	}
	for _, e := range d.entries(ifc.Name(), next) {
		return e, nil
	}
	return api.Entry{IP: next, MAC: api.MAC(mac.String()), Interface: ifc.Name(), State: api.StateReachable, Type: "ethernet"}, nil
}

// nextHop returns whom to ask on which interface for an address: as the kernel's
// routes say, if no interface is named.
func (d *Daemon) nextHop(ip netip.Addr, ifname string) (*host.Interface, netip.Addr, bool, error) {
	if ifname != "" {
		ifc, ok := d.host.Interface(ifname)
		if !ok {
			return nil, ip, false, fmt.Errorf("resolving %v on %s: %w", ip, ifname, unknown(ifname))
		}
		return ifc, ip, false, nil
	}
	name, gateway, err := d.takeover.NextHop(ip)
	if err != nil {
		return nil, ip, false, fmt.Errorf("resolving %v: %w", ip, err)
	}
	ifc, ok := d.host.Interface(name)
	if !ok {
		return nil, ip, false, fmt.Errorf("resolving %v: its route leads to %s, which is not taken over: %w", ip, name, syscall.ENXIO)
	}
	if _, ok := d.presentHosts()[name]; ok {
		return hostHop(ifc, ip)
	}
	if gateway.IsValid() {
		return ifc, gateway, true, nil
	}
	return ifc, ip, false, nil
}

// Announce implements the API.
func (d *Daemon) Announce(_ context.Context, ifname string, ips []netip.Addr) error {
	ifc, ok := d.host.Interface(ifname)
	if !ok {
		return fmt.Errorf("announcing on %s: %w", ifname, unknown(ifname))
	}
	return ifc.Announce(ips...)
}

// Probe implements the API.
func (d *Daemon) Probe(ctx context.Context, q api.ProbeRequest, found func(api.Probed)) error {
	ifc, ok := d.host.Interface(q.Interface)
	if !ok {
		return fmt.Errorf("probing on %s: %w", q.Interface, unknown(q.Interface))
	}
	return ifc.Probe(ctx, q.IPs, q.Fast, func(p host.Probed) {
		found(api.Probed{IP: p.IP, Free: p.Free, MAC: api.MAC(p.MAC.String())})
	})
}
