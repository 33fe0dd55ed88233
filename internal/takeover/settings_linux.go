package takeover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
)

// kindNeighParam is the kind of record of a neighbour parameter of an interface:
// net.ipv4.neigh.INTERFACE.KEY.
const kindNeighParam = "neigh-param"

// delayProbe is the delay_first_probe_time that isat sets: the time from the use
// of a STALE entry to the miss that tells of it. The kernel's default of 5 s
// would be the longest part of a validation.
const delayProbe = time.Second

// patience is the least number of requests for which the kernel waits by itself
// before an entry fails; isat fails it at maxtries. After a crash it is how often
// the kernel asks (DESIGN section 4).
const patience = 3

// patienceDAD is that where own addresses are probed: the host does not ask while
// the only address of an interface is not verified, for some 6 s with the slow
// timers (DESIGN section 4).
const patienceDAD = 6

// heldPacket is what the kernel counts for a full Ethernet frame that waits, in
// bytes: SKB_TRUESIZE(ETH_FRAME_LEN) of 64-bit Linux, at most. It bounds its
// queue in bytes only (arp(7), unres_qlen), so of small packets more are held.
const heldPacket = 2304

// wanted returns the neighbour parameters that isat wants on an interface, by
// the names of /proc/sys/net/ipv4/neigh.
func (m *Manager) wanted(name string, dad bool) map[rtnl.NeighParam]uint64 {
	s := m.host.MIB().Settings(name)
	least := patience
	if dad {
		least = patienceDAD
	}
	tries := uint64(max(s.MaxTries, least))
	want := map[rtnl.NeighParam]uint64{
		rtnl.ParamAppProbes:      1, // ask user space first: the miss
		rtnl.ParamUcastProbes:    0,
		rtnl.ParamMcastProbes:    tries,
		rtnl.ParamMcastReprobes:  tries,
		rtnl.ParamDelayProbeTime: uint64(delayProbe / time.Millisecond),
	}
	if m.host.MIB().IsSet("net.link.ether.inet.maxhold", name) {
		want[rtnl.ParamQueueLenBytes] = uint64(s.MaxHold) * heldPacket
	}
	return want
}

// configure records the neighbour parameters of an interface and sets those that
// isat wants.
func (m *Manager) configure(l rtnl.Link, dad bool) error {
	present, err := m.conn.NeighParams(l.Index)
	if err != nil {
		return err
	}
	want := m.wanted(l.Name, dad)
	var records []record.Record
	for p, value := range want {
		if present[p] == value {
			delete(want, p)
			continue
		}
		records = append(records, record.Record{
			Kind: kindNeighParam, Index: l.Index, Name: l.Name, Key: p.String(),
			Old: strconv.FormatUint(present[p], 10), New: strconv.FormatUint(value, 10),
		})
	}
	if err := m.store.Put(records...); err != nil {
		return err
	}
	return m.conn.SetNeighParams(l.Index, want)
}

// restore puts the settings of an interface back.
func (m *Manager) restore(index int) error {
	_, err := restoreSettings(context.Background(), m.store, m.conn, func(r record.Record) bool { return r.Index == index })
	return err
}

// settings reads and writes the settings that records are of.
type settings struct{ conn *rtnl.Conn }

// Interface implements [record.Settings].
func (s settings) Interface(index int) (string, error) {
	l, err := s.conn.Link(index)
	return l.Name, err
}

// Get implements [record.Settings].
func (s settings) Get(r record.Record) (string, error) {
	switch r.Kind {
	case kindRoute:
		return routes(s).get(r)
	case kindLink:
		l, err := s.conn.Link(r.Index)
		return truth(l.Flags&rtnl.LinkUp != 0), err
	}
	p, err := param(r)
	if err != nil {
		return "", err
	}
	present, err := s.conn.NeighParams(r.Index)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(present[p], 10), nil
}

// Set implements [record.Settings].
func (s settings) Set(r record.Record, value string) error {
	switch r.Kind {
	case kindRoute:
		return routes(s).delete(r)
	case kindLink:
		up := value == truth(true)
		return s.conn.SetLink(r.Index, rtnl.LinkSpec{Up: &up})
	}
	p, err := param(r)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return fmt.Errorf("value of %s: %w", r.Key, err)
	}
	return s.conn.SetNeighParams(r.Index, map[rtnl.NeighParam]uint64{p: n})
}

// truth is how a record has what is so or not.
func truth(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// param returns the parameter that a record is of.
func param(r record.Record) (rtnl.NeighParam, error) {
	if r.Kind != kindNeighParam {
		return 0, fmt.Errorf("record of kind %q: this version of isat does not know it", r.Kind)
	}
	for _, p := range []rtnl.NeighParam{
		rtnl.ParamAppProbes, rtnl.ParamUcastProbes, rtnl.ParamMcastProbes, rtnl.ParamMcastReprobes,
		rtnl.ParamDelayProbeTime, rtnl.ParamQueueLenBytes,
	} {
		if p.String() == r.Key {
			return p, nil
		}
	}
	return 0, fmt.Errorf("neighbour parameter %q: this version of isat does not know it", r.Key)
}

// restoreSettings applies records. What failed is an error, after all have been
// tried.
func restoreSettings(ctx context.Context, store *record.Store, conn *rtnl.Conn, match func(record.Record) bool) ([]record.Result, error) {
	results, err := store.Restore(ctx, settings{conn}, match)
	for _, r := range results {
		if r.Outcome == record.Failed {
			err = errors.Join(err, r.Err)
		}
	}
	return results, err
}

// Reconfigure makes the kernel's settings follow the tunables: its patience is
// maxtries.
func (m *Manager) Reconfigure() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range *m.taken.Load() {
		if t.spec.Observe {
			continue
		}
		t.mu.Lock()
		l, dad := t.link, t.spec.DAD
		t.mu.Unlock()
		if err := m.configure(l, dad); err != nil {
			m.log.Error("following a change of the tunables", "interface", l.Name, "error", err)
		}
	}
}
