package takeover

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// gate is a manager whose updates a test can hold up.
type gate struct {
	*Manager
	mu      sync.Mutex   // what is closed is locked
	waiting atomic.Int32 // updates that have come and not been carried out
}

func (g *gate) Update(updates []host.Neighbour) {
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Manager.Update(updates)
}

// await waits until something is so.
func (r *rig) await(what string, so func() bool) {
	r.t.Helper()
	for end := time.Now().Add(testPatience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%v later: not %s; %s", testPatience, what, r.difference())
		}
	}
}

// kernel returns the kernel's entry of the one address of these tests.
func (r *rig) kernel() rtnl.Neighbour {
	ip, _ := address(0, 1, 1)
	n, err := r.other.Neighbour(r.index, ip)
	if err != nil && !rtnl.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return n
}

// TestCrossedBySetting lets others set a permanent entry just before isat writes what
// the host had in its place. Their entry is there in the end, in both tables.
func TestCrossedBySetting(t *testing.T) {
	ip, before := address(0, 1, 1)
	_, theirs := address(0, 1, 2)
	_, after := address(0, 1, 3)
	set := func(origin host.Origin, mac lladdr.Addr) func(*rig) {
		return func(r *rig) {
			if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: origin}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		had, writes func(*rig)
		written     func(rtnl.Neighbour) bool
	}{
		"a permanent one is told again": {
			set(host.Administrator, before),
			func(r *rig) { r.m.get(r.index).ifc.Tell(ip) },
			func(n rtnl.Neighbour) bool { return n.MAC == before },
		},
		"a learned one has moved": {
			set(host.Learned, before), set(host.Learned, after),
			func(n rtnl.Neighbour) bool { return n.MAC == after },
		},
		"a learned one is theirs now": {
			set(host.Learned, theirs),
			func(r *rig) { r.m.get(r.index).ifc.Tell(ip) },
			func(n rtnl.Neighbour) bool { return n.State == rtnl.StateReachable },
		},
		"one is deleted": {
			set(host.Administrator, before),
			func(r *rig) {
				if err := r.host.Delete("e0", ip); err != nil {
					t.Fatal(err)
				}
			},
			func(n rtnl.Neighbour) bool { return !n.IP.IsValid() },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, followed := range []bool{false, true} {
				r := newRig(t, 0)
				tt.had(r)
				r.same(1)
				r.followed() // and written not lately
				r.gate.mu.Lock()
				tt.writes(r)
				r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
				r.m.mu.Lock() // nobody follows changes
				// Who follows them waits with this one, and gets the others at once.
				other, mac := address(1, 1, 1)
				r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: other, MAC: mac, State: rtnl.StateNoARP}})
				r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: theirs, State: rtnl.StatePermanent}})
				if followed {
					r.m.mu.Unlock()
					r.await("theirs", func() bool {
						e, ok := r.m.entry(r.m.get(r.index), ip)
						return ok && e.MAC == theirs && e.Expires.IsZero()
					})
					r.gate.mu.Unlock()
				} else {
					r.gate.mu.Unlock()
					r.await("written", func() bool { return tt.written(r.kernel()) })
					r.m.mu.Unlock()
				}
				r.await("theirs", func() bool {
					n := r.kernel()
					return n.State == rtnl.StatePermanent && n.MAC == theirs && r.gate.waiting.Load() == 0
				})
				r.same(1)
			}
		})
	}
}

// crossed has isat write its entry of the one address of these tests again, and others
// change it just before that. isat hears of the change before it writes, if followed, else
// after that; in the end it has no entry.
func (r *rig) crossed(followed bool, change rtnl.NeighbourOp) {
	r.t.Helper()
	ip, mac := address(0, 1, 1)
	r.gate.mu.Lock()
	r.m.get(r.index).ifc.Tell(ip)
	r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
	r.m.mu.Lock() // nobody follows changes
	r.write([]rtnl.NeighbourOp{change})
	if followed {
		r.m.mu.Unlock()
		r.await("forgotten", func() bool { return len(r.host.Entry(ip)) == 0 })
		r.gate.mu.Unlock()
	} else {
		r.gate.mu.Unlock()
		r.await("written", func() bool { return r.kernel().MAC == mac })
		r.m.mu.Unlock()
	}
	r.await("carried out", func() bool { return r.gate.waiting.Load() == 0 && len(r.host.Entry(ip)) == 0 })
}

// TestCrossedByDeleting lets others delete an entry just before isat writes it again. It
// is gone in the end, from both tables. (Not so a permanent one of theirs, which cannot
// be told from one that they have added again: see TestReadded.)
func TestCrossedByDeleting(t *testing.T) {
	ip, mac := address(0, 1, 1)
	tests := map[string]struct{ had func(*rig) }{
		"isat's": {func(r *rig) {
			if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: host.Administrator}); err != nil {
				t.Fatal(err)
			}
		}},
		"a learned one": {func(r *rig) {
			if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac}); err != nil {
				t.Fatal(err)
			}
		}},
		"theirs that is not permanent": {func(r *rig) {
			r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: mac, State: rtnl.StateReachable}})
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, followed := range []bool{false, true} {
				r := newRig(t, 0)
				tt.had(r)
				r.same(1)
				r.followed() // and written not lately
				r.crossed(followed, rtnl.NeighbourOp{Action: rtnl.Delete, Index: r.index, IP: ip})
				r.same(0)
			}
		})
	}
}

// TestReadded: what others delete and add again, the same as before, is theirs, though
// isat has written the entry lately.
func TestReadded(t *testing.T) {
	for _, at := range []string{"in a datagram", "one after the other"} {
		t.Run(at, func(t *testing.T) {
			r := newRig(t, 0)
			ip, mac := address(0, 1, 1)
			put := []rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: mac, State: rtnl.StatePermanent}}
			del := []rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}}
			r.write(put)
			r.same(1)
			for range 10 {
				r.m.get(r.index).ifc.Tell(ip) // as after a flap of the link
				if err := r.host.Told(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.m.mu.Lock() // nobody follows changes
				if at == "in a datagram" {
					r.write(append(del[:1:1], put...))
				} else {
					r.write(del)
					r.write(put)
				}
				r.m.mu.Unlock()
				r.followed()
				r.same(1)
				if n := r.kernel(); n.State != rtnl.StatePermanent || n.MAC != mac {
					t.Fatalf("the kernel has %v", n)
				}
			}
		})
	}
}

// TestSetAfterDeleting: what is set with isat after others have deleted it stays, even
// if isat hears of the deletion later.
func TestSetAfterDeleting(t *testing.T) {
	r := newRig(t, 0)
	ip, mac := address(0, 1, 1)
	set := func() {
		if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: host.Administrator}); err != nil {
			t.Fatal(err)
		}
	}
	set()
	r.same(1)
	r.m.mu.Lock() // nobody follows changes
	r.write([]rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}})
	set()
	r.await("written", func() bool { return r.kernel().MAC == mac })
	r.m.mu.Unlock()
	r.followed()
	r.same(1)
}

// followed waits until what others have changed up to now is followed.
func (r *rig) followed() {
	r.t.Helper()
	ip, mac := address(1, 1, 1)
	r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: mac, State: rtnl.StatePermanent}})
	r.await("followed", func() bool { return len(r.host.Entry(ip)) == 1 })
	r.write([]rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}})
	r.await("followed", func() bool { return len(r.host.Entry(ip)) == 0 })
}

// TestCompareBeforeTold compares the tables before the kernel has been told what was set.
func TestCompareBeforeTold(t *testing.T) {
	r := newRig(t, 0)
	ip, mac := address(0, 1, 1)
	r.gate.mu.Lock()
	if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: host.Administrator}); err != nil {
		t.Fatal(err)
	}
	r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
	r.m.mu.Lock()
	err := r.m.resync(r.m.get(r.index), true)
	r.m.mu.Unlock()
	r.gate.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	r.await("carried out", func() bool { return r.gate.waiting.Load() == 0 })
	r.same(1)
}

// TestCompareBeforeToldAgain compares the tables after a flap of the link has been
// followed, and before the kernel has been told again what it has lost by that.
func TestCompareBeforeToldAgain(t *testing.T) {
	tests := map[string]func(*rig){
		"it is being told": func(*rig) {},
		"it is told when another update ends": func(r *rig) {
			ip, _ := address(0, 1, 1)
			r.m.get(r.index).ifc.Tell(ip)
			r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
		},
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 0)
			for n := range 2 {
				ip, mac := address(0, 1+n, 1)
				if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: host.Administrator}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.host.Told(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.gate.mu.Lock()
			before(r)
			r.flap()
			r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
			err := r.m.resyncAll()
			r.gate.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			r.await("carried out", func() bool { return r.gate.waiting.Load() == 0 })
			r.same(2)
		})
	}
}

// flap sets e0 down and up again, each when the manager has followed the one before.
func (r *rig) flap() {
	r.t.Helper()
	link, err := netlink.LinkByIndex(r.index)
	if err != nil {
		r.t.Fatal(err)
	}
	followed := func(up bool) func() bool {
		return func() bool { return running(r.m.get(r.index).present()) == up }
	}
	if err := netlink.LinkSetDown(link); err != nil {
		r.t.Fatal(err)
	}
	r.await("down", followed(false))
	if err := netlink.LinkSetUp(link); err != nil {
		r.t.Fatal(err)
	}
	r.await("up", followed(true))
}

// TestSetAfterOthers: what is set with isat after others have changed the kernel's entry
// stays, even if isat hears of their change later: before it has written its own, or
// after that.
func TestSetAfterOthers(t *testing.T) {
	ip, before := address(0, 1, 1)
	_, theirs := address(0, 1, 2)
	_, mac := address(0, 1, 3)
	put := func(state rtnl.State) rtnl.NeighbourOp {
		return rtnl.NeighbourOp{Action: rtnl.Put, IP: ip, MAC: theirs, State: state}
	}
	for name, change := range map[string]rtnl.NeighbourOp{
		"permanent": put(rtnl.StatePermanent), "not permanent": put(rtnl.StateStale), "without ARP": put(rtnl.StateNoARP),
		"deleted": {Action: rtnl.Delete, IP: ip},
	} {
		for _, c := range []struct {
			written bool
			action  host.Action
		}{{true, host.Forward}, {false, host.Forward}, {true, host.Blackhole}, {false, host.Blackhole}} {
			t.Run(fmt.Sprintf("%s, written %t%v", name, c.written, c.action), func(t *testing.T) {
				r := newRig(t, 0)
				set := func(mac lladdr.Addr, action host.Action) {
					if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Action: action, Origin: host.Administrator}); err != nil {
						t.Fatal(err)
					}
				}
				isWritten := func() bool { return r.kernel().MAC == mac }
				if c.action != host.Forward {
					isWritten = func() bool { return !r.kernel().IP.IsValid() }
				}
				set(before, host.Forward)
				r.same(1)
				r.followed()
				change.Index = r.index
				if !c.written {
					r.gate.mu.Lock()
				}
				r.m.mu.Lock() // nobody follows changes
				r.write([]rtnl.NeighbourOp{change})
				set(mac, c.action)
				if c.written {
					r.await("written", isWritten)
				} else {
					r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
				}
				r.m.mu.Unlock()
				r.followed()
				if !c.written {
					r.gate.mu.Unlock()
				}
				r.await("carried out", func() bool { return r.gate.waiting.Load() == 0 })
				r.followed()
				if e := r.host.Entry(ip); len(e) != 1 || e[0].MAC != mac || !e[0].Expires.IsZero() || e[0].Action != c.action {
					t.Errorf("the entries are %+v, want %v", e, mac)
				}
				if c.action != host.Forward {
					if k := r.kernel(); k.IP.IsValid() {
						t.Errorf("the kernel has %+v, want none", k)
					}
					return
				}
				r.same(1)
				if k := r.kernel(); k.MAC != mac || k.State != rtnl.StatePermanent || k.Protocol != rtnl.ProtocolISAT {
					t.Errorf("the kernel has %+v, want isat's", k)
				}
			})
		}
	}
}

// TestCrossedByReplacing lets others make an entry one without ARP just before isat
// writes it again. isat has none in the end, and the kernel none that isat does not know.
func TestCrossedByReplacing(t *testing.T) {
	ip, mac := address(0, 1, 1)
	_, theirs := address(0, 1, 2)
	for name, origin := range map[string]host.Origin{"isat's": host.Administrator, "a learned one": host.Learned} {
		for _, followed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, followed %t", name, followed), func(t *testing.T) {
				r := newRig(t, 0)
				if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: origin}); err != nil {
					t.Fatal(err)
				}
				r.same(1)
				r.followed() // and written not lately
				r.crossed(followed, rtnl.NeighbourOp{Action: rtnl.Put, Index: r.index, IP: ip, MAC: theirs, State: rtnl.StateNoARP})
				r.followed()
				if k := r.kernel(); followed && k.State != rtnl.StateNoARP || k.MAC == mac {
					t.Errorf("the kernel has %+v", k)
				}
			})
		}
	}
}
