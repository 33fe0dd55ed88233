package takeover

import (
	"net/netip"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// off is a policy of an address that is not to be detected.
func off(prefix string) []Policy {
	return []Policy{{Prefix: netip.MustParsePrefix(prefix), Detect: acd.DetectOff}}
}

// What was taken down is put back when its policy becomes off: nobody watches it.
func TestPolicyOffPutsBack(t *testing.T) {
	r := newOwnRig(t, DownAddress, everything...)
	before := r.state()
	ip := netip.MustParseAddr("192.0.2.1")
	r.told(host.Withdrawn, "192.0.2.1/24")
	// The host of a test does not withdraw by itself. This one goes on with what is
	// taken down, as after a crash.
	r.m.mu.Lock()
	r.m.resume(r.m.get(r.index))
	r.m.mu.Unlock()
	r.m.SetPolicies(off("198.51.100.0/24"))
	if own, _ := r.says.Interface.OwnAddress(ip); own.Usage != host.Withdrawn {
		t.Errorf("it is %+v after a change of another policy", own)
	}
	r.m.SetPolicies(off("192.0.2.0/31"))
	own, _ := r.says.Interface.OwnAddress(ip)
	if own.State != acd.Exempt {
		t.Errorf("it is %v, want exempt", own.State)
	}
	r.told(own.Usage, "192.0.2.1/24")
	r.requireState(before, "when its policy is off")
	r.requireRecords(0)
}

// A daemon that finds addresses taken down by one before, and whose policy for them is
// off, puts them back at once, also one that is in two networks of which its policy
// names one.
func TestPolicyOffAfterCrash(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policies []Policy
		setUp    []string
		down     []string
		records  int
	}{
		{"some of them", off("192.0.2.0/30"), everything, []string{"192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24"}, 3},
		{"in two networks", []Policy{{Label: "e0:off", Detect: acd.DetectOff}},
			[]string{"address add 192.0.2.1/24 dev e0 label e0:off", "address add 192.0.2.1/16 dev e0"}, []string{"192.0.2.1/24"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOwnRig(t, DownAddress, tt.setUp...)
			before := r.state()
			r.told(host.Withdrawn, tt.down...)
			r.requireRecords(tt.records)
			r.crash()
			r.policies = tt.policies
			r.start(Spec{Name: "e0", DAD: true})
			r.requireState(before, "after the next start")
			r.requireRecords(0)
			if n := r.log.count("their policy is off"); n != 1 {
				t.Errorf("%d lines say why, want 1:\n%s", n, r.log.all.String())
			}
			if n := r.log.count("it cannot be watched"); n != 0 {
				t.Errorf("%d warnings, want none:\n%s", n, r.log.all.String())
			}
		})
	}
}
