package takeover

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// putResult is what became of an address that was to be put back.
type putResult struct {
	record.Address
	err    error // why it is not there, nil if it is
	placed bool  // among the others as before
}

// String is one line for people to read.
func (r putResult) String() string {
	where := fmt.Sprintf("address %v of %s", prefixOf(addrOfRecord(r.Address)), r.Name)
	switch {
	case r.err != nil:
		return fmt.Sprintf("%s: not put back: %v", where, r.err)
	case !r.placed:
		return where + ": put back behind others, which are not isat's to move, or too many"
	}
	return where + ": put back"
}

// Why an address is not put back.
var (
	errAddedAgain = errors.New("somebody has added it meanwhile")
	errGone       = errors.New("its interface is gone")
)

// putBack puts addresses back that were taken down of an interface, as they were,
// with the routes that went with them. What it must not put back, because somebody has
// added the address meanwhile, is forgotten; what the kernel refuses stays written
// down, and is an error. mu is held.
func (m *Manager) putBack(index int, free []record.Address) error {
	if len(free) == 0 {
		return nil
	}
	results, err := m.tryPutBack(index, free)
	for _, r := range results {
		m.log.Info("isat: " + r.String())
	}
	return errors.Join(err, m.readdress(index))
}

// tryPutBack is putBack without telling the host of what is there again.
func (m *Manager) tryPutBack(index int, free []record.Address) ([]putResult, error) {
	now, err := m.conn.Addrs(index)
	if err != nil {
		if !rtnl.IsNotExist(err) {
			return nil, err
		}
		return m.giveUp(free, errGone)
	}
	all, err := m.conn.Addrs(0)
	if err != nil {
		return nil, err
	}
	var back []rtnl.Addr
	var order [][]netip.Prefix
	var touched, missing []record.Address
	there := places(all)
	for _, d := range free {
		if isAddedAgain(d, there) {
			touched = append(touched, d)
			continue
		}
		missing = append(missing, d)
	}
	results, giveUpErr := m.giveUp(touched, errAddedAgain)
	missing, err = m.acceptable(missing, now)
	errs := []error{giveUpErr, err}
	if len(missing) == 0 {
		return results, errors.Join(errs...)
	}
	for _, d := range missing {
		back, order = append(back, addrOfRecord(d)), append(order, d.Order)
	}
	steps, placed := plan(now, back, order)
	refused, err := m.walk(index, steps)
	if err != nil {
		return results, errors.Join(append(errs, err)...)
	}
	var returned []record.Address
	for _, d := range missing {
		switch why := refused[prefixOf(addrOfRecord(d))]; {
		case errors.Is(why, syscall.EEXIST):
			some, err := m.giveUp([]record.Address{d}, errAddedAgain)
			results, errs = append(results, some...), append(errs, err)
			continue
		case why != nil:
			m.refused[identityOf(d)] = true
			errs = append(errs, refusedError(d, why))
			continue
		}
		returned = append(returned, d)
		results = append(results, putResult{Address: d, placed: placed})
	}
	m.drop(returned)
	m.returnRoutes(index, returned)
	return results, errors.Join(append(errs, m.saveDown())...)
}

func refusedError(d record.Address, why error) error {
	return fmt.Errorf("putting %v of %s back: %w", prefixOf(addrOfRecord(d)), d.Name, why)
}

// acceptable returns the addresses without those that the kernel refuses still, beside
// those that are there now. Each that it has refused before is added and deleted to find
// that out: others are to be moved for its place only when it can have it.
func (m *Manager) acceptable(missing []record.Address, now []rtnl.Addr) ([]record.Address, error) {
	var errs []error
	refuses := func(d record.Address) bool {
		a := addrOfRecord(d)
		if b, ok := otherScope(now, a); ok {
			errs = append(errs, refusedError(d, fmt.Errorf("%v has another scope in the same network: %w", prefixOf(b), syscall.EINVAL)))
			return true
		}
		if !m.refused[identityOf(d)] {
			return false
		}
		if err := m.conn.AddAddr(a); err != nil {
			errs = append(errs, refusedError(d, err))
			return true
		}
		if err := m.conn.DeleteAddr(a); err != nil {
			m.log.Error("making room for addresses", "error", err)
		}
		return false
	}
	return slices.DeleteFunc(missing, refuses), errors.Join(errs...)
}

// otherScope returns an address for which the kernel refuses to add another one: those
// of a network have one scope (__inet_insert_ifa of net/ipv4/devinet.c).
func otherScope(now []rtnl.Addr, a rtnl.Addr) (rtnl.Addr, bool) {
	i := slices.IndexFunc(now, func(b rtnl.Addr) bool { return b.Prefix == a.Prefix && b.Local != a.Local && b.Scope != a.Scope })
	if i < 0 {
		return rtnl.Addr{}, false
	}
	return now[i], true
}

// walkChunk is how many steps go in one datagram, beside what has to be around them.
const walkChunk = 600

// walk makes the steps, in one datagram if there are not very many, so that an
// address that changes its place is away for some microseconds. It returns what the
// kernel said of those that it did not add.
func (m *Manager) walk(index int, steps []step) (refused map[netip.Prefix]error, err error) {
	var moved, stays []rtnl.Addr // to be moved, and not moved
	for _, s := range steps {
		if s.remove {
			moved = append(moved, s.addr)
		}
	}
	var copies []rtnl.Route
	if len(moved) > 0 {
		copies = standIns(m.routes(), index, moved)
	}
	refused = make(map[netip.Prefix]error)
	var around []error
	for chunk := range slices.Chunk(steps, walkChunk) {
		changes := make([]rtnl.Op, 0, len(chunk))
		for _, s := range chunk {
			if s.remove {
				changes = append(changes, rtnl.DeleteAddrOp(s.addr))
			} else {
				changes = append(changes, rtnl.AddAddrOp(s.addr))
			}
		}
		ops, offset := changes, 0
		if len(moved) > 0 {
			ops, offset = m.amid(index, copies, changes)
		}
		err := m.conn.Apply(ops...)
		var batch *rtnl.BatchError
		if !errors.As(err, &batch) {
			if err != nil {
				return refused, err
			}
			continue
		}
		for _, f := range batch.Failed {
			i := f.Index - offset
			switch {
			case i < 0 || i >= len(chunk):
				around = append(around, f.Err)
			case chunk[i].remove:
				stays = append(stays, chunk[i].addr)
			default:
				refused[prefixOf(chunk[i].addr)] = f.Err
				if a := chunk[i].addr; isAmong(moved, a) && !isAmong(stays, a) {
					m.log.Error("an address that was moved to make room is not added again", "address", prefixOf(a), "error", f.Err)
				}
			}
		}
	}
	if len(refused) == 0 && len(around) > 0 { // else all will be tried again
		m.log.Error("making room for addresses", "error", errors.Join(around...))
	}
	return refused, nil
}

// putAllBack puts back what is down of an interface whose addresses isat looks
// after no more. mu is held.
func (m *Manager) putAllBack(index int) error {
	for _, d := range m.downed(index) {
		m.log.Warn(fmt.Sprintf("isat: address %v of %s: in use again, though somebody else used it: nobody watches it any more", prefixOf(addrOfRecord(d)), d.Name), "mac", d.Owner)
	}
	results, err := m.restoreAddresses(index)
	for _, r := range results {
		if r.err == nil {
			m.log.Warn("isat: "+r.String()+", though somebody else used it: nobody watches it any more", "mac", r.Owner)
		} else {
			m.log.Info("isat: " + r.String())
		}
	}
	return errors.Join(err, m.readdress(index))
}

// restoreAddresses is putAllBack without words. mu is held.
func (m *Manager) restoreAddresses(index int) ([]putResult, error) {
	var missing, there []record.Address
	for _, d := range m.down {
		switch {
		case d.Index != index:
		case d.InterfaceDown:
			there = append(there, d)
		default:
			missing = append(missing, d)
		}
	}
	switch _, err := m.conn.Link(index); {
	case rtnl.IsNotExist(err):
		return m.giveUp(slices.Concat(missing, there), errGone)
	case err != nil:
		return nil, err // they stay written down
	}
	if len(there) > 0 {
		m.drop(there)
		m.returnRoutes(index, there)
	}
	if len(missing) == 0 {
		return nil, m.saveDownIf(len(there) > 0)
	}
	return m.tryPutBack(index, missing)
}
