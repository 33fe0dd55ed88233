package route

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorder keeps the messages of a table as text.
type recorder struct{ lines []string }

func (r *recorder) notify(m Message[int]) {
	s := fmt.Sprintf("%v %v", m.Type, m.Prefix)
	if m.Gateway.IsValid() {
		s += fmt.Sprintf(" via %v", m.Gateway)
	}
	if m.Interface != 0 {
		s += fmt.Sprintf(" dev %d", m.Interface)
	}
	if m.Flags != 0 {
		s += " " + m.Flags.String()
	}
	if m.Entry != nil {
		s += fmt.Sprintf(" entry %d", *m.Entry)
	}
	r.lines = append(r.lines, s)
}

// want compares the messages since the last want.
func (r *recorder) want(t *testing.T, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, r.lines); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	r.lines = nil
}

func newRecorded() (*Table[int], *recorder) {
	r := new(recorder)
	return New(r.notify), r
}

var addr = netip.MustParseAddr

// onLink is a cloning network.
func onLink(prefix string, ifindex int) Spec {
	return Spec{Prefix: netip.MustParsePrefix(prefix), Interface: ifindex, Flags: Cloning}
}

// via is a network behind a gateway.
func via(prefix string, ifindex int, gateway string) Spec {
	return Spec{Prefix: netip.MustParsePrefix(prefix), Interface: ifindex, Gateway: addr(gateway)}
}

// implicit is the implicit network of an interface.
func implicit(ifindex int) Spec {
	s := onLink("0.0.0.0/0", ifindex)
	s.Implicit = true
	return s
}

func (s Spec) metric(m uint32) Spec {
	s.Metric = m
	return s
}

func add(t *testing.T, tab *Table[int], s Spec) *Network[int] {
	t.Helper()
	n, err := tab.Add(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func clone(t *testing.T, n *Network[int], a string, e int, own Flags) {
	t.Helper()
	if err := n.Clone(addr(a), &e, own); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err error, want syscall.Errno) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want one that is %v", err, want)
	}
}

// name is where a lookup led, as "prefix dev interface".
func name(n *Network[int], ok bool) string {
	switch {
	case !ok:
		return "none"
	case n.Implicit:
		return fmt.Sprintf("implicit dev %d", n.Interface)
	}
	return fmt.Sprintf("%v dev %d", n.Prefix, n.Interface)
}

func TestLookup(t *testing.T) {
	tab, _ := newRecorded()
	add(t, tab, onLink("10.0.0.0/8", 1))
	add(t, tab, onLink("10.1.0.0/16", 1))
	add(t, tab, onLink("10.1.0.0/16", 2).metric(10))
	add(t, tab, onLink("192.0.2.0/24", 2))
	add(t, tab, via("10.2.0.0/16", 1, "10.0.0.1"))
	add(t, tab, via("0.0.0.0/0", 2, "192.0.2.1"))
	add(t, tab, onLink("100.64.0.1/32", 3))
	add(t, tab, implicit(2))
	for _, tt := range []struct{ addr, host, on1, on2, on3 string }{
		{"10.0.0.1", "10.0.0.0/8 dev 1", "10.0.0.0/8 dev 1", "implicit dev 2", "none"},
		{"10.1.0.1", "10.1.0.0/16 dev 1", "10.1.0.0/16 dev 1", "10.1.0.0/16 dev 2", "none"},
		{"10.2.0.1", "10.2.0.0/16 dev 1", "10.0.0.0/8 dev 1", "implicit dev 2", "none"},
		{"192.0.2.9", "192.0.2.0/24 dev 2", "none", "192.0.2.0/24 dev 2", "none"},
		{"198.51.100.1", "0.0.0.0/0 dev 2", "none", "implicit dev 2", "none"},
		{"100.64.0.1", "100.64.0.1/32 dev 3", "none", "implicit dev 2", "100.64.0.1/32 dev 3"},
		{"2001:db8::1", "none", "none", "none", "none"},
		{"::ffff:10.0.0.1", "none", "none", "none", "none"},
	} {
		a := addr(tt.addr)
		if got := name(tab.Lookup(a)); got != tt.host {
			t.Errorf("Lookup(%v) = %s, want %s", a, got, tt.host)
		}
		for i, want := range []string{tt.on1, tt.on2, tt.on3, "none"} {
			if got := name(tab.LookupOn(i+1, a)); got != want {
				t.Errorf("LookupOn(%d, %v) = %s, want %s", i+1, a, got, want)
			}
		}
	}
	if got := name(tab.Lookup(netip.Addr{})); got != "none" {
		t.Errorf("Lookup of the zero Addr = %s", got)
	}
}

func TestNextHopOn(t *testing.T) {
	tab, _ := newRecorded()
	add(t, tab, onLink("192.0.2.0/24", 1))
	add(t, tab, via("0.0.0.0/0", 1, "192.0.2.1"))
	add(t, tab, onLink("192.0.2.128/25", 2))
	add(t, tab, via("0.0.0.0/0", 2, "192.0.2.129"))
	add(t, tab, onLink("198.51.100.0/24", 3))
	add(t, tab, Spec{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Flags: Reject})
	for _, tt := range []struct {
		ifindex    int
		dst, route string
		hop        string
	}{
		{1, "192.0.2.7", "192.0.2.0/24 dev 1", "192.0.2.7"},
		{1, "192.0.2.200", "192.0.2.0/24 dev 1", "192.0.2.200"}, // though another interface has a longer prefix
		{2, "192.0.2.200", "192.0.2.128/25 dev 2", "192.0.2.200"},
		{2, "192.0.2.7", "0.0.0.0/0 dev 2", "192.0.2.129"},
		{2, "10.0.0.1", "0.0.0.0/0 dev 2", "192.0.2.129"}, // the second of two
		{3, "192.0.2.7", "none", ""},
		{3, "203.0.113.7", "203.0.113.0/24 dev 0", "203.0.113.7"},
		{4, "192.0.2.7", "none", ""},
	} {
		hop, ok := tab.NextHopOn(tt.ifindex, addr(tt.dst))
		got := ""
		if ok {
			got = hop.Addr.String()
		}
		if got != tt.hop || name(hop.Route, ok) != tt.route {
			t.Errorf("NextHopOn(%d, %s) = %s by %s, want %s by %s", tt.ifindex, tt.dst, got, name(hop.Route, ok), tt.hop, tt.route)
		}
	}
}

func TestNextHop(t *testing.T) {
	tab, _ := newRecorded()
	add(t, tab, onLink("192.0.2.0/24", 1))
	def := add(t, tab, via("0.0.0.0/0", 1, "192.0.2.1"))
	onlink := add(t, tab, onLink("100.64.0.1/32", 2))
	add(t, tab, via("10.0.0.0/8", 2, "100.64.0.1"))
	add(t, tab, implicit(3))
	add(t, tab, via("172.16.0.0/12", 3, "100.64.0.9"))
	add(t, tab, Spec{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Flags: Reject})
	add(t, tab, Spec{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Interface: 9})
	for _, tt := range []struct{ dst, route, network, hop string }{
		{"192.0.2.7", "192.0.2.0/24 dev 1", "192.0.2.0/24 dev 1", "192.0.2.7"},
		{"203.0.113.1", "0.0.0.0/0 dev 1", "192.0.2.0/24 dev 1", "gateway 192.0.2.1"},
		{"100.64.0.1", "100.64.0.1/32 dev 2", "100.64.0.1/32 dev 2", "100.64.0.1"},
		{"10.9.9.9", "10.0.0.0/8 dev 2", "100.64.0.1/32 dev 2", "gateway 100.64.0.1"},
		{"172.16.0.1", "172.16.0.0/12 dev 3", "implicit dev 3", "gateway 100.64.0.9"},
		{"198.51.100.1", "198.51.100.0/24 dev 0", "none", "198.51.100.1"},
		{"127.0.0.1", "127.0.0.0/8 dev 9", "127.0.0.0/8 dev 9", "127.0.0.1"},
	} {
		hop, ok := tab.NextHop(addr(tt.dst))
		got := hop.Addr.String()
		if hop.Gateway {
			got = "gateway " + got
		}
		if !ok || got != tt.hop || name(hop.Route, true) != tt.route || name(hop.Network, hop.Network != nil) != tt.network {
			t.Errorf("NextHop(%s) = %s by %s in %s, %t; want %s by %s in %s", tt.dst, got,
				name(hop.Route, hop.Route != nil), name(hop.Network, hop.Network != nil), ok, tt.hop, tt.route, tt.network)
		}
	}
	// Without the network on its link a gateway leads nowhere, and with it again.
	if err := tab.Delete(onlink); err != nil {
		t.Fatal(err)
	}
	if hop, ok := tab.NextHop(addr("10.9.9.9")); ok {
		t.Errorf("NextHop by a gateway that is not on the link any more = %+v", hop)
	}
	add(t, tab, onLink("100.64.0.0/24", 2))
	if hop, ok := tab.NextHop(addr("10.9.9.9")); !ok || name(hop.Network, true) != "100.64.0.0/24 dev 2" {
		t.Errorf("NextHop by a gateway that is on the link again = %+v, %t", hop, ok)
	}
	if err := tab.Delete(def); err != nil {
		t.Fatal(err)
	}
	if hop, ok := tab.NextHop(addr("203.0.113.1")); ok {
		t.Errorf("NextHop without a default route = %+v", hop)
	}
}

// A gateway that only another gateway leads to is refused: there is one level.
func TestGatewayBehindGateway(t *testing.T) {
	tab, _ := newRecorded()
	add(t, tab, onLink("192.0.2.0/24", 1))
	add(t, tab, via("10.0.0.0/8", 1, "192.0.2.1"))
	_, err := tab.Add(via("172.16.0.0/12", 1, "10.0.0.1"))
	wantErr(t, err, syscall.ENETUNREACH)
	_, err = tab.Add(via("172.16.0.0/12", 1, "172.16.0.1")) // through itself
	wantErr(t, err, syscall.ENETUNREACH)
	_, err = tab.Add(via("172.16.0.0/12", 2, "192.0.2.1")) // on the link of another interface
	wantErr(t, err, syscall.ENETUNREACH)
}

// The same prefix on several interfaces: the lowest metric, then the first added;
// each keeps its own clones.
func TestCoexistence(t *testing.T) {
	tab, _ := newRecorded()
	e0 := add(t, tab, onLink("192.0.2.0/24", 1).metric(10))
	e1 := add(t, tab, onLink("192.0.2.0/24", 2).metric(10))
	e2 := add(t, tab, onLink("192.0.2.0/24", 3).metric(5))
	gw := add(t, tab, via("192.0.2.0/24", 1, "192.0.2.1").metric(20))
	clone(t, e0, "192.0.2.77", 100, 0)
	clone(t, e1, "192.0.2.77", 101, 0)
	a := addr("192.0.2.77")
	for _, n := range []*Network[int]{e2, e0, e1, gw} {
		if got, ok := tab.Lookup(a); got != n {
			t.Errorf("Lookup = %s, want %s metric %d", name(got, ok), name(n, true), n.Metric)
		}
		if n == e1 {
			if c, ok := n.Clones().Get(Key(a)); !ok || *c.Entry != 101 {
				t.Errorf("clone of %v on interface 2: %v, %t", a, c, ok)
			}
		}
		if err := tab.Delete(n); err != nil {
			t.Fatal(err)
		}
	}
	if n, ok := tab.Lookup(a); ok {
		t.Errorf("Lookup in an empty table = %s", name(n, ok))
	}
	for n := range tab.Networks() {
		t.Errorf("an empty table lists %s", name(n, true))
	}
}

func TestAddErrors(t *testing.T) {
	tab, rec := newRecorded()
	add(t, tab, onLink("192.0.2.0/24", 1))
	add(t, tab, via("0.0.0.0/0", 1, "192.0.2.1"))
	add(t, tab, implicit(1))
	rec.lines = nil
	p := netip.MustParsePrefix
	for _, tt := range []struct {
		name string
		spec Spec
		want syscall.Errno
	}{
		{"zero", Spec{}, syscall.EINVAL},
		{"IPv6", onLink("2001:db8::/32", 1), syscall.EINVAL},
		{"mapped", onLink("::ffff:10.0.0.0/104", 1), syscall.EINVAL},
		{"host bits", onLink("10.0.0.1/8", 1), syscall.EINVAL},
		{"no interface", onLink("10.0.0.0/8", 0), syscall.EINVAL},
		{"negative interface", Spec{Prefix: p("10.0.0.0/8"), Interface: -1, Flags: Reject}, syscall.EINVAL},
		{"cloning via gateway", Spec{Prefix: p("10.0.0.0/8"), Interface: 1, Gateway: addr("192.0.2.1"), Flags: Cloning}, syscall.EINVAL},
		{"IPv6 gateway", via("10.0.0.0/8", 1, "fe80::1"), syscall.EINVAL},
		{"gateway 0.0.0.0", via("10.0.0.0/8", 1, "0.0.0.0"), syscall.EINVAL},
		{"multicast gateway", via("10.0.0.0/8", 1, "224.0.0.1"), syscall.EINVAL},
		{"flag without gateway", Spec{Prefix: p("10.0.0.0/8"), Interface: 1, Flags: Gateway}, syscall.EINVAL},
		{"IPv6 source", Spec{Prefix: p("10.0.0.0/8"), Interface: 1, Source: addr("::1")}, syscall.EINVAL},
		{"clone's flag", Spec{Prefix: p("10.0.0.0/8"), Interface: 1, Flags: WasCloned}, syscall.EINVAL},
		{"cloning and reject", Spec{Prefix: p("10.0.0.0/8"), Interface: 1, Flags: Cloning | Reject}, syscall.EINVAL},
		{"blackhole via gateway", Spec{Prefix: p("10.0.0.0/8"), Interface: 1, Gateway: addr("192.0.2.1"), Flags: Blackhole}, syscall.EINVAL},
		{"implicit prefix", Spec{Prefix: p("10.0.0.0/8"), Interface: 2, Flags: Cloning, Implicit: true}, syscall.EINVAL},
		{"implicit not cloning", Spec{Prefix: p("0.0.0.0/0"), Interface: 2, Implicit: true}, syscall.EINVAL},
		{"gateway elsewhere", via("10.0.0.0/8", 2, "192.0.2.1"), syscall.ENETUNREACH},
		{"same", onLink("192.0.2.0/24", 1).metric(9), syscall.EEXIST},
		{"same gateway", via("0.0.0.0/0", 1, "192.0.2.1").metric(9), syscall.EEXIST},
		{"same implicit", implicit(1), syscall.EEXIST},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tab.Add(tt.spec)
			wantErr(t, err, tt.want)
		})
	}
	rec.want(t)
	add(t, tab, via("0.0.0.0/0", 1, "192.0.2.2")) // another gateway is another route
	add(t, tab, onLink("0.0.0.0/0", 1))           // so is none; it covers the implicit network
	rec.want(t, "add 0.0.0.0/0 via 192.0.2.2 dev 1 UG", "add 0.0.0.0/0 dev 1 UC")
}

// The life of two networks, as messages.
func TestMessages(t *testing.T) {
	tab, rec := newRecorded()
	wide := add(t, tab, onLink("10.0.0.0/8", 1))
	other := add(t, tab, onLink("10.0.0.0/8", 2))
	imp := add(t, tab, implicit(1))
	add(t, tab, via("0.0.0.0/0", 1, "10.0.0.1"))
	rec.want(t, "add 10.0.0.0/8 dev 1 UC", "add 10.0.0.0/8 dev 2 UC",
		"add 0.0.0.0/0 via 10.0.0.1 dev 1 UG")

	clone(t, wide, "10.1.0.1", 1, 0)
	clone(t, other, "10.1.0.1", 2, 0)
	clone(t, wide, "10.2.0.1", 3, Static)
	clone(t, imp, "100.64.0.1", 4, Static|Announce)
	wide.Resolve(addr("10.1.0.1"))
	if err := wide.Change(addr("10.1.0.1"), Proto1); err != nil {
		t.Error(err)
	}
	tab.Miss(addr("203.0.113.1"))
	rec.want(t, "add 10.1.0.1/32 dev 1 UHLW entry 1", "add 10.1.0.1/32 dev 2 UHLW entry 2",
		"add 10.2.0.1/32 dev 1 UHLS entry 3", "add 100.64.0.1/32 dev 1 ULS2 entry 4",
		"resolve 10.1.0.1/32 dev 1 UHLW entry 1", "change 10.1.0.1/32 dev 1 UHL1W entry 1",
		"miss 203.0.113.1/32")

	// A longer prefix takes its addresses from the shorter one of its interface
	// only, and an on-link default route takes the rest.
	narrow := add(t, tab, onLink("10.1.0.0/16", 1))
	rec.want(t, "delete 10.1.0.1/32 dev 1 UHL1W entry 1", "add 10.1.0.0/16 dev 1 UC")
	def := add(t, tab, onLink("0.0.0.0/0", 1))
	rec.want(t, "delete 100.64.0.1/32 dev 1 ULS2 entry 4", "add 0.0.0.0/0 dev 1 UC")

	clone(t, narrow, "10.1.0.1", 5, 0)
	e := 6
	wantErr(t, narrow.Clone(addr("10.1.0.1"), &e, 0), syscall.EEXIST)
	wantErr(t, wide.Clone(addr("10.1.0.1"), &e, 0), syscall.ENETUNREACH)
	wantErr(t, imp.Clone(addr("100.64.0.1"), &e, 0), syscall.ENETUNREACH)
	wantErr(t, wide.Clone(addr("11.0.0.1"), &e, 0), syscall.EINVAL)
	wantErr(t, wide.Clone(addr("10.3.0.1"), nil, 0), syscall.EINVAL)
	wantErr(t, def.Clone(addr("0.0.0.0"), &e, 0), syscall.EINVAL)
	wantErr(t, def.Clone(addr("2001:db8::1"), &e, 0), syscall.EINVAL)
	wantErr(t, wide.Remove(addr("10.1.0.1")), syscall.ESRCH)
	wantErr(t, wide.Change(addr("10.1.0.1"), 0), syscall.ESRCH)
	wide.Resolve(addr("10.1.0.1"))
	rec.want(t, "add 10.1.0.1/32 dev 1 UHLW entry 5")

	if err := narrow.Remove(addr("10.1.0.1")); err != nil {
		t.Error(err)
	}
	rec.want(t, "delete 10.1.0.1/32 dev 1 UHLW entry 5")
	if err := tab.Delete(wide); err != nil {
		t.Error(err)
	}
	rec.want(t, "delete 10.2.0.1/32 dev 1 UHLS entry 3", "delete 10.0.0.0/8 dev 1 UC")
	wantErr(t, tab.Delete(wide), syscall.ESRCH)
	wantErr(t, wide.Clone(addr("10.2.0.1"), &e, 0), syscall.ENETUNREACH)

	clone(t, narrow, "10.1.0.9", 7, 0)
	rec.lines = nil
	tab.DeleteInterface(1)
	rec.want(t, "delete 0.0.0.0/0 via 10.0.0.1 dev 1 UG", "delete 0.0.0.0/0 dev 1 UC",
		"delete 10.1.0.9/32 dev 1 UHLW entry 7", "delete 10.1.0.0/16 dev 1 UC")
	if n, ok := tab.LookupOn(1, addr("10.1.0.1")); ok {
		t.Errorf("LookupOn a deleted interface = %s", name(n, ok))
	}
	if c, ok := other.Clones().Get(Key(addr("10.1.0.1"))); !ok || *c.Entry != 2 {
		t.Errorf("the clone of the other interface: %v, %t", c, ok)
	}
	tab.DeleteInterface(1)
	rec.want(t)
}

func TestChange(t *testing.T) {
	tab, rec := newRecorded()
	n := add(t, tab, onLink("192.0.2.0/24", 1))
	o := add(t, tab, onLink("192.0.2.0/24", 2))
	clone(t, n, "192.0.2.9", 1, 0)
	gw := add(t, tab, via("0.0.0.0/0", 1, "192.0.2.1"))
	add(t, tab, via("0.0.0.0/0", 1, "192.0.2.2"))
	rec.lines = nil

	spec := n.Spec
	spec.Source, spec.Metric = addr("192.0.2.3"), 7
	m, err := tab.Change(n, spec)
	if err != nil {
		t.Fatal(err)
	}
	rec.want(t, "change 192.0.2.0/24 dev 1 UC")
	if got, ok := tab.Lookup(addr("192.0.2.9")); got != o {
		t.Errorf("Lookup after the metric rose = %s", name(got, ok))
	}
	if got, ok := tab.LookupOn(1, addr("192.0.2.9")); got != m || m.Source != spec.Source {
		t.Errorf("LookupOn = %s", name(got, ok))
	}
	if err := n.Remove(addr("192.0.2.9")); err != nil { // by whoever holds the old one
		t.Error(err)
	}
	clone(t, n, "192.0.2.10", 2, 0)
	if m.Clones().Len() != 1 {
		t.Errorf("%d clones, want 1", m.Clones().Len())
	}
	rec.lines = nil

	other := gw.Spec
	other.Gateway = addr("192.0.2.2")
	_, err = tab.Change(gw, other)
	wantErr(t, err, syscall.EEXIST)
	other.Gateway = addr("10.0.0.1")
	_, err = tab.Change(gw, other)
	wantErr(t, err, syscall.ENETUNREACH)
	other.Gateway = netip.Addr{}
	other.Flags = Cloning
	_, err = tab.Change(gw, other)
	wantErr(t, err, syscall.EINVAL)
	_, err = tab.Change(n, spec) // n is out of the table
	wantErr(t, err, syscall.ESRCH)
	_, err = tab.Change(m, Spec{})
	wantErr(t, err, syscall.EINVAL)
	rec.want(t)
	other = gw.Spec
	other.Gateway = addr("192.0.2.3")
	if _, err := tab.Change(gw, other); err != nil {
		t.Error(err)
	}
	rec.want(t, "change 0.0.0.0/0 via 192.0.2.3 dev 1 UG")
}

func TestNetworks(t *testing.T) {
	tab, _ := newRecorded()
	add(t, tab, onLink("192.0.2.0/24", 2).metric(1))
	add(t, tab, onLink("192.0.2.0/24", 1))
	add(t, tab, via("0.0.0.0/0", 1, "192.0.2.1"))
	add(t, tab, onLink("10.0.0.0/16", 1))
	add(t, tab, onLink("10.0.0.0/8", 1))
	add(t, tab, implicit(1))
	var got []string
	for n := range tab.Networks() {
		got = append(got, name(n, true))
	}
	want := []string{"0.0.0.0/0 dev 1", "10.0.0.0/8 dev 1", "10.0.0.0/16 dev 1", "192.0.2.0/24 dev 1", "192.0.2.0/24 dev 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
	for range tab.Networks() {
		break // an iterator that is stopped must not go on
	}
	gw, ok := tab.Get(netip.MustParsePrefix("0.0.0.0/0"), 1, addr("192.0.2.1"))
	if !ok || gw.Gateway != addr("192.0.2.1") {
		t.Errorf("Get = %v, %t", gw, ok)
	}
	if n, ok := tab.Get(netip.MustParsePrefix("0.0.0.0/0"), 1, netip.Addr{}); ok {
		t.Errorf("Get found %s", name(n, ok))
	}
}
