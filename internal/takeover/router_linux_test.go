package takeover

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/proxy"
)

// ip runs ip(8) in the namespace of the test.
func ip(t testing.TB, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// conf sets a value of net.ipv4.conf in the namespace of the test.
func conf(t testing.TB, key, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+key, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(testPatience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v it is not so that %s", testPatience, what)
		}
	}
}

// newRouter is newRig with two more networks, and forwarding.
//
//	10.1.0.1/16 e0 ──── e0 10.1.0.2/16 peer
//	10.2.0.1/16 r0 ──── r1, 10.3.0.1/16 s0 ──── s1
func newRouter(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, 0)
	for _, c := range []string{
		"link add r0 type veth peer name r1", "link set r0 up", "link set r1 up", "address add 10.2.0.1/16 dev r0",
		"link add s0 type veth peer name s1", "link set s0 up", "link set s1 up", "address add 10.3.0.1/16 dev s0",
	} {
		ip(t, c)
	}
	conf(t, "all/forwarding", "1")
	eventually(t, "isat knows that e0 forwards", func() bool {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		return r.m.get(r.index).policy.forwards
	})
	return r
}

// TestRoute compares the routing decisions for a request that comes in on e0 with
// what is to be. Each row adds to the rows above.
func TestRoute(t *testing.T) {
	r := newRouter(t)
	for _, test := range []struct {
		name   string
		setup  []string // ip(8), or a path of net.ipv4.conf with a value
		target string
		sender string
		want   proxy.Routes
	}{
		{"behind r0", nil, "10.2.0.9", "10.1.0.9", proxy.Routes{To: "r0", Back: "e0"}},
		{"on the same link", nil, "10.1.0.8", "10.1.0.9", proxy.Routes{To: "e0", Back: "e0"}},
		{"sender of another network", nil, "10.2.0.9", "10.3.0.9", proxy.Routes{To: "r0", Back: "s0"}},
		{"an own address", nil, "10.2.0.1", "10.1.0.9", proxy.Routes{}},
		{"a broadcast address", nil, "10.2.255.255", "10.1.0.9", proxy.Routes{}},
		{"no route to the target", nil, "203.0.113.9", "10.1.0.9", proxy.Routes{}},
		{"no route to the sender", nil, "10.2.0.9", "203.0.113.9", proxy.Routes{To: "r0"}},
		{"an own address asks", nil, "10.2.0.9", "10.3.0.1", proxy.Routes{To: "r0"}},
		{"a broadcast address asks", nil, "10.2.0.9", "10.3.255.255", proxy.Routes{To: "r0"}},
		{"a probe, no default route", nil, "10.2.0.9", "0.0.0.0", proxy.Routes{To: "r0"}},
		{"default route", []string{"route add default via 10.1.0.2"}, "203.0.113.9", "10.1.0.9", proxy.Routes{To: "e0", Back: "e0"}},
		{"a probe", nil, "10.2.0.9", "0.0.0.0", proxy.Routes{To: "r0", Back: "e0"}},
		{"a probe for an own address", nil, "10.2.0.1", "0.0.0.0", proxy.Routes{Back: "e0"}},
		{"blackhole", []string{"route add blackhole 198.18.0.0/24"}, "198.18.0.1", "10.1.0.9", proxy.Routes{}},
		{"unreachable", []string{"route add unreachable 198.18.1.0/24"}, "198.18.1.1", "10.1.0.9", proxy.Routes{}},
		{"prohibit", []string{"route add prohibit 198.18.2.0/24"}, "198.18.2.1", "10.1.0.9", proxy.Routes{}},
		{"throw", []string{"route add throw 198.18.3.0/24"}, "198.18.3.1", "10.1.0.9", proxy.Routes{}},
		{"by lo", []string{"route add 198.18.4.0/24 dev lo"}, "198.18.4.1", "10.1.0.9", proxy.Routes{}},
		{"a rule for the sender", []string{"rule add from 10.1.0.7 lookup 77", "route add 10.2.0.9 dev s0 table 77"}, "10.2.0.9", "10.1.0.7", proxy.Routes{To: "s0", Back: "e0"}},
		{"a rule for another sender", nil, "10.2.0.9", "10.1.0.8", proxy.Routes{To: "r0", Back: "e0"}},
		{"a rule for the way back", []string{"rule add iif r0 to 10.1.0.6 lookup 78", "route add 10.1.0.6 dev s0 table 78"}, "10.2.0.9", "10.1.0.6", proxy.Routes{To: "r0", Back: "s0"}},
		{"strict rp_filter", []string{"e0/rp_filter 1"}, "10.2.0.9", "10.3.0.9", proxy.Routes{To: "r0", Back: "s0"}},
		{"strict rp_filter, a sender of the link", nil, "10.2.0.9", "10.1.0.9", proxy.Routes{To: "r0", Back: "e0"}},
		{"macvlan on e0", []string{"link add m0 link e0 type macvlan mode bridge", "address add 10.4.0.1/16 dev m0", "link set m0 up"}, "10.4.0.9", "10.1.0.9", proxy.Routes{To: "e0", Back: "e0"}},
		{"one medium", []string{"e0/medium_id 5", "r0/medium_id 5"}, "10.2.0.9", "10.1.0.9", proxy.Routes{To: "e0", Back: "e0"}},
		{"two media", []string{"r0/medium_id 6"}, "10.2.0.9", "10.1.0.9", proxy.Routes{To: "r0", Back: "e0"}},
		{"the way back does not forward", []string{"r0/forwarding 0"}, "10.2.0.9", "10.1.0.9", proxy.Routes{To: "r0"}},
		{"not forwarding", []string{"e0/forwarding 0"}, "10.3.0.9", "10.1.0.9", proxy.Routes{}},
		{"not forwarding, a probe", nil, "10.3.0.9", "0.0.0.0", proxy.Routes{}},
	} {
		for _, s := range test.setup {
			if key, value, _ := strings.Cut(s, " "); strings.Contains(key, "/") {
				conf(t, key, value)
			} else {
				ip(t, s)
			}
		}
		// What the kernel tells nobody of is read from time to time.
		r.reread()
		got, err := r.m.Route(t.Context(), proxy.Question{Interface: "e0", Target: netip.MustParseAddr(test.target), Sender: netip.MustParseAddr(test.sender)})
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	if _, err := r.m.Route(t.Context(), proxy.Question{Interface: "none0", Target: neighbourIP, Sender: neighbourIP}); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("on an interface that is not there: %v, want ENXIO", err)
	}
}

// TestRouteOfVRF asks on a port of a VRF: the routes of its table count, for
// probes, too.
func TestRouteOfVRF(t *testing.T) {
	r := newRouter(t)
	if out, err := exec.Command("ip", "link", "add", "vrf7", "type", "vrf", "table", "7").CombinedOutput(); err != nil {
		t.Skipf("this kernel has no VRF: %s", out)
	}
	for _, c := range []string{"link set vrf7 up", "link set e0 master vrf7", "link set r0 master vrf7", "route add default via 10.1.0.2 vrf vrf7"} {
		ip(t, c)
	}
	eventually(t, "isat knows that e0 is a port of a VRF", func() bool { return r.m.get(r.index).present().MasterKind == "vrf" })
	for _, test := range []struct {
		target, sender string
		want           proxy.Routes
	}{
		{"10.2.0.9", "10.1.0.9", proxy.Routes{To: "r0", Back: "e0"}},
		{"10.3.0.9", "10.1.0.9", proxy.Routes{To: "e0", Back: "e0"}},
		{"10.2.0.9", "0.0.0.0", proxy.Routes{To: "r0", Back: "e0"}},
	} {
		got, err := r.m.Route(t.Context(), proxy.Question{Interface: "e0", Target: netip.MustParseAddr(test.target), Sender: netip.MustParseAddr(test.sender)})
		if err != nil || got != test.want {
			t.Errorf("%s to %s: %+v, %v, want %+v", test.sender, test.target, got, err, test.want)
		}
	}
}
