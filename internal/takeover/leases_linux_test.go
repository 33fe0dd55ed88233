package takeover

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
)

// A duplicate that is not isat's to put back is forgotten when its lifetime is over,
// unless it is there again by then.
func TestDuplicateOfALeaseIsForgotten(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		protocol      uint8
		lifetime      time.Duration
		renewed       bool
	}{
		{"a lease", "192.0.2.1/24 valid_lft 1000 preferred_lft 500", 0, 1000 * time.Second, false},
		{"a lease that is renewed", "192.0.2.1/24 valid_lft 1000 preferred_lft 500", 0, 1000 * time.Second, true},
		{"a long lease", "192.0.2.1/24 valid_lft 1000000 preferred_lft 500", 0, 24 * time.Hour, false},
		{"another program's", "", 99, 24 * time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOwnRig(t, DownAddress)
			if tt.address == "" { // older releases of ip(8) cannot say that
				a := addrOf(r.index, "192.0.2.1/24")
				a.Protocol = tt.protocol
				if err := r.m.conn.AddAddr(a); err != nil {
					t.Fatal(err)
				}
			} else {
				r.ip(strings.Fields("address add " + tt.address + " dev e0")...)
			}
			ip := netip.MustParseAddr("192.0.2.1")
			began := time.Now()
			r.told(host.Withdrawn, "192.0.2.1/24")
			r.requireRecords(0)
			// The host of a test does not withdraw by itself.
			lease := host.Address{Prefix: netip.MustParsePrefix("192.0.2.1/24"), Policy: acd.Policy{Temporary: true}}
			if err := r.says.Interface.Resume(lease, other); err != nil {
				t.Fatal(err)
			}
			isKnown := func(at time.Time) bool {
				r.m.mu.Lock()
				defer r.m.mu.Unlock()
				r.m.expireLeases(at)
				_, known := r.says.Interface.OwnAddress(ip)
				return known
			}
			const rounded = 5 * time.Second // the kernel's lifetimes are in whole seconds
			if !isKnown(began.Add(tt.lifetime - rounded)) {
				t.Error("it is forgotten too early")
			}
			if tt.renewed {
				r.told(host.Suspended, "192.0.2.1/24")
			}
			if known := isKnown(time.Now().Add(tt.lifetime + rounded)); known != tt.renewed {
				t.Errorf("at the end it is known: %t, want %t", known, tt.renewed)
			}
			r.m.mu.Lock()
			defer r.m.mu.Unlock()
			if len(r.m.leases) > 0 {
				t.Errorf("%v is awaited still", r.m.leases)
			}
		})
	}
}

// Of several leases whose lifetime is over, those are forgotten that are in no network
// of the interface again.
func TestLeasesAreForgottenApart(t *testing.T) {
	r := newOwnRig(t, DownAddress)
	again := netip.MustParsePrefix("192.0.2.2/24")
	leases := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), again, netip.MustParsePrefix("192.0.2.3/24")}
	for _, p := range leases {
		r.ip("address", "add", p.String(), "dev", "e0", "valid_lft", "1000", "preferred_lft", "500")
	}
	for _, p := range leases {
		r.told(host.Withdrawn, p.String())
		// The host of a test does not withdraw by itself.
		if err := r.says.Interface.Resume(host.Address{Prefix: p, Policy: acd.Policy{Temporary: true}}, other); err != nil {
			t.Fatal(err)
		}
	}
	r.m.mu.Lock() // nobody follows changes
	defer r.m.mu.Unlock()
	r.ip("address", "add", "192.0.2.2/25", "dev", "e0")
	r.m.expireLeases(time.Now().Add(maxLease))
	for _, p := range leases {
		if _, known := r.says.Interface.OwnAddress(p.Addr()); known != (p == again) {
			t.Errorf("%v is known: %t, want %t", p, known, p == again)
		}
	}
	if _, awaited := r.m.leases[ipKey{r.index, again.Addr()}]; !awaited || len(r.m.leases) != 1 {
		t.Errorf("%v are awaited, want %v", r.m.leases, again)
	}
}
