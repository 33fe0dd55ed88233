package host_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// modelEntry is an entry as the model has it.
type modelEntry struct {
	mac       lladdr.Addr // the zero Addr is the interface's own
	publish   host.Publish
	action    host.Action
	permanent bool
}

// ordered reports whether an administrator said more than where the owner is.
func (e modelEntry) ordered() bool { return e.publish != host.Unpublished || e.action != host.Forward }

// publishModel is a host with the ordinary and the published-only entries that it
// should have.
type publishModel struct {
	*rapid.T
	station  *station
	mac      lladdr.Addr
	up       bool
	own      map[netip.Addr]bool
	ordinary map[netip.Addr]modelEntry
	only     map[netip.Addr]modelEntry
}

var modelAddrs = []netip.Addr{ip("192.0.2.9"), ip("192.0.2.10"), ip("192.0.2.11")}

// TestPublishedModel: whatever is set, deleted, heard and changed, ordinary and
// published-only entries do not touch each other, and who is listed, answered for,
// sent to and announced follows from them.
func TestPublishedModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &publishModel{
			T: rt, station: onMedium(t, link.Ethernet{}, macHost), mac: lladdr.MustParse(macHost), up: true,
			own: map[netip.Addr]bool{}, ordinary: map[netip.Addr]modelEntry{}, only: map[netip.Addr]modelEntry{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":                 func(*rapid.T) { m.check() },
			"set":              func(*rapid.T) { m.set() },
			"delete":           func(*rapid.T) { m.delete() },
			"delete published": func(*rapid.T) { m.deletePublished() },
			"flush":            func(*rapid.T) { m.flush() },
			"hear":             func(*rapid.T) { m.hear() },
			"link":             func(*rapid.T) { m.link() },
			"own address":      func(*rapid.T) { m.ownAddress() },
			"own MAC":          func(*rapid.T) { m.ownMAC() },
		})
	})
}

func (m *publishModel) drawAddr() netip.Addr { return rapid.SampledFrom(modelAddrs).Draw(m.T, "ip") }

// drawMAC draws an address; others than the host's own are heard.
func (m *publishModel) drawMAC(also ...string) lladdr.Addr {
	return lladdr.MustParse(rapid.SampledFrom(append(also, macPeer, macThird)).Draw(m.T, "mac"))
}

// addr returns the link-layer address of an entry.
func (m *publishModel) addr(e modelEntry) lladdr.Addr {
	if e.mac.IsValid() {
		return e.mac
	}
	return m.mac
}

func (m *publishModel) set() {
	a := m.drawAddr()
	e := modelEntry{
		publish:   rapid.SampledFrom([]host.Publish{host.Unpublished, host.Published, host.PublishedOnly}).Draw(m.T, "publish"),
		action:    rapid.SampledFrom([]host.Action{host.Forward, host.Reject, host.Blackhole}).Draw(m.T, "action"),
		permanent: rapid.Bool().Draw(m.T, "permanent"),
	}
	if e.publish == host.Unpublished || rapid.Bool().Draw(m.T, "with an address") {
		e.mac = m.drawMAC(macHost)
	}
	table := m.ordinary
	if e.publish == host.PublishedOnly {
		table = m.only
	}
	old, there := table[a]
	m.station.sent()
	created, err := m.station.Set(host.Change{IP: a, MAC: e.mac, Publish: e.publish, Action: e.action, Temporary: !e.permanent, Origin: host.Administrator})
	if m.own[a] {
		if !errors.Is(err, syscall.EPERM) {
			m.Errorf("setting an own address: %v", err)
		}
		return
	}
	if err != nil || created == there {
		m.Errorf("set %+v: created %v, error %v", e, created, err)
	}
	table[a] = e
	want := 0
	if e.publish != host.Unpublished && m.up && (!there || old.publish == host.Unpublished || m.addr(old) != m.addr(e)) {
		want = 1
	}
	if got := len(m.station.sent()); got != want {
		m.Errorf("%d announcements of %+v, which was %+v, want %d", got, e, old, want)
	}
}

func (m *publishModel) delete() {
	a := m.drawAddr()
	err := m.station.Delete("", a)
	_, ordinary := m.ordinary[a]
	_, only := m.only[a]
	switch {
	case m.own[a]:
		if !errors.Is(err, syscall.EPERM) {
			m.Errorf("deleting an own address: %v", err)
		}
	case ordinary:
		delete(m.ordinary, a)
	default:
		delete(m.only, a)
	}
	if !m.own[a] && (err == nil) != (ordinary || only) {
		m.Errorf("deleting %v: %v", a, err)
	}
}

func (m *publishModel) deletePublished() {
	a := m.drawAddr()
	_, only := m.only[a]
	if err := m.station.DeletePublished("e0", a); (err == nil) != only {
		m.Errorf("deleting the published entry of %v: %v", a, err)
	}
	delete(m.only, a)
}

func (m *publishModel) flush() {
	if got, want := len(m.station.Flush("e0")), len(m.ordinary)+len(m.only); got != want {
		m.Errorf("flushed %d entries, want %d", got, want)
	}
	clear(m.ordinary)
	clear(m.only)
}

// hear lets a station ask the host.
func (m *publishModel) hear() {
	a, mac := m.drawAddr(), m.drawMAC()
	m.station.hear(link.SourceRoute{}, arp.Packet{Operation: arp.Request, SenderHW: mac, SenderIP: a, TargetIP: ip("192.0.2.1")})
	if e := m.ordinary[a]; m.up && !m.own[a] && !e.permanent && !e.ordered() {
		m.ordinary[a] = modelEntry{mac: mac}
	}
}

// dropDynamic is what happens to entries with the link.
func (m *publishModel) dropDynamic() {
	for a, e := range m.ordinary {
		if !e.permanent && !e.ordered() {
			delete(m.ordinary, a)
		}
	}
}

func (m *publishModel) link() {
	m.up = !m.up
	m.station.ifc.SetRunning(m.up)
	if !m.up {
		m.dropDynamic()
	}
}

func (m *publishModel) ownAddress() {
	a := m.drawAddr()
	m.own[a] = !m.own[a]
	addresses := []host.Address{{Prefix: prefix("192.0.2.1/24")}}
	for _, a := range modelAddrs {
		if m.own[a] {
			addresses = append(addresses, host.Address{Prefix: netip.PrefixFrom(a, 24)})
		}
	}
	if err := m.station.ifc.SetAddresses(addresses); err != nil {
		m.Error(err)
	}
	if m.own[a] {
		delete(m.ordinary, a)
		delete(m.only, a)
	}
}

func (m *publishModel) ownMAC() {
	mac := lladdr.MustParse(rapid.SampledFrom([]string{macHost, "02:00:00:00:00:aa"}).Draw(m.T, "own MAC"))
	if mac == m.mac {
		return
	}
	if err := m.station.ifc.SetMAC(mac); err != nil {
		m.Error(err)
	}
	m.mac = mac
	m.dropDynamic()
}

// check compares the host with the model.
func (m *publishModel) check() {
	for _, a := range modelAddrs {
		var want, got []string
		ordinary, isOrdinary := m.ordinary[a]
		only, isOnly := m.only[a]
		answer := lladdr.Addr{}
		switch {
		case m.own[a]:
			want = append(want, fmt.Sprint(m.mac, host.Unpublished, host.Forward, true))
			answer = m.mac
		case isOnly:
			answer = m.addr(only)
		case isOrdinary && ordinary.publish == host.Published:
			answer = m.addr(ordinary)
		}
		if isOrdinary {
			want = append(want, fmt.Sprint(m.addr(ordinary), ordinary.publish, ordinary.action, ordinary.permanent))
		}
		if isOnly {
			want = append(want, fmt.Sprint(m.addr(only), only.publish, only.action, only.permanent))
		}
		for _, e := range m.station.Entry(a) {
			got = append(got, fmt.Sprint(e.MAC, e.Publish, e.Action, e.State == cache.Permanent))
		}
		if !slices.Equal(got, want) {
			m.Errorf("entries of %v: %q, want %q", a, got, want)
		}
		e, err := m.station.Explain(m.Context(), proxy.Request{
			Interface: "e0", SenderMAC: lladdr.MustParse("02:00:00:00:00:50"), SenderIP: ip("192.0.2.50"), TargetIP: a,
		})
		if err != nil || e.Decision.MAC != answer && m.up {
			m.Errorf("%v is answered with %v, error %v, want %v\n%s", a, e.Decision.MAC, err, answer, e.Explain())
		}
		mac, usable := m.station.Lookup(a)
		if want := isOrdinary && ordinary.action == host.Forward; usable != want || usable && mac != m.addr(ordinary) {
			m.Errorf("packets to %v go to %v, %v; the entry is %+v", a, mac, usable, ordinary)
		}
	}
}
