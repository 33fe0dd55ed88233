package takeover

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/lladdr"
)

var other = lladdr.MustParse("02:00:00:00:00:99")

// ownRig is a manager with its host on e0 with DAD. What becomes of an address the
// test says in place of the host: nobody else is on the cable.
type ownRig struct {
	*rig
	stop func() // ends the manager, which puts everything back
	log  lines
	says *puppet
	// policies are those of managers that are started from now on.
	policies []Policy
}

// newOwnRig takes e0 over, with these addresses and routes.
func newOwnRig(t *testing.T, down Down, setUp ...string) *ownRig {
	t.Helper()
	peer := testns.New(t)
	ns := testns.Enter(t)
	r := &ownRig{rig: &rig{t: t, ns: ns, index: cable(t, peer), dir: t.TempDir()}}
	for _, file := range []string{"all", "e0"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+file+"/promote_secondaries", []byte("0"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.ip("address", "flush", "dev", "e0")
	r.ip("link", "set", "lo", "up")
	for _, command := range setUp {
		r.ip(strings.Fields(command)...)
	}
	r.start(Spec{Name: "e0", DAD: true, Down: down})
	return r
}

// start runs a manager that takes e0 over.
func (r *ownRig) start(spec Spec) {
	t := r.t
	t.Helper()
	var err error
	if r.m, err = Open(Options{RuntimeDir: r.dir, Log: slog.New(slog.NewTextHandler(&r.log, nil))}); err != nil {
		t.Fatal(err)
	}
	stayIn(r.m, r.ns)
	r.m.SetPolicies(r.policies)
	r.host = host.New(host.Config{Neighbours: r.m, Router: r.m}) // it tells nobody: the test does
	if err := r.m.Bind(r.host); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	hostCtx, stopHost := context.WithCancel(context.Background())
	ran, managed := make(chan error, 1), make(chan error, 1)
	go func() { ran <- r.host.Run(hostCtx) }()
	go func() { managed <- r.m.Run(ctx) }()
	stopped := false
	m := r.m
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		err := <-managed
		stopHost()
		if e := <-ran; err != nil || e != nil {
			t.Errorf("ending: %v, %v", err, e)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	if err := r.m.Take(spec); err != nil {
		t.Fatal(err)
	}
	r.m.mu.Lock()
	if a := r.m.addressed[r.index]; a != nil {
		r.says = &puppet{Interface: a.ifc.(*host.Interface), says: make(map[netip.Addr]host.OwnAddress)}
		a.ifc = r.says
	}
	r.m.mu.Unlock()
	if err := r.m.Sweep(); err != nil {
		t.Fatal(err)
	}
}

// crash lets the manager end without putting anything back: its records and the
// kernel are as a SIGKILL would leave them.
func (r *ownRig) crash() {
	r.m.mu.Lock()
	records, err := r.m.addressRecords.Load()
	if err != nil {
		r.t.Fatal(err)
	}
	settings, err := os.ReadFile(r.dir + "/records.json")
	if err != nil {
		r.t.Fatal(err)
	}
	r.m.down = nil // as if it knew of none
	r.m.mu.Unlock()
	r.stop()
	if err := r.m.addressRecords.Save(records); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.dir+"/records.json", settings, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// ip runs ip(8).
func (r *ownRig) ip(args ...string) string {
	r.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// told has the manager follow what a host tells of addresses of e0.
func (r *ownRig) told(usage host.Usage, prefixes ...string) {
	r.t.Helper()
	r.m.followUsage(r.tell(usage, prefixes...))
}

// tell is what happens at once when a host tells of addresses. The manager has to
// follow what it returns.
func (r *ownRig) tell(usage host.Usage, prefixes ...string) (updates []host.OwnAddress) {
	r.t.Helper()
	for _, p := range prefixes {
		u := host.OwnAddress{Interface: r.index, Address: host.Address{Prefix: netip.MustParsePrefix(p)}, Usage: usage, Restored: usage == host.Usable}
		if usage == host.Withdrawn {
			u.Owner, u.State = other, acd.Duplicate
		}
		updates = append(updates, u)
		r.says.say(u)
	}
	if err := r.m.unverified.update(updates); err != nil {
		r.t.Fatal(err)
	}
	return updates
}

var lifetimes = regexp.MustCompile(`"(valid|preferred)_life_time":\d+`)

// state is what ip(8) says of the addresses of e0 and of all routes.
func (r *ownRig) state() string {
	r.t.Helper()
	addresses := lifetimes.ReplaceAllString(r.ip("-j", "-4", "address", "show", "dev", "e0"), "")
	return strings.ReplaceAll(addresses, "},{", "},\n{") + r.ip("-4", "-d", "route", "show", "table", "all")
}

// requireState fails unless addresses and routes are what they were.
func (r *ownRig) requireState(want, when string) {
	r.t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(r.state(), "\n")); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// requireAddresses fails unless e0 has these, in this order.
func (r *ownRig) requireAddresses(want ...string) {
	r.t.Helper()
	all, err := r.m.conn.Addrs(r.index)
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for _, a := range all {
		got = append(got, prefixOf(a).String())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("e0 has %v, want %v", got, want)
	}
}

// requireRecords fails unless so many addresses are written down.
func (r *ownRig) requireRecords(want int) {
	r.t.Helper()
	records, err := r.m.addressRecords.Load()
	if err != nil || len(records) != want {
		r.t.Errorf("%d addresses are written down, want %d: %v", len(records), want, err)
	}
}

// eventually polls until it holds.
func (r *ownRig) eventually(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(testPatience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not within %v: %s", testPatience, what)
		}
	}
}

// everything has all that an address can have, and routes of all kinds that depend
// on one.
var everything = []string{
	"address add 192.0.2.1/24 brd 192.0.2.127 label e0:one scope link metric 77 preferred_lft 3000 dev e0",
	"address add 192.0.2.2/24 brd + dev e0 scope link",
	"address add 192.0.2.3/24 dev e0 label e0:three noprefixroute scope link",
	"address add 10.0.0.1/8 dev e0",
	"address add 198.51.100.1 peer 198.51.100.2/32 dev e0",
	"route add 100.64.0.0/16 dev e0 scope link src 192.0.2.1 table 100 mtu 1400",
	"route add default via 192.0.2.254 metric 9 src 192.0.2.2",
	"route add 203.0.113.0/24 via 192.0.2.253 src 192.0.2.1 tos 0x10",
	"route add 203.0.114.0/24 via 203.0.113.1 onlink dev e0",
}

// set makes an entry by hand.
func (r *ownRig) set(ip string) {
	r.t.Helper()
	if _, err := r.host.Set(host.Change{IP: netip.MustParseAddr(ip), MAC: lladdr.MustParse("02:00:00:00:00:09"), Origin: host.Administrator}); err != nil {
		r.t.Fatal(err)
	}
	r.m.Administered()
}

// requireAddressesNow is requireAddresses after the end of the manager.
func (r *ownRig) requireAddressesNow(want ...string) {
	r.t.Helper()
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	all, err := conn.Addrs(r.index)
	if err != nil || len(all) != len(want) {
		r.t.Errorf("e0 has %v, want %v: %v", prefixesOf(all), want, err)
	}
}
