package takeover

import (
	"fmt"
	"testing"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// Each test here lets isat hear late of what others do to the kernel's entry of one
// address, and set or write it meanwhile.

// byHand sets the entry of the one address of these tests with isat.
func (r *rig) byHand(mac lladdr.Addr) {
	r.t.Helper()
	ip, _ := address(0, 1, 1)
	if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: host.Administrator}); err != nil {
		r.t.Fatal(err)
	}
}

// others puts an entry of that address into the kernel, as ip neigh does.
func (r *rig) others(state rtnl.State, mac lladdr.Addr) {
	r.t.Helper()
	ip, _ := address(0, 1, 1)
	r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: mac, State: state}})
}

// requireBoth fails unless the host and the kernel have this and nothing else.
func (r *rig) requireBoth(mac lladdr.Addr) {
	r.t.Helper()
	ip, _ := address(0, 1, 1)
	if e := r.host.Entry(ip); len(e) != 1 || e[0].MAC != mac {
		r.t.Errorf("isat has %+v, want %v", e, mac)
	}
	if k := r.kernel(); k.MAC != mac || k.State != rtnl.StatePermanent {
		r.t.Errorf("the kernel has %+v, want %v", k, mac)
	}
	if d := r.difference(); d != "" {
		r.t.Errorf("the tables differ: %s", d)
	}
}

// TestSetAsOthersHad: others have changed an entry of theirs, and isat is told to set it
// as it was before that.
func TestSetAsOthersHad(t *testing.T) {
	_, before := address(0, 1, 1)
	_, changed := address(0, 1, 2)
	for _, state := range []rtnl.State{rtnl.StatePermanent, rtnl.StateStale, rtnl.StateNoARP} {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t, 0)
			r.others(rtnl.StatePermanent, before)
			r.same(1)
			r.followed()
			r.m.mu.Lock() // nobody follows changes
			r.others(state, changed)
			r.byHand(before)
			r.await("written", func() bool { k := r.kernel(); return k.MAC == before && k.State == rtnl.StatePermanent })
			r.m.mu.Unlock()
			r.followed()
			r.requireBoth(before)
		})
	}
}

// TestReplacedTwice: isat writes its entry over one without ARP, of which it has not heard,
// and others set the same as isat has after that.
func TestReplacedTwice(t *testing.T) {
	ip, mac := address(0, 1, 1)
	_, second := address(0, 1, 2)
	_, third := address(0, 1, 3)
	for name, between := range map[string]struct {
		state rtnl.State
		mac   lladdr.Addr
	}{
		"another": {rtnl.StatePermanent, third}, "without ARP": {rtnl.StateNoARP, mac}, "not permanent": {rtnl.StateStale, mac},
		"another without ARP": {rtnl.StateNoARP, third},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 0)
			r.byHand(mac)
			r.same(1)
			r.followed()
			r.m.mu.Lock() // nobody follows changes
			r.others(rtnl.StateNoARP, second)
			r.m.get(r.index).ifc.Tell(ip)
			r.await("written", func() bool { return r.kernel().MAC == mac })
			r.others(between.state, between.mac)
			r.others(rtnl.StatePermanent, mac)
			r.m.mu.Unlock()
			r.followed()
			r.await("in the kernel", func() bool { return r.kernel().MAC == mac })
			r.requireBoth(mac)
		})
	}
}

// TestRefusedIsTheirs: an entry of others that isat cannot have is theirs all the same,
// and stays when the interface is handed back.
func TestRefusedIsTheirs(t *testing.T) {
	_, mac := address(0, 1, 1)
	multicast := lladdr.MustParse("03:00:5e:00:00:01")
	r := newRig(t, 0)
	r.byHand(mac)
	r.same(1)
	r.followed()
	r.others(rtnl.StatePermanent, multicast)
	r.followed()
	if err := r.m.Release("e0"); err != nil {
		t.Fatal(err)
	}
	if k := r.kernel(); k.MAC != multicast {
		t.Errorf("the kernel has %+v, want theirs", k)
	}
}

// TestSetAgain: what an earlier run has left in the kernel is not news, and what others
// change after that counts, before or after isat has written it again.
func TestSetAgain(t *testing.T) {
	ip, ours := address(0, 1, 1)
	_, theirs := address(0, 1, 2)
	for _, written := range []bool{true, false} {
		t.Run(fmt.Sprint("written ", written), func(t *testing.T) {
			r := newRig(t, 0)
			r.followed()
			r.m.mu.Lock() // nobody follows changes
			r.gate.mu.Lock()
			r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: ours, State: rtnl.StatePermanent, Protocol: rtnl.ProtocolISAT}})
			if err := r.m.resync(r.m.get(r.index), false); err != nil {
				t.Fatal(err)
			}
			r.await("an update", func() bool { return r.gate.waiting.Load() == 1 })
			r.others(rtnl.StatePermanent, theirs)
			if written {
				r.gate.mu.Unlock()
				r.await("written", func() bool { return r.kernel().MAC == ours })
				r.m.mu.Unlock()
			} else {
				r.m.mu.Unlock()
				r.await("theirs", func() bool { e := r.host.Entry(ip); return len(e) == 1 && e[0].MAC == theirs })
				r.gate.mu.Unlock()
			}
			r.followed()
			r.await("theirs", func() bool { return r.kernel().MAC == theirs && r.gate.waiting.Load() == 0 })
			r.requireBoth(theirs)
		})
	}
}

// TestCompareWithoutARP compares the tables when others have replaced an entry by one
// without ARP, and isat has heard of that or not.
func TestCompareWithoutARP(t *testing.T) {
	ip, mac := address(0, 1, 1)
	_, theirs := address(0, 1, 2)
	for _, heard := range []bool{true, false} {
		t.Run(fmt.Sprint("heard ", heard), func(t *testing.T) {
			r := newRig(t, 0)
			r.byHand(mac)
			r.same(1)
			r.followed()
			if heard {
				r.others(rtnl.StateNoARP, theirs)
				r.followed()
				r.m.mu.Lock()
			} else {
				r.m.mu.Lock()
				r.others(rtnl.StateNoARP, theirs)
			}
			if err := r.m.resync(r.m.get(r.index), true); err != nil {
				t.Error(err)
			}
			r.m.mu.Unlock()
			r.followed()
			if k := r.kernel(); k.MAC != theirs || k.State != rtnl.StateNoARP || len(r.host.Entry(ip)) != 0 {
				t.Errorf("the kernel has %+v, want theirs; isat %+v", k, r.host.Entry(ip))
			}
		})
	}
}

// TestSetAsDeletedIsKept: what is set with isat after others have deleted the same of
// theirs is isat's, and written down, even if that was done before isat heard of it.
func TestSetAsDeletedIsKept(t *testing.T) {
	ip, mac := address(0, 1, 1)
	r := newRig(t, 0)
	r.others(rtnl.StatePermanent, mac)
	r.same(1)
	r.followed()
	r.gate.mu.Lock()
	r.m.mu.Lock() // nobody follows changes
	r.write([]rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}})
	r.byHand(mac)
	r.m.Administered()
	if err := r.m.keep(); err != nil {
		t.Fatal(err)
	}
	r.m.mu.Unlock()
	r.followed()
	r.gate.mu.Unlock()
	if !r.keeps(ip) {
		t.Error("it is not written down")
	}
}

// TestSetWhileCompared: what is set and written after the kernel's table was read is not
// taken for what others have deleted.
func TestSetWhileCompared(t *testing.T) {
	ip, before := address(0, 1, 1)
	_, after := address(0, 1, 3)
	r := newRig(t, 0)
	r.byHand(before)
	r.same(1)
	r.followed()
	r.m.mu.Lock() // nobody follows changes
	r.write([]rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}})
	for n := range 50 {
		other, mac := address(1, n+2, 1)
		r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: other, MAC: mac, State: rtnl.StatePermanent}})
	}
	r.m.updating.Lock()
	compared := make(chan error)
	go func() { compared <- r.m.resync(r.m.get(r.index), true) }()
	time.Sleep(50 * time.Millisecond) // it has read the kernel's, and waits
	r.byHand(after)
	r.m.updating.Unlock()
	if err := <-compared; err != nil {
		t.Error(err)
	}
	r.m.mu.Unlock()
	r.followed()
	r.await("written", func() bool { return r.kernel().MAC == after })
	r.requireBoth(after)
}
