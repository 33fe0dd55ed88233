package takeover

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// Packets to the address of an entry with the action reject or blackhole end at a
// host route, as in FreeBSD: the kernel's neighbour table cannot say that.
//
//	reject     unreachable A  senders get EHOSTUNREACH, forwarded packets ICMP
//	blackhole  blackhole A    forwarded packets vanish; local senders get EINVAL
//
// The route has isat's protocol. It is written down before it is made, with the
// settings, and has no interface, so that the kernel does not delete it with one.

// kindRoute is the kind of record of such a route. It is the machine's, and its key
// is the address and the table: "192.0.2.9/32 table 254".
const kindRoute = "route"

// noRouteOfOurs is the value of such a record where there is no route of isat's.
const noRouteOfOurs = "none"

// rejectKey names a route.
type rejectKey struct {
	ip    netip.Addr
	table uint32
}

func (k rejectKey) String() string { return fmt.Sprintf("%v/32 table %d", k.ip, k.table) }

func parseRejectKey(s string) (rejectKey, error) {
	prefix, table, ok := strings.Cut(s, " table ")
	p, err := netip.ParsePrefix(prefix)
	n, tableErr := strconv.ParseUint(table, 10, 32)
	if !ok || err != nil || !p.IsSingleIP() || tableErr != nil {
		return rejectKey{}, fmt.Errorf("route %q: this version of isat does not know it", s)
	}
	return rejectKey{p.Addr(), uint32(n)}, nil
}

func (k rejectKey) route(typ rtnl.RouteType) rtnl.Route {
	return rtnl.Route{Dst: netip.PrefixFrom(k.ip, k.ip.BitLen()), Table: k.table, Type: typ, Protocol: rtnl.ProtocolISAT}
}

// rejection is a route with the interfaces whose entries want it.
type rejection struct {
	wanted map[int]rtnl.RouteType // by index
	made   rtnl.RouteType         // what is in the kernel, 0: nothing, or somebody else's
}

// typ returns the type that the route is to have: two interfaces may have an entry
// of the address, and an error is more than silence. 0: none.
func (r *rejection) typ() (typ rtnl.RouteType) {
	for _, t := range r.wanted {
		if typ == 0 || t == rtnl.RouteUnreachable {
			typ = t
		}
	}
	return typ
}

// routeType returns the route that a state of a neighbour wants, 0 if none.
func routeType(s host.NeighbourState) rtnl.RouteType {
	switch s {
	case host.Refused:
		return rtnl.RouteUnreachable
	case host.Discarded:
		return rtnl.RouteBlackhole
	}
	return 0
}

// actionType is routeType for the action of an entry.
func actionType(a host.Action) rtnl.RouteType {
	switch a {
	case host.Reject:
		return rtnl.RouteUnreachable
	case host.Blackhole:
		return rtnl.RouteBlackhole
	}
	return 0
}

// Reject makes the route of an entry that is about to be set with an action on an
// interface, or on that whose network the address is in if the name is empty, so
// that whoever sets it hears what is in its way. The error wraps EEXIST if somebody
// else has a route there. For other interfaces, and without an action, nothing is
// done. If the entry is not set after all, undo takes the route back.
func (m *Manager) Reject(ifname string, ip netip.Addr, a host.Action) (undo func(), err error) {
	undo = func() {}
	typ := actionType(a)
	t := m.takenFor(ifname, ip)
	if typ == 0 || t == nil || t.spec.Observe {
		return undo, nil
	}
	m.updating.Lock()
	defer m.updating.Unlock()
	before := m.rejected(t, ip)
	if err := m.reject(t, ip, typ); err != nil {
		return undo, errors.Join(err, m.reject(t, ip, before))
	}
	return func() {
		m.updating.Lock()
		defer m.updating.Unlock()
		if err := m.reject(t, ip, before); err != nil {
			m.log.Error("taking the route of an entry back", "error", err)
		}
	}, nil
}

// takenFor returns the interface with a name, or else the one with the longest
// network around an address; nil if there is none.
func (m *Manager) takenFor(ifname string, ip netip.Addr) (best *taken) {
	if ifname != "" {
		return m.byName(ifname)
	}
	bits := -1
	for _, t := range *m.taken.Load() {
		for _, a := range t.ifc.Addresses() {
			if a.Prefix.Masked().Contains(ip) && a.Prefix.Bits() > bits {
				best, bits = t, a.Prefix.Bits()
			}
		}
	}
	return best
}

// rejected returns what an interface wants now. updating is held.
func (m *Manager) rejected(t *taken, ip netip.Addr) rtnl.RouteType {
	for k, r := range m.rejections {
		if k.ip == ip && r.wanted[t.index] != 0 {
			return r.wanted[t.index]
		}
	}
	return 0
}

// reject makes, changes or, with type 0, deletes the route of an entry. updating is
// held.
func (m *Manager) reject(t *taken, ip netip.Addr, typ rtnl.RouteType) error {
	var errs []error
	var key rejectKey
	if typ != 0 {
		table, err := m.tableOf(t, ip)
		if err != nil {
			return err
		}
		key = rejectKey{ip, table}
	}
	for k, r := range m.rejections {
		if k.ip == ip && k != key && r.wanted[t.index] != 0 {
			delete(r.wanted, t.index)
			errs = append(errs, m.settleReject(k))
		}
	}
	if typ != 0 {
		r := m.rejections[key]
		if r == nil {
			r = &rejection{wanted: make(map[int]rtnl.RouteType)}
			m.rejections[key] = r
		}
		r.wanted[t.index] = typ
		errs = append(errs, m.settleReject(key))
	}
	return errors.Join(errs...)
}

// unreject deletes the routes of the entries of an interface. updating is held.
func (m *Manager) unreject(index int) error {
	var errs []error
	for k, r := range m.rejections {
		if r.wanted[index] != 0 {
			delete(r.wanted, index)
			errs = append(errs, m.settleReject(k))
		}
	}
	return errors.Join(errs...)
}

// tableOf returns the table that has the network of an interface: its VRF's, else
// the main one.
func (m *Manager) tableOf(t *taken, ip netip.Addr) (uint32, error) {
	d := decision{m: m, here: t.present()}
	if d.vrf() == 0 {
		return rtnl.TableMain, nil
	}
	// The table cannot be seen by the address itself, whose route may be rejected.
	for _, a := range t.ifc.Addresses() {
		if r, err := m.router.RouteGet(a.Prefix.Addr(), d.vrf()); err == nil && r.Table != 0 && r.Table != rtnl.TableLocal {
			return r.Table, nil
		}
	}
	return 0, fmt.Errorf("looking for the routing table of %s, a port of a VRF without an address: %w", d.here.Name, syscall.ENETUNREACH)
}

// settleReject makes the kernel's route what the interfaces want. updating is held.
func (m *Manager) settleReject(k rejectKey) error {
	r := m.rejections[k]
	typ := r.typ()
	if typ == r.made && typ != 0 {
		return nil
	}
	// Only what is isat's is ever deleted: the type and the protocol say whose it is.
	if r.made != 0 {
		err := m.conn.DeleteRoute(k.route(r.made))
		if err != nil && !rtnl.IsNotExist(err) {
			return err
		}
		r.made = 0
	}
	if typ == 0 {
		delete(m.rejections, k)
		return m.store.Remove(func(rec record.Record) bool { return rec.Kind == kindRoute && rec.Key == k.String() })
	}
	if err := m.store.Put(record.Record{Kind: kindRoute, Key: k.String(), Old: noRouteOfOurs, New: typ.String()}); err != nil {
		return err
	}
	err := m.conn.AddRoute(k.route(typ))
	if errors.Is(err, syscall.EEXIST) {
		return m.obstructed(k)
	}
	if err == nil {
		r.made = typ
	}
	return err
}

// obstructed returns which route of somebody else is in the way of one of isat's,
// and how to delete it. The error wraps EEXIST.
func (m *Manager) obstructed(k rejectKey) error {
	theirs := k.ip.String()             // as ip-route(8) names it
	routes, _ := m.conn.Routes(k.table) // without them only the type is not told
	ours := k.route(0)
	if i := slices.IndexFunc(routes, func(r rtnl.Route) bool { return r.Dst == ours.Dst && r.Metric == ours.Metric }); i >= 0 {
		theirs = fmt.Sprint(routes[i].Type, " ", k.ip)
	}
	if k.table != rtnl.TableMain {
		theirs += fmt.Sprint(" table ", k.table)
	}
	return fmt.Errorf("somebody else has a route to %v, which isat leaves alone; delete it by \"ip route del %s\": %w", k.ip, theirs, syscall.EEXIST)
}

// rejectUpdate is what Update does about a neighbour for its route. updating is
// held.
func (m *Manager) rejectUpdate(t *taken, u host.Neighbour) {
	typ := routeType(u.State)
	if typ == 0 && len(m.rejections) == 0 {
		return
	}
	if err := m.reject(t, u.IP, typ); err != nil {
		m.log.Error("making the route of an entry", "interface", t.Name(), "ip", u.IP, "action", u.State, "error", err)
	}
}

// replaced deletes the route of an entry of which the host tells no more: others have
// put another one into the kernel, or made it go. updating is held.
func (m *Manager) replaced(t *taken, ip netip.Addr) {
	if len(m.rejections) == 0 {
		return
	}
	if err := m.reject(t, ip, 0); err != nil {
		m.log.Error("deleting the route of an entry", "interface", t.Name(), "ip", ip, "error", err)
	}
}

// reassert makes the routes again that somebody has deleted. mu is held.
func (m *Manager) reassert() error {
	m.updating.Lock()
	defer m.updating.Unlock()
	var errs []error
	for k, r := range m.rejections {
		typ := r.typ()
		err := m.conn.AddRoute(k.route(typ))
		switch {
		case err == nil && r.made != 0:
			m.log.Warn("somebody has deleted the route of an entry; it is there again", "ip", k.ip, "route", typ)
			fallthrough
		case err == nil:
			r.made = typ
		case !errors.Is(err, syscall.EEXIST):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// routes is [record.Settings] for the records of routes.
type routes struct{ conn *rtnl.Conn }

// get returns the type of isat's route that a record is of.
func (s routes) get(r record.Record) (string, error) {
	k, err := parseRejectKey(r.Key)
	if err != nil {
		return "", err
	}
	all, err := s.conn.RoutesBy(k.table, rtnl.ProtocolISAT)
	if err != nil {
		return "", err
	}
	for _, have := range all {
		if have.Dst == k.route(0).Dst {
			return have.Type.String(), nil
		}
	}
	return noRouteOfOurs, nil
}

// delete deletes isat's route that a record is of: none is what was there before.
func (s routes) delete(r record.Record) error {
	k, err := parseRejectKey(r.Key)
	if err != nil {
		return err
	}
	return s.conn.DeleteRoute(k.route(0))
}
