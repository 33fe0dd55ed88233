package host_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// lan is a segment with hosts in a bubble of virtual time.
type lan struct {
	t   *testing.T
	seg *segment.Segment
	// sent has every ARP packet on the segment.
	sent []sentARP
}

type sentARP struct {
	at  time.Time
	to  lladdr.Addr
	arp arp.Packet
}

// onLAN runs a test on a segment in virtual time.
func onLAN(t *testing.T, test func(*lan)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lan{t: t, seg: segment.New(segment.Options{})}
		l.seg.Tap(func(at time.Time, frame []byte) {
			h, payload, err := link.Ethernet{}.Parse(frame)
			if err != nil {
				t.Errorf("a host sent a bad frame: %v", err)
				return
			}
			if h.Type != link.TypeARP {
				return
			}
			p, err := arp.Parse(payload)
			if err != nil {
				t.Errorf("a host sent a bad packet: %v", err)
				return
			}
			l.sent = append(l.sent, sentARP{at, h.Destination, p})
		})
		defer l.seg.Close()
		test(l)
	})
}

// node is a host on the segment.
type node struct {
	*host.Host
	ifc  *host.Interface
	port *segment.Port
	mac  lladdr.Addr
	ip   netip.Addr
	got  [][]byte // IPv4 packets that came in
}

// host attaches a host with an address such as 192.0.2.1/24 and runs it until
// the test ends.
func (l *lan) host(mac, address string, change ...func(*host.InterfaceConfig)) *node {
	l.t.Helper()
	m := lladdr.MustParse(mac)
	n := &node{Host: host.New(host.Config{}), port: l.seg.Port(m), mac: m}
	c := host.InterfaceConfig{Name: "e0", Index: 1, MAC: m, Port: n.port}
	if address != "" {
		prefix := netip.MustParsePrefix(address)
		n.ip = prefix.Addr()
		c.Addresses = []host.Address{{Prefix: prefix}}
	}
	c.Deliver = func(p []byte) { n.got = append(n.got, append([]byte(nil), p...)) }
	for _, f := range change {
		f(&c)
	}
	var err error
	if n.ifc, err = n.Attach(c); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	return n
}

// set sets a tunable of net.link.ether.inet.
func (n *node) set(t *testing.T, name string, value int64) {
	t.Helper()
	if err := n.MIB().Set("net.link.ether.inet."+name, "", value); err != nil {
		t.Fatal(err)
	}
}

// count returns how many events of a type there were.
func (n *node) count(kind event.Type) int { return len(n.seen(kind)) }

func (n *node) seen(kind event.Type) []event.Event {
	r := n.Events().Reader(0)
	var all []event.Event
	for {
		e, ok := r.TryNext()
		if !ok {
			return all
		}
		if e.Type == kind {
			all = append(all, e)
		}
	}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// packet returns an IPv4 packet to an address with one byte of data.
func packet(to netip.Addr, data byte) []byte {
	p := make([]byte, 21)
	p[0] = 0x45
	b := to.As4()
	copy(p[16:20], b[:])
	p[20] = data
	return p
}

// requests returns when who-has for target was sent.
func (l *lan) requests(target netip.Addr) []time.Time {
	synctest.Wait()
	var at []time.Time
	for _, s := range l.sent {
		if s.arp.Operation == arp.Request && s.arp.TargetIP == target && s.arp.SenderIP != target {
			at = append(at, s.at)
		}
	}
	return at
}
