package host_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// holders counts the hosts that may use the candidate, at every moment.
type holders struct {
	t     *testing.T
	mu    sync.Mutex
	users map[int]bool // by the index of the interface
}

func (h *holders) UpdateAddresses(updates []host.OwnAddress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range updates {
		if u.Address.Prefix.Addr() == ip(candidate) {
			delete(h.users, u.Interface)
			if u.Usage == host.Usable {
				h.users[u.Interface] = true
			}
		}
	}
	if len(h.users) > 1 {
		h.t.Errorf("at %v two hosts use the address", time.Now())
	}
}

func (h *holders) count() int {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.users)
}

// TestDADRivals: hosts that begin with the same address at the same moment never
// both have it, and within ten recoveries exactly one does, for good.
func TestDADRivals(t *testing.T) {
	var needed [11]int // recoveries, of how many seeds
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			l := &lan{t: t, seg: segment.New(segment.Options{Seed: seed, Conditions: segment.Conditions{Delay: 50 * time.Microsecond, Jitter: 50 * time.Microsecond}})}
			defer l.seg.Close()
			users := &holders{t: t, users: make(map[int]bool)}
			var hosts [2]*node
			for i := range hosts {
				hosts[i] = l.still(host.Config{Addressing: users, Rand: rand.NewPCG(seed, uint64(i))},
					fmt.Sprintf("02:00:00:00:00:0%d", i+1), fmt.Sprintf("192.0.2.%d/24", i+1), func(c *host.InterfaceConfig) {
						c.DAD, c.ReportsLink, c.Index = true, seed%2 == 0, i+1
					})
				if seed%4 >= 2 { // their first probes cross, and both give up
					hosts[i].tune(t, "probe_delay", 0)
					hosts[i].tune(t, "fastprobe_delay", 0)
				}
				hosts[i].run(t)
			}
			recoveries := make(map[lladdr.Addr]int)
			last := make(map[lladdr.Addr]time.Time)
			l.seg.Tap(func(at time.Time, frame []byte) {
				target, from := [4]byte(frame[14+24:]), lladdr.From6([6]byte(frame[6:]))
				if target != ip(candidate).As4() || [4]byte(frame[14+14:]) != [4]byte{} {
					return
				}
				if before, ok := last[from]; ok && at.Sub(before) > time.Minute {
					recoveries[from]++ // another train of probes
				}
				last[from] = at
			})
			for _, n := range hosts {
				n.assign(t, candidate)
			}
			for begin := time.Now(); users.count() == 0; time.Sleep(time.Second) {
				if time.Since(begin) > 10*6*time.Minute {
					t.Fatalf("seed %d: nobody has the address after ten recoveries", seed)
				}
			}
			time.Sleep(time.Hour) // the other one tries again and again
			if users.count() != 1 {
				t.Errorf("seed %d: %d hosts have it at the end", seed, users.count())
			}
			for _, n := range hosts {
				if o := n.ownAddress(candidate); o.Usage == host.Usable {
					if recoveries[n.mac] > 10 {
						t.Fatalf("seed %d: it took %d recoveries", seed, recoveries[n.mac])
					}
					needed[recoveries[n.mac]]++
				}
			}
		})
	}
	if needed[0] != 100 || needed[1] == 0 {
		t.Errorf("recoveries needed: %v; want none in half of the seeds, where the first probes do not cross", needed)
	}
}
