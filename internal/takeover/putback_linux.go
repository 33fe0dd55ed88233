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
// with the routes that went with them. What it cannot put back, or must not because
// somebody has added the address meanwhile, is forgotten. mu is held.
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
	var results []putResult
	var back []rtnl.Addr
	var order [][]netip.Prefix
	var touched, missing []record.Address
	there := make(map[netip.Addr]bool, len(all))
	for _, a := range all {
		there[a.Local] = true
	}
	for _, d := range free {
		if there[d.Local] {
			touched = append(touched, d)
			continue
		}
		missing = append(missing, d)
		back, order = append(back, addrOfRecord(d)), append(order, d.Order)
	}
	errs := make([]error, 1, 4)
	results, errs[0] = m.giveUp(touched, errAddedAgain)
	if len(missing) == 0 {
		return results, errs[0]
	}
	steps, placed := plan(now, back, order)
	refused, err := m.walk(index, steps)
	if err != nil {
		return results, errors.Join(errs[0], err)
	}
	var returned []record.Address
	for _, d := range missing {
		if why := refused[prefixOf(addrOfRecord(d))]; why != nil {
			some, err := m.giveUp([]record.Address{d}, why)
			results, errs = append(results, some...), append(errs, err)
			continue
		}
		returned = append(returned, d)
		results = append(results, putResult{Address: d, placed: placed})
	}
	m.drop(returned)
	m.returnRoutes(index, returned)
	return results, errors.Join(append(errs, m.saveDown())...)
}

// walkChunk is how many steps go in one datagram, beside what has to be around them.
const walkChunk = 600

// walk makes the steps, in one datagram if there are not very many, so that an
// address that changes its place is away for some microseconds. It returns what the
// kernel said of those that it did not add.
func (m *Manager) walk(index int, steps []step) (refused map[netip.Prefix]error, err error) {
	var moved []rtnl.Addr
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
			if i := f.Index - offset; i < 0 || i >= len(chunk) {
				m.log.Error("making room for addresses", "error", f.Err)
			} else if !chunk[i].remove {
				refused[prefixOf(chunk[i].addr)] = f.Err
			}
		}
	}
	return refused, nil
}

// returnRoutes adds the routes again that went with addresses which are back, and
// those that others left which are still down, as far as the kernel can have them
// now. mu is held.
func (m *Manager) returnRoutes(index int, returned []record.Address) {
	var still []*record.Address
	for i := range m.down {
		if m.down[i].Index == index {
			still = append(still, &m.down[i])
		}
	}
	var images []rtnl.RouteImage
	add := func(routes [][]byte, mine bool) {
		for _, b := range routes {
			image := rtnl.RouteImage(b)
			if (mine || !image.Route().PrefSrc.IsValid()) && !slices.Contains(images, image) {
				images = append(images, image)
			}
		}
	}
	for _, d := range returned {
		add(d.Routes, true)
	}
	for _, d := range still {
		add(d.Routes, false)
	}
	missing, why := m.addRoutes(images)
	for _, d := range still {
		d.Routes = slices.DeleteFunc(d.Routes, func(b []byte) bool {
			image := rtnl.RouteImage(b)
			return slices.Contains(images, image) && !slices.Contains(missing, image)
		})
	}
	for i, image := range missing {
		inWait := slices.ContainsFunc(still, func(d *record.Address) bool {
			return slices.ContainsFunc(d.Routes, func(b []byte) bool { return rtnl.RouteImage(b) == image })
		})
		switch {
		case inWait:
		case len(still) > 0:
			still[0].Routes = append(still[0].Routes, []byte(image))
		default:
			m.log.Warn("a route that went with an address is not added again", "route", image.Route().Dst, "error", why[i])
		}
	}
}

// addRoutes adds routes, and returns those that the kernel does not take, with what
// it says. One may need another to reach its gateway, so it is tried as long as some
// are added.
func (m *Manager) addRoutes(images []rtnl.RouteImage) (missing []rtnl.RouteImage, why []error) {
	missing = images
	for {
		tried := missing
		missing, why = nil, nil
		for chunk := range slices.Chunk(tried, walkChunk) {
			ops := make([]rtnl.Op, 0, len(chunk))
			for _, image := range chunk {
				ops = append(ops, rtnl.AddImageOp(image))
			}
			err := m.conn.Apply(ops...)
			var batch *rtnl.BatchError
			switch {
			case errors.As(err, &batch):
				for _, f := range batch.Failed {
					if !errors.Is(f.Err, syscall.EEXIST) {
						missing, why = append(missing, chunk[f.Index]), append(why, f.Err)
					}
				}
			case err != nil:
				m.log.Error("adding routes again", "error", err)
			}
		}
		if len(missing) == 0 || len(missing) == len(tried) {
			return missing, why
		}
	}
}

// putAllBack puts back what is down of an interface whose addresses isat looks
// after no more. mu is held.
func (m *Manager) putAllBack(index int) error {
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
	if m.nameOf(index) == "" {
		return m.giveUp(slices.Concat(missing, there), errGone)
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

// drop takes addresses off the list of those that are down. mu is held.
func (m *Manager) drop(list []record.Address) {
	dropped := make(map[identity]bool, len(list))
	for _, d := range list {
		dropped[identityOf(d)] = true
		delete(m.unsettled, downKey{d.Index, d.Local})
	}
	m.down = slices.DeleteFunc(m.down, func(d record.Address) bool { return dropped[identityOf(d)] })
}

// giveUp drops addresses that will not be put back, and tells the host so, unless
// the interface itself has them again: then the host sees for itself. mu is held.
func (m *Manager) giveUp(list []record.Address, why error) ([]putResult, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m.drop(list)
	var results []putResult
	for _, d := range list {
		results = append(results, putResult{Address: d, err: why})
		a := m.addressed[d.Index]
		if a == nil {
			continue
		}
		own, err := m.conn.Addrs(d.Index)
		if err != nil || !slices.ContainsFunc(own, func(k rtnl.Addr) bool { return k.Local == d.Local }) {
			a.ifc.Forsake(d.Local)
		}
	}
	return results, m.saveDown()
}

// saveDownIf is saveDown if something has changed.
func (m *Manager) saveDownIf(changed bool) error {
	if !changed {
		return nil
	}
	return m.saveDown()
}

// touched follows a change of an address by somebody else: one that was taken down
// and is added again, on whichever interface, is theirs from then on. mu is held.
func (m *Manager) touched(c rtnl.AddrChange) {
	if len(m.down) == 0 {
		return
	}
	own := c.PortID == m.conn.PortID()
	if own && c.Deleted {
		// What was told before this is older than the taking down.
		delete(m.unsettled, downKey{c.Addr.Index, c.Addr.Local})
	}
	if !own && !c.Deleted {
		m.overtaken([]rtnl.Addr{c.Addr})
	}
}

// overtaken forgets what was taken down and is among addresses that the kernel has.
// mu is held.
func (m *Manager) overtaken(addrs []rtnl.Addr) {
	if len(m.down) == 0 {
		return
	}
	there := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		there[a.Local] = true
	}
	var theirs []record.Address
	for _, d := range m.down {
		if there[d.Local] && !d.InterfaceDown && !m.unsettled[downKey{d.Index, d.Local}] {
			theirs = append(theirs, d)
		}
	}
	results, err := m.giveUp(theirs, errAddedAgain)
	for _, r := range results {
		m.log.Info("isat: " + r.String())
	}
	if err != nil {
		m.log.Error("writing down what is taken down", "error", err)
	}
}
