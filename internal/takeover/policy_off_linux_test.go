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

// A daemon that finds an address taken down by one before, and whose policy for it is
// off, puts it back.
func TestPolicyOffAfterCrash(t *testing.T) {
	r := newOwnRig(t, DownAddress, everything...)
	before := r.state()
	r.told(host.Withdrawn, "192.0.2.1/24")
	r.crash()
	r.policies = off("192.0.2.1/32")
	r.start(Spec{Name: "e0", DAD: true})
	r.requireState(before, "after the next start")
	r.requireRecords(0)
}
