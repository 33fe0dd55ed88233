package host_test

import (
	"context"
	"net/netip"
	"sync"
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
	// sent has every ARP packet on the segment. mu guards it: the host that sends
	// next does not know that forget was called.
	mu   sync.Mutex
	sent []sentARP
	// unchecked lets frames pass that are no ARP packets.
	unchecked bool
}

type sentARP struct {
	at    time.Time
	to    lladdr.Addr
	from  lladdr.Addr // of the frame
	arp   arp.Packet
	frame []byte
}

// onLAN runs a test on a segment in virtual time.
func onLAN(t *testing.T, test func(*lan)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLAN(t)
		defer l.seg.Close()
		test(l)
	})
}

// newLAN returns a segment without hosts, for use in a bubble.
func newLAN(t *testing.T) *lan {
	l := &lan{t: t, seg: segment.New(segment.Options{})}
	l.seg.Tap(func(at time.Time, frame []byte) {
		h, payload, err := link.Ethernet{}.Parse(frame)
		if err != nil {
			if !l.unchecked {
				t.Errorf("a host sent a bad frame: %v", err)
			}
			return
		}
		if h.Type != link.TypeARP {
			return
		}
		p, err := arp.Parse(payload)
		if err != nil {
			if !l.unchecked {
				t.Errorf("a host sent a bad packet: %v", err)
			}
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sent = append(l.sent, sentARP{at, h.Destination, h.Source, p, append([]byte(nil), frame...)})
	})
	return l
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
	n := l.still(host.Config{}, mac, address, change...)
	n.run(l.t)
	return n
}

// still is host without running it.
func (l *lan) still(config host.Config, mac, address string, change ...func(*host.InterfaceConfig)) *node {
	l.t.Helper()
	m := lladdr.MustParse(mac)
	n := &node{Host: host.New(config), port: l.seg.Port(m), mac: m}
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
	return n
}

// run runs the host until the test ends or the returned function is called.
func (n *node) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// stranger is somebody on the segment who sends what the test says.
type stranger struct {
	l    *lan
	port *segment.Port
	mac  lladdr.Addr
}

func (l *lan) stranger(mac string) *stranger {
	m := lladdr.MustParse(mac)
	return &stranger{l, l.seg.Port(m), m}
}

// frame sends a frame with an ARP packet, whose hardware and protocol type and
// sender are filled in unless they are set.
func (s *stranger) send(to lladdr.Addr, p arp.Packet) {
	s.l.t.Helper()
	p = s.fill(p)
	s.raw(link.Ethernet{}.Append(nil, link.Header{Destination: to, Source: s.mac, Type: link.TypeARP}, p.AppendTo(nil)))
}

func (s *stranger) fill(p arp.Packet) arp.Packet {
	if p.HardwareType == 0 {
		p.HardwareType = arp.Ethernet
	}
	if p.ProtocolType == 0 {
		p.ProtocolType = arp.ProtocolIPv4
	}
	if !p.SenderHW.IsValid() {
		p.SenderHW = s.mac
	}
	return p
}

func (s *stranger) raw(frame []byte) {
	s.l.t.Helper()
	if _, err := s.port.WriteFrames([][]byte{frame}); err != nil {
		s.l.t.Fatal(err)
	}
	synctest.Wait()
}

// ask broadcasts a who-has.
func (s *stranger) ask(target, sender string) {
	s.l.t.Helper()
	s.send(lladdr.Broadcast(), arp.Packet{Operation: arp.Request, SenderIP: ip(sender), TargetIP: ip(target)})
}

// answer sends an is-at to a host.
func (s *stranger) answer(to *node, sender string) {
	s.l.t.Helper()
	s.send(to.mac, arp.Packet{Operation: arp.Reply, SenderIP: ip(sender), TargetHW: to.mac, TargetIP: to.ip})
}

// from returns what a host has sent since the last call of forget.
func (l *lan) from(n *node) (all []sentARP) {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		if s.from == n.mac {
			all = append(all, s)
		}
	}
	return all
}

func (l *lan) forget() {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = nil
}

// entry returns the entry of an address, which is the only one.
func (n *node) entry(t *testing.T, address string) host.Entry {
	t.Helper()
	synctest.Wait()
	all := n.Entry(ip(address))
	if len(all) != 1 {
		t.Fatalf("%d entries of %s, want one: %+v", len(all), address, all)
	}
	return all[0]
}

// none fails the test if there is an entry of the address.
func (n *node) none(t *testing.T, address string) {
	t.Helper()
	synctest.Wait()
	if all := n.Entry(ip(address)); len(all) != 0 {
		t.Errorf("there is an entry of %s: %+v", address, all)
	}
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
	l.mu.Lock()
	defer l.mu.Unlock()
	var at []time.Time
	for _, s := range l.sent {
		if s.arp.Operation == arp.Request && s.arp.TargetIP == target && s.arp.SenderIP != target {
			at = append(at, s.at)
		}
	}
	return at
}
