package takeover

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
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
}

// puppet is an interface of the host of which the test says what becomes of addresses.
type puppet struct {
	*host.Interface
	mu   sync.Mutex
	says map[netip.Addr]host.OwnAddress
}

// OwnAddress returns what the test said last, else what the host says.
func (p *puppet) OwnAddress(ip netip.Addr) (host.OwnAddress, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if own, ok := p.says[ip]; ok {
		return own, true
	}
	return p.Interface.OwnAddress(ip)
}

// say has the puppet say this from now on.
func (p *puppet) say(own host.OwnAddress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.says[own.Address.Prefix.Addr()] = own
}

// newOwnRig takes e0 over, with these addresses and routes.
func newOwnRig(t *testing.T, down Down, setUp ...string) *ownRig {
	t.Helper()
	peer := testns.New(t)
	testns.Enter(t)
	r := &ownRig{rig: &rig{t: t, index: cable(t, peer), dir: t.TempDir()}}
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
		u := host.OwnAddress{Interface: r.index, Address: host.Address{Prefix: netip.MustParsePrefix(p)}, Usage: usage}
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

// lines is a log. It is safe for concurrent use.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

// count returns how often the log has a text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), text)
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

// What is taken down follows its interface to a new name, as the kernel's labels do.
func TestRenameWhileDown(t *testing.T) {
	r := newOwnRig(t, DownAddress)
	r.ip("address", "add", "192.0.2.1/24", "dev", "e0", "label", "e0:vip")
	r.told(host.Withdrawn, "192.0.2.1/24")
	r.requireAddresses()
	r.ip("link", "set", "e0", "down")
	r.ip("link", "set", "e0", "name", "x0")
	r.ip("link", "set", "x0", "up")
	r.eventually("the name is followed", func() bool {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		return len(r.m.down) == 1 && r.m.down[0].Name == "x0"
	})
	r.told(host.Usable, "192.0.2.1/24")
	all, err := r.m.conn.Addrs(r.index)
	if err != nil || len(all) != 1 || all[0].Label != "x0:vip" {
		t.Errorf("the interface has %+v, %v, want the label x0:vip", all, err)
	}
}

// What was set by hand is written down once, with the present name.
func TestRenameWithEntries(t *testing.T) {
	r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0")
	r.set("192.0.2.9")
	kept := func() (names []string) {
		all, err := r.m.entries.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			names = append(names, e.Interface)
		}
		return names
	}
	r.eventually("it is written down", func() bool { return slices.Equal(kept(), []string{"e0"}) })
	r.ip("link", "set", "e0", "down")
	r.ip("link", "set", "e0", "name", "x0")
	r.ip("link", "set", "x0", "up")
	r.eventually("the name is followed", func() bool { _, ok := r.host.Interface("x0"); return ok })
	r.set("192.0.2.10")
	r.eventually("the new one is written down", func() bool { return slices.Contains(kept(), "x0") && len(kept()) >= 2 })
	if got := kept(); !slices.Equal(got, []string{"x0", "x0"}) {
		t.Errorf("written down are entries of %v", got)
	}
}

// set makes an entry by hand.
func (r *ownRig) set(ip string) {
	r.t.Helper()
	if _, err := r.host.Set(host.Change{IP: netip.MustParseAddr(ip), MAC: lladdr.MustParse("02:00:00:00:00:09"), Origin: host.Administrator}); err != nil {
		r.t.Fatal(err)
	}
	r.m.Administered()
}

func TestRelabeled(t *testing.T) {
	for _, tt := range []struct{ label, old, name, want string }{
		{"e0", "e0", "x0", "x0"},
		{"e0:vip", "e0", "x0", "x0:vip"},
		{"e0:vip", "e0", "quite-a-long-nm", "quite-a-lon:vip"},
		{"e01", "e0", "x0", "e01"},
		{"other", "e0", "x0", "other"},
		{"", "e0", "x0", ""},
	} {
		if got := relabeled(tt.label, tt.old, tt.name); got != tt.want {
			t.Errorf("%q of %s, now %s: %q, want %q", tt.label, tt.old, tt.name, got, tt.want)
		}
	}
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
}

// With down = "interface" the interface goes down, and is set up by whoever comes.
func TestInterfaceDown(t *testing.T) {
	isUp := func() bool {
		out, err := exec.Command("ip", "link", "show", "e0").Output()
		return err == nil && strings.Contains(string(out), ",UP")
	}
	prepare := func(t *testing.T) (r *ownRig, before string) {
		r = newOwnRig(t, DownInterface, everything...)
		before = r.state()
		r.told(host.Withdrawn, "192.0.2.2/24")
		if isUp() {
			t.Fatal("e0 is up")
		}
		return r, before
	}
	t.Run("by the administrator", func(t *testing.T) {
		r, before := prepare(t)
		r.ip("link", "set", "e0", "up")
		r.eventually("detection begins anew", func() bool {
			r.m.mu.Lock()
			defer r.m.mu.Unlock()
			return len(r.m.down) == 0
		})
		r.requireState(before, "when it is up again")
		r.requireRecords(0)
		r.ip("link", "set", "e0", "down") // this is no business of isat's
		r.stop()
		if isUp() {
			t.Error("isat has set an interface up that the administrator has set down")
		}
	})
	t.Run("at the end", func(t *testing.T) {
		r, before := prepare(t)
		r.stop()
		r.requireState(before, "after the end")
	})
	t.Run("by restore", func(t *testing.T) {
		r, before := prepare(t)
		r.crash()
		// The crash was an orderly end, as far as the interface is concerned.
		r.ip("link", "set", "e0", "down")
		if err := Restore(t.Context(), r.dir, nil, func(string) {}); err != nil {
			t.Fatal(err)
		}
		r.requireState(before, "after isat restore")
	})
	t.Run("by nobody yet", func(t *testing.T) {
		r, before := prepare(t)
		r.crash()
		r.ip("link", "set", "e0", "down")
		r.start(Spec{Name: "e0", DAD: true, Down: DownInterface})
		if isUp() {
			t.Error("the next daemon has set it up")
		}
		r.stop()
		r.requireState(before, "after its end")
	})
}

// What was taken down of an interface that goes is forgotten, by a manager and by
// isat restore.
func TestInterfaceGoes(t *testing.T) {
	for _, down := range []Down{DownAddress, DownInterface} {
		t.Run(down.String(), func(t *testing.T) {
			r := newOwnRig(t, down, everything...)
			r.told(host.Withdrawn, "192.0.2.1/24", "10.0.0.1/8")
			r.requireRecords(2)
			r.ip("link", "delete", "e0")
			r.eventually("it is forgotten", func() bool {
				r.m.mu.Lock()
				defer r.m.mu.Unlock()
				return len(r.m.down) == 0 && len(r.m.addressed) == 0
			})
			r.requireRecords(0)
			if got := unverifiedSet(t); got != "none" {
				t.Errorf("there is still a rule for %s", got)
			}
		})
	}
	t.Run("restore", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, everything...)
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.crash()
		r.ip("link", "delete", "e0")
		var said string
		for range 2 {
			if err := Restore(t.Context(), r.dir, nil, func(line string) { said += line + "\n" }); err != nil {
				t.Fatal(err)
			}
		}
		if want := "address 192.0.2.1/24 of e0: not put back: its interface is gone\n"; strings.Count(said, want) != 1 {
			t.Errorf("it says %q, want %q once", said, want)
		}
	})
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
