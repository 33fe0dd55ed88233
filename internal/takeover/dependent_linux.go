package takeover

import (
	"errors"
	"slices"
	"syscall"

	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// keepLost narrows the routes of records down to those that went: that were there
// before and are not now. If that cannot be found out, what may have gone stays: to
// add a route that is there does nothing.
func (m *Manager) keepLost(records []record.Address, before []rtnl.RouteImage) {
	left, err := m.conn.RouteImages()
	if err != nil {
		m.log.Error("reading the routes that are left without an address", "error", err)
		return
	}
	there := make(map[rtnl.RouteImage]bool, len(left))
	for _, r := range left {
		there[r] = true
	}
	dependent(records, slices.DeleteFunc(before, func(r rtnl.RouteImage) bool { return there[r] }))
}

// routes returns the routes of all tables, nil if they cannot be read: an address
// that is somebody else's is taken down even so.
func (m *Manager) routes() []rtnl.RouteImage {
	all, err := m.conn.RouteImages()
	if err != nil {
		m.log.Error("reading the routes that may depend on an address", "error", err)
		return nil
	}
	return all
}

// dependent gives each route to one of the addresses that go, if any depends on it:
// that which is its preferred source, else that in whose network its gateway is,
// else the first.
func dependent(all []record.Address, routes []rtnl.RouteImage) {
	if len(all) == 0 {
		return
	}
	for i := range all {
		all[i].Routes = nil
	}
	index := all[0].Index
	for _, image := range routes {
		r := image.Route()
		if r.Protocol == rtnl.ProtocolKernel || isStandIn(r) {
			continue // the kernel makes it again, or isat has made it
		}
		bySource := slices.IndexFunc(all, func(a record.Address) bool { return a.Local == r.PrefSrc })
		here := r.OIF == index || slices.ContainsFunc(r.Hops, func(h rtnl.NextHop) bool { return h.OIF == index })
		to := bySource
		if to < 0 && here {
			to = max(0, slices.IndexFunc(all, func(a record.Address) bool { return r.Gateway.IsValid() && a.Prefix.Contains(r.Gateway) }))
		}
		if to >= 0 {
			all[to].Routes = append(all[to].Routes, []byte(image))
		}
	}
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
			case err != nil && len(chunk) > 1:
				// One of them makes no sense, or they are too long for a datagram.
				for half := range slices.Chunk(chunk, (len(chunk)+1)/2) {
					some, words := m.addRoutes(half)
					missing, why = append(missing, some...), append(why, words...)
				}
			case err != nil:
				missing, why = append(missing, chunk...), append(why, err)
			}
		}
		if len(missing) == 0 || len(missing) == len(tried) {
			return missing, why
		}
	}
}
