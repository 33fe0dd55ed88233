package takeover

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/isat-project/isat/host"
)

// What was taken down is back as it was, wherever it stood.
func TestAddressesReturnAsTheyWere(t *testing.T) {
	all := []string{"192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "10.0.0.1/8", "198.51.100.1/32"}
	for _, going := range [][]string{all[:1], all[1:2], all[3:4], all[4:], {all[0], all[2]}, all} {
		t.Run(strings.ReplaceAll(strings.Join(going, "+"), "/", "-"), func(t *testing.T) {
			r := newOwnRig(t, DownAddress, everything...)
			before := r.state()
			r.told(host.Withdrawn, going...)
			after := r.state()
			for _, p := range going {
				if strings.Contains(after, `"`+netip.MustParsePrefix(p).Addr().String()+`"`) {
					t.Fatalf("%s is still there:\n%s", p, after)
				}
			}
			r.requireRecords(len(going))
			for _, p := range going {
				r.told(host.Usable, p) // one after the other
			}
			r.requireState(before, "after the return")
			r.requireRecords(0)
			if got, _ := os.ReadFile("/proc/sys/net/ipv4/conf/e0/promote_secondaries"); string(got) != "0\n" {
				t.Errorf("promote_secondaries is %s", got)
			}
			r.told(host.Withdrawn, going...)
			r.stop() // nobody watches any more
			r.requireState(before, "after the end")
		})
	}
}

// An address that somebody else looks after, or has added again, is not put back.
func TestWhatIsNotIsats(t *testing.T) {
	tests := []struct {
		name, address string
		meanwhile     [][]string
		after         []string
	}{
		{"another program's", "", nil, nil},
		{"with a lifetime", "192.0.2.1/24 valid_lft 1000 preferred_lft 1000", nil, nil},
		{"added again", "192.0.2.1/24", [][]string{{"address", "add", "192.0.2.1/25", "dev", "e0"}}, []string{"192.0.2.1/25"}},
		{"added again and deleted", "192.0.2.1/24", [][]string{{"address", "add", "192.0.2.1/24", "dev", "e0"}, {"address", "delete", "192.0.2.1/24", "dev", "e0"}}, nil},
		{"added elsewhere", "192.0.2.1/24", [][]string{{"address", "add", "192.0.2.1/24", "dev", "lo"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newOwnRig(t, DownAddress)
			if tt.address == "" { // older releases of ip(8) cannot say that
				a := addrOf(r.index, "192.0.2.1/24")
				a.Protocol = 99
				if err := r.m.conn.AddAddr(a); err != nil {
					t.Fatal(err)
				}
			} else {
				r.ip(strings.Fields("address add " + tt.address + " dev e0")...)
			}
			r.told(host.Withdrawn, "192.0.2.1/24")
			r.requireAddresses()
			for _, command := range tt.meanwhile {
				r.ip(command...)
			}
			if tt.meanwhile != nil {
				r.eventually("it is given up", func() bool {
					r.m.mu.Lock()
					defer r.m.mu.Unlock()
					return len(r.m.down) == 0
				})
			}
			r.requireRecords(0)
			r.told(host.Usable, "192.0.2.1/24")
			r.requireAddresses(tt.after...)
			r.stop()
			r.requireAddressesNow(tt.after...)
		})
	}
}

// Without dad, from a reload on, everything is there again.
func TestDADIsSwitchedOff(t *testing.T) {
	r := newOwnRig(t, DownAddress, everything...)
	before := r.state()
	r.told(host.Withdrawn, "192.0.2.1/24", "192.0.2.2/24")
	r.told(host.Suspended, "192.0.2.3/24")
	r.m.Adjust(Spec{Name: "e0"})
	r.requireState(before, "without dad")
	if out, err := exec.Command("nft", "list", "table", "ip", "isat_dad").CombinedOutput(); err == nil {
		t.Errorf("there is still a rule:\n%s", out)
	}
}

// Thousands of addresses are taken down and put back together.
func TestManyAddresses(t *testing.T) {
	const count = 1000
	r := newOwnRig(t, DownAddress)
	var all []string
	for n := range count {
		p := fmt.Sprintf("10.1.%d.%d/8", n/250, n%250+1)
		all = append(all, p)
		if err := r.m.conn.AddAddr(addrOf(r.index, p)); err != nil {
			t.Fatal(err)
		}
	}
	r.ip("route", "add", "default", "via", "10.9.9.9")
	has := func() int {
		addrs, err := r.m.conn.Addrs(r.index)
		if err != nil {
			t.Fatal(err)
		}
		return len(addrs)
	}
	r.told(host.Withdrawn, all...)
	if n := has(); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
	r.requireRecords(count)
	r.told(host.Usable, all...)
	if n := has(); n != count {
		t.Errorf("%d addresses are back, want %d", n, count)
	}
	if got := r.ip("route", "show", "default"); !strings.Contains(got, "via 10.9.9.9") {
		t.Errorf("the default route is %q", got)
	}
	r.requireRecords(0)
}
