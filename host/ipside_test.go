package host_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/host"
)

// ipSide is the IP side of own addresses. It remembers what it is told.
type ipSide struct {
	t      *testing.T
	mu     sync.Mutex
	told   []string
	delay  time.Duration         // that an update takes
	update func(host.OwnAddress) // what is done with each, if anything
}

func (s *ipSide) UpdateAddresses(updates []host.OwnAddress) {
	seen := make(map[string]bool)
	s.mu.Lock()
	delay, update := s.delay, s.update
	s.mu.Unlock()
	time.Sleep(delay)
	for _, u := range updates {
		line := fmt.Sprint(u.Address.Prefix.Addr(), " ", u.Usage)
		if u.Owner.IsValid() {
			line += " " + u.Owner.String()
		}
		if key := fmt.Sprint(u.Interface, u.Address.Prefix.Addr()); seen[key] {
			s.t.Errorf("%s twice in one update", key)
		} else {
			seen[key] = true
		}
		s.mu.Lock()
		s.told = append(s.told, line)
		s.mu.Unlock()
		if update != nil {
			update(u)
		}
	}
}

// expect compares what was told since the last call.
func (s *ipSide) expect(when string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		s.t.Errorf("%s: told %q, want %q", when, s.told, want)
	}
	s.told = nil
}

// set says what updates take, and what is done with each.
func (s *ipSide) set(delay time.Duration, update func(host.OwnAddress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay, s.update = delay, update
}

func (s *ipSide) forget() {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = nil
}

// addressed is a host with detection and an IP side, and the address 192.0.2.1.
func (l *lan) addressed(change ...func(*host.InterfaceConfig)) (*node, *ipSide) {
	l.t.Helper()
	s := &ipSide{t: l.t}
	n := l.still(host.Config{Addressing: s, Rand: rand.NewPCG(1, 2)}, macHost, "192.0.2.1/24", append([]func(*host.InterfaceConfig){withDAD}, change...)...)
	n.run(l.t)
	s.expect("attached", "192.0.2.1 usable")
	l.forget()
	return n, s
}

// name tells the host its addresses.
func (n *node) name(t *testing.T, addresses ...string) {
	t.Helper()
	var list []host.Address
	for _, a := range addresses {
		list = append(list, host.Address{Prefix: prefix(a + "/24")})
	}
	if err := n.ifc.SetAddresses(list); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}
