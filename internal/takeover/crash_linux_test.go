package takeover

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// After a crash isat restore puts everything back; so does a daemon that does not
// look after the addresses, and one that does goes on with them.
func TestCrashWhileTakenDown(t *testing.T) {
	t.Run("restore", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, everything...)
		before := r.state()
		r.told(host.Withdrawn, "192.0.2.1/24", "10.0.0.1/8")
		r.crash()
		var said []string
		for range 2 {
			if err := Restore(t.Context(), r.dir, nil, func(line string) { said = append(said, line) }); err != nil {
				t.Fatal(err)
			}
		}
		r.requireState(before, "after isat restore")
		if all := strings.Join(said, "\n"); !strings.Contains(all, "address 192.0.2.1/24 of e0: put back\n") || strings.Count(all, "put back") != 2 {
			t.Errorf("it says\n%s", all)
		}
	})
	t.Run("added meanwhile", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0")
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.crash()
		r.ip("address", "add", "192.0.2.1/25", "dev", "e0")
		var said string
		if err := Restore(t.Context(), r.dir, []string{"e0"}, func(line string) { said += line + "\n" }); err != nil {
			t.Fatal(err)
		}
		if want := "address 192.0.2.1/24 of e0: not put back: somebody has added it meanwhile"; !strings.Contains(said, want) {
			t.Errorf("it says %q, want %q", said, want)
		}
	})
	t.Run("a daemon without dad", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, everything...)
		before := r.state()
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.crash()
		r.start(Spec{Name: "e0"})
		r.requireState(before, "after the next start")
		r.requireRecords(0)
	})
	t.Run("a daemon with dad", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, everything...)
		before := r.state()
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.crash()
		r.start(Spec{Name: "e0", DAD: true})
		r.requireRecords(1)
		ifc, _ := r.host.Interface("e0")
		var states []acd.State
		for _, own := range ifc.OwnAddresses() {
			if own.Address.Prefix.Addr() == netip.MustParseAddr("192.0.2.1") {
				states = append(states, own.State)
			}
		}
		if len(states) != 1 || states[0] != acd.Duplicate && states[0] != acd.Recovering {
			t.Errorf("the address is in the states %v", states)
		}
		r.told(host.Usable, "192.0.2.1/24")
		r.requireState(before, "after the return")
	})
	// The host knows an address once, in however many networks it is.
	t.Run("an address in two networks", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0", "address add 192.0.2.1/16 dev e0")
		before := r.state()
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.crash()
		r.start(Spec{Name: "e0", DAD: true})
		r.requireAddresses()
		r.requireRecords(2)
		r.told(host.Usable, "192.0.2.1/24")
		r.requireState(before, "after the return")
		r.requireRecords(0)
	})
}
