package takeover

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// goingChunk is how many addresses are deleted in one datagram.
const goingChunk = 200

// takeDown takes addresses of an interface down that are somebody else's. Those that
// the kernel does not take down stay there, and are not written down. mu is held.
func (m *Manager) takeDown(a *addressed, withdrawn []host.OwnAddress) error {
	if len(withdrawn) == 0 {
		return nil
	}
	before, err := m.conn.Addrs(a.index)
	if rtnl.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var going []rtnl.Addr
	owner := make(map[netip.Addr]lladdr.Addr)
	for _, own := range withdrawn {
		owner[own.Address.Prefix.Addr()] = own.Owner
	}
	isDown := make(map[identity]bool, len(m.down))
	for _, d := range m.down {
		isDown[identityOf(d)] = true
	}
	// The last first: for each primary that goes the kernel makes the routes of all its
	// secondaries anew.
	for _, k := range slices.Backward(before) {
		if _, ok := owner[k.Local]; ok && !isDown[identity{k.Index, k.Local, k.Prefix}] {
			going = append(going, k)
		}
	}
	all, err := m.conn.Addrs(0)
	if err != nil {
		return err
	}
	d := departure{index: a.index, name: m.nameOf(a.index), going: going, owner: owner, stood: before, places: places(all)}
	for _, other := range m.down {
		if on := d.places[other.Local]; !slices.Contains(on, other.Index) {
			d.places[other.Local] = append(on, other.Index)
		}
	}
	m.forsakeAbsent(a, withdrawn, before)
	if a.down == DownInterface && len(going) > 0 { // else somebody else has removed them
		return m.setInterfaceDown(d)
	}
	var errs []error
	for some := range slices.Chunk(going, goingChunk) {
		d.going = some
		errs = append(errs, m.removeAddresses(d))
	}
	if err := m.departed(a, d); !errors.Is(err, rtnl.ErrInterrupted) { // else the kernel's own words follow
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// forsakeAbsent has the host forget what was withdrawn and others have removed before it
// was taken down: nobody will put it back, and it must not be taken for verified when it
// is free. mu is held.
func (m *Manager) forsakeAbsent(a *addressed, withdrawn []host.OwnAddress, there []rtnl.Addr) {
	kept := make(map[netip.Addr]bool, len(there)+len(m.down))
	for _, k := range there {
		kept[k.Local] = true
	}
	for _, d := range m.down {
		kept[d.Local] = kept[d.Local] || d.Index == a.index
	}
	for _, u := range withdrawn {
		ip := u.Address.Prefix.Addr()
		if _, leased := m.leases[keyOf(u)]; !leased && !kept[ip] {
			a.ifc.Forsake(ip)
		}
	}
}

// forsakeUnknown has the host forget what is free again, was not taken down, and is not
// there: others removed it while the order to take it down had not been followed. What
// is there is named, because the host waits for that. mu is held.
func (m *Manager) forsakeUnknown(a *addressed, free []host.OwnAddress) error {
	if len(free) == 0 {
		return nil
	}
	addrs, err := m.conn.Addrs(a.index)
	if err != nil && !rtnl.IsNotExist(err) {
		return err
	}
	there := places(addrs)
	for _, u := range free {
		if ip := u.Address.Prefix.Addr(); there[ip] == nil {
			a.ifc.Forsake(ip)
		}
	}
	return m.readdress(a.index)
}

// departure is what is being taken down.
type departure struct {
	index  int
	name   string
	going  []rtnl.Addr                // the last first
	owner  map[netip.Addr]lladdr.Addr // who has them
	stood  []rtnl.Addr                // all addresses of the interface
	places map[netip.Addr][]int       // interfaces that have an address, or had it taken down
}

// maxStood is how many addresses an interface may have for their order to be kept:
// each that is taken down keeps it.
const maxStood = 512

// maxSuspects is how many routes are written down before it is known which of them go
// with an address: those of a router that has all of the Internet's would take
// seconds. With more, a death in between loses the routes.
const maxSuspects = 4096

// records returns what is written down of those that will be put back, with the
// routes that may go with them.
func (d *departure) records(routes []rtnl.RouteImage, interfaceDown bool) []record.Address {
	var order []netip.Prefix
	if len(d.stood) <= maxStood {
		order = prefixesOf(d.stood)
	}
	var all []record.Address
	for _, a := range slices.Backward(d.going) {
		if isTemporary(a) && !interfaceDown {
			continue // whoever looks after it does so now, too
		}
		r := recordOfAddr(a)
		r.Name, r.Order, r.Owner, r.InterfaceDown, r.Time = d.name, order, d.owner[a.Local], interfaceDown, time.Now().UTC().Round(0)
		if on := d.places[a.Local]; len(on) > 1 {
			r.Others = on
		}
		all = append(all, r)
	}
	if len(routes) <= maxSuspects {
		dependent(all, routes)
	}
	return all
}

// prefixesOf returns addresses with the lengths of their networks.
func prefixesOf(addrs []rtnl.Addr) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(addrs))
	for _, a := range addrs {
		all = append(all, prefixOf(a))
	}
	return all
}

// removeAddresses removes addresses from their interface. What is needed to put them
// back is on the disk before anything is done: first with all routes that may go
// with them, then with those that did.
func (m *Manager) removeAddresses(d departure) error {
	routes := m.routes()
	records := d.records(routes, false)
	m.down = append(m.down, records...)
	if err := m.saveDown(); err != nil {
		// It is somebody else's all the same. Only a crash would lose it.
		m.log.Error("writing down what is taken down", "error", err)
	}
	var stay []rtnl.Addr
	for _, a := range d.stood {
		shares := slices.ContainsFunc(d.going, func(g rtnl.Addr) bool { return g.Prefix == a.Prefix })
		if shares && !isAmong(d.going, a) {
			stay = append(stay, a)
		}
	}
	var deletions []rtnl.Op
	for _, a := range d.going {
		deletions = append(deletions, rtnl.DeleteAddrOp(a))
		m.unsettled[ipKey{d.index, a.Local}] = true
	}
	copies := standIns(routes, d.index, stay)
	ops, offset := m.amid(d.index, copies, deletions)
	gone, refused := m.gone(d, m.conn.Apply(ops...), offset)
	if refused != nil {
		records = m.stayed(d, gone, records)
	}
	m.keepLost(records, routes)
	m.setDown(records)
	for _, a := range gone {
		if isTemporary(a) {
			m.lease(a)
		}
		m.log.Info("took down an address that somebody else uses", "interface", d.name, "address", prefixOf(a), "mac", d.owner[a.Local], "returns", !isTemporary(a))
	}
	if err := m.saveDown(); err != nil {
		m.log.Error("writing down what is taken down", "error", err)
	}
	return refused
}

// gone returns which of the addresses that were to be deleted are gone, by the error
// of the datagram, in which the deletions begin at offset; and why others are not, nil
// if all are.
func (m *Manager) gone(d departure, err error, offset int) (gone []rtnl.Addr, refused error) {
	var batch *rtnl.BatchError
	switch {
	case err == nil:
		return d.going, nil
	case !errors.As(err, &batch): // it is unknown what was done
		left, readErr := m.conn.Addrs(d.index)
		if readErr != nil {
			return d.going, errors.Join(err, readErr)
		}
		return slices.DeleteFunc(slices.Clone(d.going), func(a rtnl.Addr) bool { return isAmong(left, a) }), err
	}
	var around, there []error
	stay, absent := make(map[int]bool), make(map[int]bool)
	for _, f := range batch.Failed {
		switch i := f.Index - offset; {
		case rtnl.IsNotExist(f.Err):
			absent[i] = true
		case i < 0 || i >= len(d.going):
			around = append(around, f.Err)
		default:
			stay[i] = true
			there = append(there, f.Err)
		}
	}
	deleted := make(map[netip.Addr]bool, len(d.going)) // in one network at least
	for i, a := range d.going {
		if !stay[i] {
			gone = append(gone, a)
		}
		if !stay[i] && !absent[i] {
			deleted[a.Local] = true
		}
	}
	for i, a := range d.going {
		if absent[i] && !deleted[a.Local] { // of this the kernel will not tell
			delete(m.unsettled, ipKey{d.index, a.Local})
		}
	}
	if len(there) == 0 && len(around) > 0 {
		m.log.Error("taking an address down that is somebody else's", "interface", d.name, "error", errors.Join(around...))
	}
	return gone, errors.Join(there...)
}

// stayed follows that the kernel has not taken down all that it was to: nothing says
// of the others that they are down. It returns the records of those that are.
func (m *Manager) stayed(d departure, gone []rtnl.Addr, records []record.Address) []record.Address {
	for _, a := range d.going {
		if !isAmong(gone, a) {
			delete(m.unsettled, ipKey{d.index, a.Local})
			delete(d.owner, a.Local) // it is neither absent nor to be forgotten
		}
	}
	isDown := func(r record.Address) bool { return isAmong(gone, addrOfRecord(r)) }
	m.drop(slices.DeleteFunc(slices.Clone(records), isDown))
	return slices.DeleteFunc(records, func(r record.Address) bool { return !isDown(r) })
}

// departed tells the host that the addresses are gone, and what the kernel still
// has. Somebody may have added one again already, and that is news to the host only
// after it has heard that the address was gone; what it says of that one then is not
// to be forgotten here.
func (m *Manager) departed(a *addressed, d departure) error {
	forgetErr := m.unverified.gone(a.index, slices.Collect(maps.Keys(d.owner))...)
	addrs, err := m.conn.Addrs(a.index)
	if err != nil {
		return errors.Join(forgetErr, err)
	}
	isGoing := func(k rtnl.Addr) bool { _, ok := d.owner[k.Local]; return ok }
	if slices.ContainsFunc(addrs, isGoing) {
		own := m.hostAddresses(slices.DeleteFunc(slices.Clone(addrs), isGoing))
		if a.device != nil {
			err = a.follow(own)
		} else {
			err = a.ifc.SetAddresses(own)
		}
	}
	return errors.Join(forgetErr, err, m.readdress(a.index))
}

// nameOf returns the name of an interface, "" if it is gone.
func (m *Manager) nameOf(index int) string {
	l, err := m.conn.Link(index)
	if err != nil {
		return ""
	}
	return l.Name
}
