package host_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// kernelAddresses is an IP side that behaves as the takeover does: it takes down what
// is withdrawn, and puts back what is usable again.
type kernelAddresses struct {
	ipSide
	n    *node
	has  []host.Address
	down []host.Address            // taken down by it
	said map[netip.Addr]host.Usage // told last
	keep bool                      // it leaves withdrawn addresses where they are
	rng  *rand.Rand
}

// follow does what was told since the last call.
func (k *kernelAddresses) UpdateAddresses(updates []host.OwnAddress) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, u := range updates {
		address := u.Address.Prefix.Addr()
		is := func(a host.Address) bool { return a.Prefix.Addr() == address }
		k.said[address] = u.Usage
		switch i := slices.IndexFunc(k.has, is); {
		case u.Usage == host.Withdrawn && i >= 0 && !k.keep:
			k.down = append(slices.DeleteFunc(k.down, is), k.has[i])
			k.has = slices.Delete(k.has, i, i+1)
		case u.Usage == host.Usable && i < 0:
			if j := slices.IndexFunc(k.down, is); j >= 0 {
				k.has = append(k.has, k.down[j])
				k.down = slices.Delete(k.down, j, j+1)
			}
		case u.Usage == host.Released:
			k.down = slices.DeleteFunc(k.down, is)
		}
	}
}

// list tells the host what the kernel has.
func (k *kernelAddresses) list() {
	k.mu.Lock()
	list := slices.Clone(k.has)
	k.mu.Unlock()
	if err := k.n.ifc.SetAddresses(list); err != nil {
		k.t.Error(err)
	}
	synctest.Wait()
}

// treat gives an address another policy, whether it is there or taken down.
func (k *kernelAddresses) treat(address netip.Addr, policy acd.Policy) {
	k.mu.Lock()
	for _, list := range [][]host.Address{k.has, k.down} {
		for i := range list {
			if list[i].Prefix.Addr() == address {
				list[i].Policy = policy
			}
		}
	}
	k.mu.Unlock()
	k.list()
	k.n.ifc.SetPolicy(address, policy)
	synctest.Wait()
}

// TestOwnAddressesModel plays random lives of a few addresses of an interface and
// checks what has to hold in all of them.
func TestOwnAddressesModel(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) { playOwnAddresses(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func playOwnAddresses(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	l := newLAN(t)
	defer l.seg.Close()
	k := &kernelAddresses{said: make(map[netip.Addr]host.Usage), keep: rng.IntN(3) == 0, rng: rng}
	k.t = t
	k.n = l.still(host.Config{Addressing: k, Rand: rand.NewPCG(seed, 1)}, macHost, "", func(c *host.InterfaceConfig) {
		c.DAD, c.ReportsLink, c.AnyTarget = rng.IntN(4) > 0, rng.IntN(2) == 0, rng.IntN(2) == 0
	})
	n, s := k.n, l.stranger(macPeer)
	n.run(t)
	n.tune(t, "dup_recovery", 20_000)
	pool := []host.Address{
		{Prefix: prefix("192.0.2.5/24")}, {Prefix: prefix("192.0.2.6/24"), Policy: acd.Policy{Defend: acd.DefendNever}},
		{Prefix: prefix("198.51.100.5/24"), Policy: acd.Policy{Detect: acd.DetectAnnounce}}, {Prefix: prefix("203.0.113.5/32")},
		{Prefix: prefix("203.0.113.6/24"), Policy: acd.Policy{Detect: acd.DetectOff}}, {Prefix: prefix("192.0.2.7/28"), Policy: acd.Policy{Temporary: true}},
	}
	var history []string
	for range 60 {
		a := pool[rng.IntN(len(pool))]
		address := a.Prefix.Addr()
		step := ""
		switch rng.IntN(15) {
		case 0, 1, 2: // somebody adds or removes an address
			k.mu.Lock()
			if i := slices.IndexFunc(k.has, func(b host.Address) bool { return b.Prefix == a.Prefix }); i >= 0 {
				k.has = slices.Delete(k.has, i, i+1)
				step = "remove " + address.String()
			} else {
				k.has = slices.Insert(k.has, rng.IntN(len(k.has)+1), a)
				step = "add " + address.String()
			}
			k.mu.Unlock()
			k.list()
		case 3, 4, 5, 6:
			step = "claim " + address.String()
			s.ask(address.String(), address.String())
		case 7:
			step = "link"
			n.ifc.SetRunning(rng.IntN(4) > 0)
		case 8:
			mode := []host.Mode{host.On, host.On, host.Static, host.Off, host.Watch}[rng.IntN(5)]
			step = "mode " + mode.String()
			n.ifc.SetMode(mode)
		case 9:
			step = "dad"
			n.ifc.SetDAD(rng.IntN(4) > 0, acd.Reprobe(rng.IntN(2)))
		case 10:
			step = "forsake " + address.String()
			n.ifc.Forsake(address)
		case 11:
			step = "reassign " + address.String()
			_ = n.ifc.Reassign(address) // it may not be there
		case 12:
			step = "list"
			k.list()
		case 13:
			policy := acd.Policy{Detect: acd.Detect(rng.IntN(3)), Defend: acd.Defend(rng.IntN(4))}
			step = fmt.Sprintf("policy %v of %v", policy, address)
			k.treat(address, policy)
		default:
			d := time.Duration(rng.IntN(30_000)) * ms
			step = "wait " + d.String()
			time.Sleep(d)
		}
		history = append(history, step)
		if why := k.broken(l, s); why != "" {
			t.Fatalf("after %q: %s", history, why)
		}
	}
	// All that goes leaves nothing behind.
	k.mu.Lock()
	k.has = nil
	k.mu.Unlock()
	k.list()
	for _, a := range pool {
		n.ifc.Forsake(a.Prefix.Addr())
	}
	if left := n.ifc.OwnAddresses(); len(left) != 0 {
		t.Fatalf("after %q: %+v is left", history, left)
	}
	l.forget()
	time.Sleep(time.Hour)
	if sent := l.from(n); len(sent) != 0 {
		t.Fatalf("after %q: without an address it sent %v", history, sent[0].arp)
	}
}

// broken returns what does not hold.
func (k *kernelAddresses) broken(l *lan, s *stranger) string {
	synctest.Wait()
	n := k.n
	var own, addresses []string
	networks := make(map[netip.Prefix]bool)
	k.mu.Lock()
	defer k.mu.Unlock()
	known := make(map[netip.Addr]bool)
	for _, o := range n.ifc.OwnAddresses() {
		address := o.Address.Prefix.Addr()
		known[address] = true
		if o.Usage != host.Withdrawn {
			own = append(own, address.String())
			networks[o.Address.Prefix.Masked()] = true
		}
		if said := k.said[address]; said != o.Usage && !(o.State == acd.Exempt && said == host.Released) {
			return fmt.Sprintf("%v is %v, the IP side was told %v", address, o.Usage, said)
		}
		if (o.Usage == host.Withdrawn) != o.Owner.IsValid() {
			return fmt.Sprintf("%+v", o)
		}
	}
	for _, a := range n.ifc.Addresses() {
		addresses = append(addresses, a.Prefix.Addr().String())
	}
	slices.Sort(own)
	slices.Sort(addresses)
	if !slices.Equal(own, addresses) {
		return fmt.Sprintf("%v are own addresses, and the list is %v", own, addresses)
	}
	for address, said := range k.said {
		if said != host.Released && !known[address] {
			return fmt.Sprintf("%v is not known, the IP side was told %v", address, said)
		}
	}
	for _, network := range []string{"192.0.2.0/24", "192.0.2.0/28", "198.51.100.0/24", "203.0.113.0/24"} {
		there := slices.ContainsFunc(n.Routes(), func(r host.Route) bool { return r.Prefix == prefix(network) })
		if there != networks[prefix(network)] {
			return fmt.Sprintf("the network %s is there: %v", network, there)
		}
	}
	return ""
}
