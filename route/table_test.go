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

// hosts is where Lookup and LookupOn lead, as "prefix dev interface".
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
