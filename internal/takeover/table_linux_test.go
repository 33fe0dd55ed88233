package takeover

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

var (
	neighbourIP  = netip.MustParseAddr("192.0.2.9")
	neighbourMAC = lladdr.MustParse("02:00:00:00:00:09")
	anotherMAC   = lladdr.MustParse("02:00:00:00:00:99")
)

func newTaken() *taken {
	return &taken{index: 7, foreign: make(map[netip.Addr]lladdr.Addr), deleting: make(map[netip.Addr]int)}
}

// TestOperation has what is written for every state of a neighbour.
func TestOperation(t *testing.T) {
	ours := func(a rtnl.Action, s rtnl.State, mac lladdr.Addr) rtnl.NeighbourOp {
		return rtnl.NeighbourOp{Action: a, Index: 7, IP: neighbourIP, MAC: mac, State: s, Flags: rtnl.FlagExtLearned, Protocol: rtnl.ProtocolISAT}
	}
	fixed := ours(rtnl.Put, rtnl.StatePermanent, neighbourMAC)
	fixed.Flags = 0 // ip neigh flush would take it
	none := lladdr.Addr{}
	tests := []struct {
		name    string
		state   host.NeighbourState
		foreign lladdr.Addr // what somebody else has put there
		want    rtnl.NeighbourOp
	}{
		{"pending", host.Pending, none, ours(rtnl.Claim, 0, none)},
		{"valid", host.Valid, none, ours(rtnl.Put, rtnl.StateReachable, neighbourMAC)},
		{"watched", host.Watched, none, ours(rtnl.Put, rtnl.StateStale, neighbourMAC)},
		{"failed", host.Failed, none, ours(rtnl.Update, rtnl.StateFailed, none)},
		{"fixed", host.Fixed, none, fixed},
		{"fixed by somebody else", host.Fixed, neighbourMAC, rtnl.NeighbourOp{Action: rtnl.Put, Index: 7, IP: neighbourIP, MAC: neighbourMAC, State: rtnl.StatePermanent}},
		{"fixed anew", host.Fixed, anotherMAC, fixed},
		{"gone", host.Gone, none, rtnl.NeighbourOp{Action: rtnl.Delete, Index: 7, IP: neighbourIP}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			taken := newTaken()
			if tt.foreign.IsValid() {
				taken.foreign[neighbourIP] = tt.foreign
			}
			got, ok := taken.operation(host.Neighbour{Interface: 7, IP: neighbourIP, MAC: neighbourMAC, State: tt.state})
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b lladdr.Addr) bool { return a == b })); !ok || diff != "" {
				t.Errorf("%v (-want +got):\n%s", ok, diff)
			}
			if _, ok := taken.foreign[neighbourIP]; ok != (tt.want.Protocol == 0 && tt.state == host.Fixed) {
				t.Errorf("it is somebody else's: %v", ok)
			}
			if want := tt.state == host.Gone; taken.deleted(neighbourIP) != want {
				t.Errorf("an own deletion is expected: %v, want %v", !want, want)
			}
		})
	}
}

// TestDeletedCounts expects as many notifications as there were deletions.
func TestDeletedCounts(t *testing.T) {
	taken := newTaken()
	for range 2 {
		taken.operation(host.Neighbour{IP: neighbourIP, State: host.Gone})
	}
	for i, want := range []bool{true, true, false} {
		if got := taken.deleted(neighbourIP); got != want {
			t.Errorf("notification %d is of an own deletion: %v, want %v", i+1, got, want)
		}
	}
}

// TestStale has when the kernel's entry is not what the host has told.
func TestStale(t *testing.T) {
	tests := []struct {
		host   host.NeighbourState
		kernel rtnl.State
		mac    lladdr.Addr
		want   bool
	}{
		{host.Valid, rtnl.StateReachable, neighbourMAC, false},
		{host.Valid, rtnl.StateProbe, neighbourMAC, false},
		{host.Valid, rtnl.StateReachable, anotherMAC, true},
		{host.Valid, rtnl.StateFailed, lladdr.Addr{}, true},
		{host.Watched, rtnl.StateStale, neighbourMAC, false},
		{host.Fixed, rtnl.StatePermanent, neighbourMAC, false},
		{host.Fixed, rtnl.StatePermanent, anotherMAC, true},
		{host.Fixed, rtnl.StateReachable, neighbourMAC, true},
		{host.Failed, rtnl.StateFailed, lladdr.Addr{}, false},
		{host.Failed, rtnl.StateReachable, neighbourMAC, true},
		{host.Pending, rtnl.StateIncomplete, lladdr.Addr{}, false},
	}
	for _, tt := range tests {
		o := host.Neighbour{IP: neighbourIP, MAC: neighbourMAC, State: tt.host}
		k := rtnl.Neighbour{IP: neighbourIP, MAC: tt.mac, State: tt.kernel}
		if got := stale(true, o, k); got != tt.want {
			t.Errorf("%v in the host, %v %v in the kernel: stale %v, want %v", tt.host, tt.kernel, tt.mac, got, tt.want)
		}
		if stale(false, o, k) {
			t.Errorf("%v: an entry that the host does not have is stale", tt.kernel)
		}
	}
}

// TestMissingPermanent compares the tables when the kernel lacks a permanent
// entry: somebody has deleted it, or the kernel has flushed all.
func TestMissingPermanent(t *testing.T) {
	for _, undisturbed := range []bool{true, false} {
		t.Run(fmt.Sprintf("undisturbed %v", undisturbed), func(t *testing.T) {
			r := newRig(t, 0)
			ip, mac := address(0, 1, 1)
			if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: host.Administrator}); err != nil {
				t.Fatal(err)
			}
			r.same(1)
			// Nobody follows changes meanwhile.
			r.m.mu.Lock()
			defer r.m.mu.Unlock()
			r.write([]rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}})
			if err := r.m.resync(r.m.get(r.index), undisturbed); err != nil {
				t.Fatal(err)
			}
			if undisturbed {
				r.same(0)
			} else {
				r.same(1)
			}
		})
	}
}

// TestHalfDeleted compares the tables while somebody deletes an entry: the kernel makes
// it FAILED first. Nothing may put it back.
func TestHalfDeleted(t *testing.T) {
	ip, mac := address(0, 1, 1)
	isats := func(origin host.Origin) func(*rig) {
		return func(r *rig) {
			if _, err := r.host.Set(host.Change{Interface: "e0", IP: ip, MAC: mac, Origin: origin}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]func(*rig){
		"another's permanent one": func(r *rig) {
			r.write([]rtnl.NeighbourOp{{Action: rtnl.Put, Index: r.index, IP: ip, MAC: mac, State: rtnl.StatePermanent}})
		},
		"isat's permanent one": isats(host.Administrator),
		"a learned one":        isats(host.Learned),
	}
	for name, put := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 0)
			put(r)
			r.same(1)
			// Nobody follows changes meanwhile.
			r.m.mu.Lock()
			r.write([]rtnl.NeighbourOp{{Action: rtnl.Update, Index: r.index, IP: ip, State: rtnl.StateFailed}})
			err := r.m.resync(r.m.get(r.index), true)
			r.m.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			r.write([]rtnl.NeighbourOp{{Action: rtnl.Delete, Index: r.index, IP: ip}})
			r.same(0)
		})
	}
}

// TestUnseenFlap: a link that is up as before, but was down meanwhile, is
// announced on.
func TestUnseenFlap(t *testing.T) {
	r := newRig(t, 0)
	taken := r.m.get(r.index)
	before := taken.ifc.Stats().TxRequests
	taken.mu.Lock()
	taken.link.CarrierChanges -= 2
	taken.mu.Unlock()
	if err := r.m.resyncAll(); err != nil {
		t.Fatal(err)
	}
	if sent := taken.ifc.Stats().TxRequests - before; sent != 1 {
		t.Errorf("%d announcements after an unseen flap of the link, want 1", sent)
	}
}
