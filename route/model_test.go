package route

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is the table as one would write it without a thought of speed: a list of
// networks in the order of their addition and a map of clones.
type model struct {
	networks []*Network[int] // only Spec is looked at
	clones   map[modelKey]int
}

type modelKey struct {
	ifindex int
	addr    netip.Addr
}

// best returns the network with the longest prefix, then the lowest metric, then
// the first one, of those that match; nil if none does.
func (m *model) best(match func(*Network[int]) bool) *Network[int] {
	var best *Network[int]
	for _, n := range m.networks {
		if match(n) && (best == nil ||
			cmp.Or(cmp.Compare(n.Prefix.Bits(), best.Prefix.Bits()), -cmp.Compare(n.Metric, best.Metric)) > 0) {
			best = n
		}
	}
	return best
}

func (m *model) lookup(a netip.Addr) *Network[int] {
	return m.best(func(n *Network[int]) bool { return !n.Implicit && n.Prefix.Contains(a) })
}

func (m *model) lookupOn(ifindex int, a netip.Addr) *Network[int] {
	on := func(n *Network[int]) bool {
		return n.Interface == ifindex && n.Flags&Cloning != 0 && n.Prefix.Contains(a)
	}
	if n := m.best(func(n *Network[int]) bool { return !n.Implicit && on(n) }); n != nil {
		return n
	}
	return m.best(on)
}

func (m *model) nextHop(a netip.Addr) Hop[int] {
	n := m.lookup(a)
	switch {
	case n == nil:
		return Hop[int]{}
	case !n.Gateway.IsValid():
		return Hop[int]{Route: n, Network: n, Addr: a}
	}
	return Hop[int]{Route: n, Network: m.lookupOn(n.Interface, n.Gateway), Addr: n.Gateway, Gateway: true}
}

// sweep deletes the clones whose address is in p, on the interface of n, and of
// which keep does not hold, and returns the messages.
func (m *model) sweep(ifindex int, keep func(netip.Addr) bool) []string {
	var lines []string
	for k := range m.clones {
		if k.ifindex == ifindex && !keep(k.addr) {
			lines = append(lines, fmt.Sprintf("delete %v/32 dev %d", k.addr, k.ifindex))
			delete(m.clones, k)
		}
	}
	slices.Sort(lines)
	return lines
}

// Few addresses, so that they meet.
func genAddr() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		return netip.AddrFrom4([4]byte{10, rapid.Byte().Draw(t, "b") & 3, 0, rapid.Byte().Draw(t, "d") & 7})
	})
}

func genSpec() *rapid.Generator[Spec] {
	return rapid.Custom(func(t *rapid.T) Spec {
		bits := rapid.SampledFrom([]int{0, 8, 15, 16, 29, 30, 31, 32}).Draw(t, "bits")
		p, _ := genAddr().Draw(t, "prefix").Prefix(bits)
		s := Spec{
			Prefix:    p,
			Interface: rapid.IntRange(1, 3).Draw(t, "interface"),
			Metric:    rapid.Uint32Range(0, 2).Draw(t, "metric"),
		}
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			s.Gateway = genAddr().Draw(t, "gateway")
		case 1:
			s.Prefix, s.Flags, s.Implicit = netip.MustParsePrefix("0.0.0.0/0"), Cloning, true
		default:
			s.Flags = Cloning
		}
		return s
	})
}

func TestModel(t *testing.T) { rapid.Check(t, checkModel) }

// FuzzModel is TestModel with the fuzzer's choices.
// An action that has nothing to do returns: one that skipped would make rapid give up
// on inputs that are nothing but skips.
func FuzzModel(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkModel)) }

// checkModel does the same to a Table and to a model.
func checkModel(t *rapid.T) {
	var got []string
	tab := New(func(m Message[int]) {
		s := fmt.Sprintf("%v %v dev %d", m.Type, m.Prefix, m.Interface)
		if m.Gateway.IsValid() {
			s += fmt.Sprintf(" via %v", m.Gateway)
		}
		got = append(got, s)
	})
	m := model{clones: make(map[modelKey]int)}
	text := func(typ MessageType, n *Network[int]) []string {
		switch {
		case n.Implicit:
			return nil
		case n.Gateway.IsValid():
			return []string{fmt.Sprintf("%v %v dev %d via %v", typ, n.Prefix, n.Interface, n.Gateway)}
		}
		return []string{fmt.Sprintf("%v %v dev %d", typ, n.Prefix, n.Interface)}
	}
	// wantMessages compares; the clones of a network go in no order.
	wantMessages := func(sweeps []string, last []string) {
		if n := len(got) - len(last); n > 0 {
			slices.Sort(got[:n])
		}
		if diff := gocmp.Diff(append(sweeps, last...), got); diff != "" && len(got)+len(sweeps)+len(last) > 0 {
			t.Fatalf("messages (-want +got):\n%s", diff)
		}
		got = nil
	}
	next := 0
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			spec := genSpec().Draw(t, "spec")
			taken := slices.ContainsFunc(m.networks, func(n *Network[int]) bool {
				return n.Prefix == spec.Prefix && n.Interface == spec.Interface && n.Gateway == spec.Gateway && n.Implicit == spec.Implicit
			})
			offLink := spec.Gateway.IsValid() && m.lookupOn(spec.Interface, spec.Gateway) == nil
			n, err := tab.Add(spec)
			if (err != nil) != (taken || offLink) {
				t.Fatalf("Add(%+v): error %v; taken %t, gateway off the link %t", spec, err, taken, offLink)
			}
			if err != nil {
				wantMessages(nil, nil)
				return
			}
			owners := make(map[netip.Addr]*Network[int])
			for k := range m.clones {
				if k.ifindex == spec.Interface {
					owners[k.addr] = m.lookupOn(k.ifindex, k.addr)
				}
			}
			m.networks = append(m.networks, n)
			wantMessages(m.sweep(spec.Interface, func(a netip.Addr) bool {
				return m.lookupOn(spec.Interface, a) == owners[a]
			}), text(Add, n))
		},
		"delete": func(t *rapid.T) {
			if len(m.networks) == 0 {
				return // no network to delete
			}
			i := rapid.IntRange(0, len(m.networks)-1).Draw(t, "network")
			n := m.networks[i]
			if err := tab.Delete(n); err != nil {
				t.Fatal(err)
			}
			var lines []string
			if n.Flags&Cloning != 0 {
				lines = m.sweep(n.Interface, func(a netip.Addr) bool { return m.lookupOn(n.Interface, a) != n })
			}
			m.networks = slices.Delete(m.networks, i, i+1)
			wantMessages(lines, text(Delete, n))
		},
		"delete interface": func(t *rapid.T) {
			ifindex := rapid.IntRange(1, 3).Draw(t, "interface")
			tab.DeleteInterface(ifindex)
			m.sweep(ifindex, func(netip.Addr) bool { return false })
			m.networks = slices.DeleteFunc(m.networks, func(n *Network[int]) bool { return n.Interface == ifindex })
			got = nil // TestMessages has their order
		},
		"clone": func(t *rapid.T) {
			a, ifindex := genAddr().Draw(t, "address"), rapid.IntRange(1, 3).Draw(t, "interface")
			n := m.lookupOn(ifindex, a)
			if n == nil {
				return // no network for a clone
			}
			k := modelKey{ifindex, a}
			_, exists := m.clones[k]
			next++
			e := next
			if err := n.Clone(a, &e, 0); (err != nil) != exists {
				t.Fatalf("Clone(%v) on %d: error %v, exists %t", a, ifindex, err, exists)
			}
			if exists {
				wantMessages(nil, nil)
				return
			}
			m.clones[k] = e
			n.Clones().Publish(Key(a), wordOf(Key(a)))
			wantMessages(nil, []string{fmt.Sprintf("add %v/32 dev %d", a, ifindex)})
		},
		"remove": func(t *rapid.T) {
			a, ifindex := genAddr().Draw(t, "address"), rapid.IntRange(1, 3).Draw(t, "interface")
			n := m.lookupOn(ifindex, a)
			if n == nil {
				return // no network for a clone
			}
			k := modelKey{ifindex, a}
			_, exists := m.clones[k]
			if err := n.Remove(a); (err == nil) != exists {
				t.Fatalf("Remove(%v) on %d: error %v, exists %t", a, ifindex, err, exists)
			}
			var lines []string
			if exists {
				lines = []string{fmt.Sprintf("delete %v/32 dev %d", a, ifindex)}
			}
			delete(m.clones, k)
			wantMessages(nil, lines)
		},
		"": func(t *rapid.T) { m.compare(t, tab) },
	})
}

// compare asks tab and m about every address and network there may be.
func (m *model) compare(t *rapid.T, tab *Table[int]) {
	for b := range byte(4) {
		for d := range byte(8) {
			a := netip.AddrFrom4([4]byte{10, b, 0, d})
			if n, _ := tab.Lookup(a); n != m.lookup(a) {
				t.Fatalf("Lookup(%v) = %+v, want %+v", a, n, m.lookup(a))
			}
			want := m.nextHop(a)
			if hop, ok := tab.NextHop(a); hop != want || ok != (want.Network != nil) {
				t.Fatalf("NextHop(%v) = %+v, %t, want %+v", a, hop, ok, want)
			}
			for ifindex := 1; ifindex <= 3; ifindex++ {
				n, ok := tab.LookupOn(ifindex, a)
				if n != m.lookupOn(ifindex, a) {
					t.Fatalf("LookupOn(%d, %v) = %+v, want %+v", ifindex, a, n, m.lookupOn(ifindex, a))
				}
				if !ok {
					continue
				}
				want, exists := m.clones[modelKey{ifindex, a}]
				c, ok := n.Clones().Get(Key(a))
				if ok != exists || ok && *c.Entry != want {
					t.Fatalf("clone of %v on %d = %+v, %t, want %d, %t", a, ifindex, c, ok, want, exists)
				}
				if s := n.Clones().Find(Key(a)); ok && s.Word() != wordOf(Key(a)) || !ok && s != nil && s.Word() != 0 {
					t.Fatalf("word of %v on %d: %+v", a, ifindex, s)
				}
			}
		}
	}
	clones, networks := 0, 0
	for n := range tab.Networks() {
		networks++
		if !slices.Contains(m.networks, n) {
			t.Fatalf("Networks gave %+v, which was deleted", n)
		}
	}
	for _, n := range m.networks {
		if n.Implicit {
			networks++
		}
		if n.Flags&Cloning == 0 {
			continue
		}
		listed := 0
		for a, c := range n.Clones().All() {
			listed++
			if want, ok := m.clones[modelKey{n.Interface, a}]; !ok || *c.Entry != want {
				t.Fatalf("All of %v on %d gave %v %+v, want %d, %t", n.Prefix, n.Interface, a, c, want, ok)
			}
		}
		if listed != n.Clones().Len() {
			t.Fatalf("All of %v on %d gave %d clones, Len is %d", n.Prefix, n.Interface, listed, n.Clones().Len())
		}
		clones += listed
	}
	if clones != len(m.clones) || networks != len(m.networks) {
		t.Fatalf("%d clones in %d networks, want %d in %d", clones, networks, len(m.clones), len(m.networks))
	}
}
