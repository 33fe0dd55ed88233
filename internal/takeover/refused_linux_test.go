package takeover

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/host"
)

// refused has the manager follow what a host tells while the kernel refuses every
// change (EPERM), so often, and looks at what is so then.
func (r *ownRig) refused(times int, look func(), usage host.Usage, prefixes ...string) {
	r.t.Helper()
	updates := r.tell(usage, prefixes...)
	r.m.mu.Lock() // the chores are not to try again meanwhile
	defer r.m.mu.Unlock()
	withoutNetAdmin(r.t, func() {
		for range times {
			r.m.carryOut(updates)
		}
	})
	look()
}

// tryAgain does what the chores do.
func (r *ownRig) tryAgain() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.tryAgain()
}

// requireErrors fails unless so many errors are logged.
func (r *ownRig) requireErrors(want int) {
	r.t.Helper()
	if n := r.log.count("level=ERROR"); n != want {
		r.t.Errorf("%d errors are logged, want %d:\n%s", n, want, r.log.all.String())
	}
}

// withoutNetAdmin runs f without CAP_NET_ADMIN. Capabilities are of a thread; the
// test is locked to its own, which takes them back from its permitted set.
func withoutNetAdmin(t *testing.T, f func()) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		t.Fatal(err)
	}
	during := before
	during[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	if err := unix.Capset(&header, &during[0]); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Capset(&header, &before[0]); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// What the kernel does not take down is tried again, and nothing says meanwhile that
// it was taken down.
func TestRefusedTakingDown(t *testing.T) {
	for _, down := range []Down{DownAddress, DownInterface} {
		t.Run(down.String(), func(t *testing.T) {
			r := newOwnRig(t, down, everything...)
			before := r.state()
			r.refused(3, func() {
				r.requireState(before, "after the refusal")
				r.requireRecords(0)
				if len(r.m.down) > 0 || len(r.m.unsettled) > 0 {
					t.Errorf("%+v is down, %v is awaited", r.m.down, r.m.unsettled)
				}
				if got := unverifiedSet(t); got != "192.0.2.1" {
					t.Errorf("the rule is for %s, want 192.0.2.1", got)
				}
				r.requireErrors(1)
				if n := r.log.count("took down") + r.log.count("set an interface down"); n > 0 {
					t.Errorf("it logs what it has not done:\n%s", r.log.all.String())
				}
			}, host.Withdrawn, "192.0.2.1/24")
			r.tryAgain()
			if r.state() == before {
				t.Error("it is not taken down")
			}
			r.requireRecords(1)
			r.told(host.Usable, "192.0.2.1/24")
			r.requireState(before, "after the return")
			r.requireRecords(0)
			r.requireErrors(1)
		})
	}
}

// An address that the host has claimed back meanwhile is not taken down late.
func TestRefusedTakingDownIsMoot(t *testing.T) {
	r := newOwnRig(t, DownAddress, everything...)
	before := r.state()
	r.refused(1, func() {}, host.Withdrawn, "192.0.2.1/24")
	r.told(host.Usable, "192.0.2.1/24")
	r.tryAgain()
	r.requireState(before, "after another try")
	r.requireRecords(0)
}

// What the kernel does not take back is tried again, and is then as it was.
func TestRefusedPuttingBack(t *testing.T) {
	for _, down := range []Down{DownAddress, DownInterface} {
		t.Run(down.String(), func(t *testing.T) {
			r := newOwnRig(t, down, everything...)
			before := r.state()
			r.told(host.Withdrawn, "192.0.2.1/24", "10.0.0.1/8")
			without := r.state()
			r.refused(3, func() {
				r.requireState(without, "after the refusal")
				r.requireRecords(2)
				r.requireErrors(1)
			}, host.Usable, "192.0.2.1/24", "10.0.0.1/8")
			r.tryAgain()
			r.requireState(before, "after another try")
			r.requireRecords(0)
			r.requireErrors(1)
		})
	}
}

// What the kernel does not take back when nobody looks after it any more stays written
// down, and the chores try again.
func TestRefusedPuttingAllBack(t *testing.T) {
	r := newOwnRig(t, DownAddress, everything...)
	before := r.state()
	r.told(host.Withdrawn, "192.0.2.1/24")
	r.m.mu.Lock()
	withoutNetAdmin(t, func() {
		if err := r.m.unaddress(r.index); err == nil || !strings.Contains(err.Error(), "putting 192.0.2.1/24 of e0 back: ") {
			t.Errorf("putting it back is %v, want an error that names the address", err)
		}
	})
	r.requireRecords(1)
	r.m.mu.Unlock()
	r.eventually("it is there again", func() bool {
		records, err := r.m.addressRecords.Load()
		return err == nil && len(records) == 0
	})
	r.requireState(before, "when the chores have tried again")
}

// The kernel refuses an address while another one of its network has another scope. That
// one is not moved, nor does a route go with it, and the address is tried again.
func TestRefusedForItsScope(t *testing.T) {
	r := newOwnRig(t, DownAddress, "address add 198.51.100.1/24 dev e0", "address add 192.0.2.1/24 dev e0")
	r.told(host.Withdrawn, "198.51.100.1/24", "192.0.2.1/24")
	r.ip("address", "add", "192.0.2.2/24", "scope", "link", "dev", "e0")
	r.ip("route", "add", "default", "via", "192.0.2.254")
	r.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.253")
	r.told(host.Usable, "192.0.2.1/24")
	r.requireAddresses("192.0.2.2/24")
	r.told(host.Usable, "198.51.100.1/24")
	r.requireAddresses("192.0.2.2/24", "198.51.100.1/24") // narrower scopes are first
	for _, route := range []string{"default", "203.0.113.0/24"} {
		if got := r.ip("route", "show", route); got == "" {
			t.Errorf("the route %s is lost", route)
		}
	}
	r.requireRecords(1)
	if n := r.log.count("192.0.2.2/24 has another scope in the same network"); n != 1 {
		t.Errorf("%d errors name the reason, want 1:\n%s", n, r.log.all.String())
	}
	r.ip("address", "del", "192.0.2.2/24", "dev", "e0")
	r.tryAgain()
	r.requireAddresses("198.51.100.1/24", "192.0.2.1/24")
	r.requireRecords(0)
}

// What others have removed before isat takes it down is nobody's to put back.
func TestRemovedBeforehand(t *testing.T) {
	for _, down := range []Down{DownAddress, DownInterface} {
		t.Run(down.String(), func(t *testing.T) {
			r := newOwnRig(t, down, "address add 198.51.100.1/24 dev e0")
			gone := netip.MustParseAddr("192.0.2.1")
			if err := r.says.Resume(host.Address{Prefix: netip.PrefixFrom(gone, 24)}, other); err != nil {
				t.Fatal(err)
			}
			r.told(host.Withdrawn, "192.0.2.1/24")
			if own, ok := r.says.Interface.OwnAddress(gone); ok {
				t.Errorf("the host still has %+v", own)
			}
			r.requireAddresses("198.51.100.1/24")
			r.requireRecords(0)
		})
	}
}
