package takeover

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

var (
	rejectedIP  = netip.MustParseAddr("10.1.64.9") // one that the peer answers for
	rejectedMAC = lladdr.MustParse("02:00:00:00:64:09")
)

// routesHere returns isat's routes and those to the rejected address, as ip(8)
// prints them.
func routesHere(t *testing.T) string {
	t.Helper()
	var lines []string
	for l := range strings.Lines(ip(t, "route show table main")) {
		if strings.Contains(l, "proto 82") || strings.Contains(l, rejectedIP.String()+" ") {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *rig) set(c host.Change) {
	r.t.Helper()
	c.Origin = host.Administrator
	if _, err := r.host.Set(c); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) awaitRoutes(want string) {
	r.t.Helper()
	eventually(r.t, "isat's routes are "+want, func() bool { return routesHere(r.t) == want })
}

// send sends a datagram and returns the error.
func send(t *testing.T, to netip.Addr) error {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	return unix.Sendto(socket, []byte{0}, 0, &unix.SockaddrInet4{Port: 9, Addr: to.As4()})
}

const (
	unreachable = "unreachable 10.1.64.9 proto 82"
	blackhole   = "blackhole 10.1.64.9 proto 82"
)

// TestReject sets, changes and deletes an entry with an action: packets to its
// address end as it says, and the kernel has no neighbour then.
func TestReject(t *testing.T) {
	r := newRig(t, 0)
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC})
	r.same(1)
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject})
	r.awaitRoutes(unreachable)
	if err := send(t, rejectedIP); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("sending to a rejected address: %v, want EHOSTUNREACH", err)
	}
	if n, err := r.other.Neighbour(r.index, rejectedIP); err == nil && n.State.Valid() {
		t.Errorf("the kernel still has the neighbour: %+v", n)
	}
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Blackhole})
	r.awaitRoutes(blackhole)
	if err := send(t, rejectedIP); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("sending to a black hole: %v, want EINVAL", err)
	}
	// Somebody deletes it: it is there again.
	ip(t, "route del blackhole 10.1.64.9")
	r.reread()
	r.awaitRoutes(blackhole)
	if err := r.host.Delete("e0", rejectedIP); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes("")
	if err := send(t, rejectedIP); err != nil {
		t.Errorf("sending after the entry was deleted: %v", err)
	}
	r.same(1) // it is looked up
	if list, _, err := r.m.store.List(); err != nil || hasRoute(list) {
		t.Errorf("records after the end: %v, %v", list, err)
	}
}

func hasRoute(list []record.Record) bool {
	for _, r := range list {
		if r.Kind == kindRoute {
			return true
		}
	}
	return false
}

// TestRejectReplaced lets others put a neighbour into the kernel whose address is
// rejected: that is the last word, and the route goes.
func TestRejectReplaced(t *testing.T) {
	for _, test := range []struct {
		command string
		entries int
	}{
		{"ip neigh replace 10.1.64.9 lladdr 02:00:00:00:65:09 dev e0 nud permanent", 1},
		{"ip neigh replace 10.1.64.9 lladdr 02:00:00:00:65:09 dev e0 nud stale", 1},
		{"ip neigh replace 10.1.64.9 lladdr 02:00:00:00:65:09 dev e0 nud noarp", 0},
		{"arp -i e0 -s 10.1.64.9 02:00:00:00:65:09 temp", 1},
	} {
		t.Run(test.command, func(t *testing.T) {
			r := newRig(t, 0)
			r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject})
			r.awaitRoutes(unreachable)
			words := strings.Fields(test.command)
			if b, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", test.command, err, b)
			}
			r.awaitRoutes("")
			eventually(t, "isat has what others have set", func() bool {
				all := r.host.Entry(rejectedIP)
				return len(all) == test.entries && (len(all) == 0 || all[0].Action == host.Forward && all[0].MAC != rejectedMAC)
			})
		})
	}
}

// TestLateUpdate has updates come late: others have changed the kernel's entry since.
func TestLateUpdate(t *testing.T) {
	for _, state := range []host.NeighbourState{host.Fixed, host.Refused} {
		t.Run(state.String(), func(t *testing.T) {
			r := newRig(t, 0)
			ip(t, "neigh add 10.1.64.9 lladdr 02:00:00:00:65:09 dev e0 nud permanent")
			r.same(1)
			r.m.Update([]host.Neighbour{{Interface: r.index, IP: rejectedIP, MAC: rejectedMAC, State: state}})
			r.same(1)
			if routes := routesHere(t); routes != "" {
				t.Errorf("isat's routes are %s", routes)
			}
			if e := r.host.Entry(rejectedIP); !r.m.isForeign(e[0]) {
				t.Error("it is isat's now")
			}
		})
	}
}

// TestAdoptBesidePublished: a published-only entry is none that others can change by
// making an ordinary one.
func TestAdoptBesidePublished(t *testing.T) {
	r := newRig(t, 0)
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Publish: host.PublishedOnly})
	if b, err := exec.Command("arp", "-i", "e0", "-s", rejectedIP.String(), "02:00:00:00:65:09", "temp").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	eventually(t, "isat adopts the ordinary entry", func() bool { return len(r.host.Entry(rejectedIP)) == 2 })
}

// TestRejectForeign leaves a route alone that somebody else has made, and says so
// to whoever sets the entry.
func TestRejectForeign(t *testing.T) {
	r := newRig(t, 0)
	const theirs = "10.1.64.9 dev e0 proto static scope link"
	ip(t, "route add "+theirs)
	for _, name := range []string{"e0", ""} {
		_, err := r.m.Reject(name, rejectedIP, host.Reject)
		if !errors.Is(err, syscall.EEXIST) || !strings.Contains(err.Error(), `"ip route del unicast 10.1.64.9"`) {
			t.Errorf("on %q: %v, want EEXIST and the remedy", name, err)
		}
	}
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject}) // as by the configuration
	eventually(t, "the entry is told", func() bool {
		r.m.updating.Lock()
		defer r.m.updating.Unlock()
		return len(r.m.rejections) == 1
	})
	r.awaitRoutes(theirs)
	if err := r.host.Delete("e0", rejectedIP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry is gone", func() bool {
		r.m.updating.Lock()
		defer r.m.updating.Unlock()
		return len(r.m.rejections) == 0
	})
	r.awaitRoutes(theirs)
}

// TestRejectFirst makes the route before the entry, which is then set or not.
func TestRejectFirst(t *testing.T) {
	r := newRig(t, 0)
	undo, err := r.m.Reject("", rejectedIP, host.Blackhole)
	if err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes(blackhole)
	undo()
	r.awaitRoutes("")
	if _, err = r.m.Reject("e0", rejectedIP, host.Reject); err != nil {
		t.Fatal(err)
	}
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject})
	r.awaitRoutes(unreachable)
	if _, err := r.m.Reject("nosuch0", rejectedIP, host.Reject); err != nil {
		t.Errorf("on an interface that is not taken over: %v", err)
	}
}

// TestRejectTwice has entries of one address on two interfaces: one route.
func TestRejectTwice(t *testing.T) {
	r := newRouter(t)
	if err := r.m.Take(Spec{Name: "r0"}); err != nil {
		t.Fatal(err)
	}
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject})
	r.awaitRoutes(unreachable)
	r.set(host.Change{Interface: "r0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Blackhole})
	if err := r.host.Delete("e0", rejectedIP); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes(blackhole)
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject})
	r.awaitRoutes(unreachable)
	r.m.Administered()
	if err := r.m.Release("r0"); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes(unreachable)
	if err := r.m.Release("e0"); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes("")
	if list, _, err := r.m.store.List(); err != nil || len(list) != 0 {
		t.Errorf("records after the release: %v, %v", list, err)
	}
	if err := r.m.Take(Spec{Name: "e0"}); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes(unreachable) // it was set by hand
}

// TestRejectRestored finds what a daemon that was killed has left behind: its own
// route is deleted, and somebody else's with the same address is not.
func TestRejectRestored(t *testing.T) {
	for _, test := range []struct{ name, route, want string }{
		{"its own", "unreachable 10.1.64.9 proto 82", ""},
		{"somebody else's", "unreachable 10.1.64.9 proto static", "unreachable 10.1.64.9 proto static"},
		{"somebody else's of another type", "blackhole 10.1.64.9 proto 82", "blackhole 10.1.64.9 proto 82"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 0) // for the namespace
			dir := t.TempDir()
			here, err := record.Here()
			if err != nil {
				t.Fatal(err)
			}
			store, err := record.Open(dir, here)
			if err != nil {
				t.Fatal(err)
			}
			key := rejectKey{rejectedIP, rtnl.TableMain}
			if err := store.Put(record.Record{Kind: kindRoute, Key: key.String(), Old: noRouteOfOurs, New: "unreachable"}); err != nil {
				t.Fatal(err)
			}
			ip(t, "route add "+test.route)
			for range 2 { // the second time there is nothing to do
				if _, err := restoreSettings(context.Background(), store, r.m.conn, nil); err != nil {
					t.Fatal(err)
				}
				r.awaitRoutes(test.want)
			}
			if list, _, err := store.List(); err != nil || len(list) != 0 {
				t.Errorf("records afterwards: %v, %v", list, err)
			}
		})
	}
}

// TestKept writes every kind of entry down that an administrator sets, and reads it
// again.
func TestKept(t *testing.T) {
	r := newRouter(t)
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 65, last}) }
	auto := lladdr.Addr{}
	set := []host.Change{
		{IP: at(1), MAC: rejectedMAC},
		{IP: at(2), MAC: rejectedMAC, Publish: host.Published},
		{IP: at(3), MAC: auto, Publish: host.Published},
		{IP: at(4), MAC: rejectedMAC, Publish: host.PublishedOnly},
		{IP: at(5), MAC: auto, Publish: host.PublishedOnly},
		{IP: at(6), MAC: rejectedMAC, Action: host.Reject},
		{IP: at(7), MAC: rejectedMAC, Action: host.Blackhole},
		{IP: at(8), MAC: rejectedMAC, Publish: host.Published, Action: host.Reject},
		{IP: at(9), MAC: rejectedMAC, Temporary: true},
		{IP: at(4), MAC: rejectedMAC},                               // beside the published-only one
		{IP: at(22), MAC: rejectedMAC, Publish: host.Published},     // the kernel has it unpublished
		{IP: at(23), MAC: rejectedMAC, Publish: host.PublishedOnly}, // the kernel has a proxy neighbour
		{IP: at(10), MAC: rejectedMAC, Authority: true},
		{IP: at(11), MAC: rejectedMAC, Publish: host.PublishedOnly, Authority: true},
	}
	set = append(set, host.Change{IP: at(24), MAC: auto, Publish: host.PublishedOnly, Temporary: true}) // that, too
	ip(t, "route add 10.1.65.24 dev r0")
	ip(t, "neigh add proxy 10.1.65.24 dev e0")
	ip(t, "neigh add 10.1.65.22 lladdr "+rejectedMAC.String()+" dev e0 nud permanent")
	ip(t, "route add 10.1.65.23 dev r0")
	ip(t, "neigh add proxy 10.1.65.23 dev e0")
	eventually(t, "isat has adopted all three", func() bool {
		r.reread()
		return len(r.host.Entry(at(22))) == 1 && len(r.host.Entry(at(23))) == 1 && len(r.host.Entry(at(24))) == 1
	})
	for i := range set {
		set[i].Interface, set[i].Origin = "e0", host.Administrator
		r.set(set[i])
	}
	// What the kernel has itself is not kept.
	ip(t, "neigh add 10.1.65.20 lladdr 02:00:00:00:65:20 dev e0 nud permanent")
	ip(t, "route add 10.1.65.21 dev r0")
	ip(t, "neigh add proxy 10.1.65.21 dev e0")
	eventually(t, "isat has adopted both", func() bool {
		r.reread()
		return len(r.host.Entry(at(20))) == 1 && len(r.host.Entry(at(21))) == 1
	})
	before := make(map[host.Change]bool)
	for _, c := range set {
		before[c] = true
	}
	check := func(when string) {
		t.Helper()
		got := make(map[host.Change]bool)
		for _, e := range r.host.Entries() {
			if isAdministrative(e) && (!r.m.isForeign(e) || e.Publish == host.Published) {
				got[changeOf(e)] = true
			}
		}
		for c := range before {
			if !got[c] {
				t.Errorf("%s: %+v is missing", when, c)
			}
			delete(got, c)
		}
		for c := range got {
			t.Errorf("%s: there is %+v, too", when, c)
		}
	}
	check("set")
	r.m.Administered()
	if err := r.m.Release("e0"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(r.dir, "entries.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"10.1.65.20", "10.1.65.21"} {
		if strings.Contains(string(b), foreign) {
			t.Errorf("%s is written down, which the kernel has itself", foreign)
		}
	}
	if got := ip(t, "neigh show proxy"); !strings.Contains(got, "10.1.65.21 dev e0") {
		t.Errorf("after the release the kernel's proxy neighbours are %q", got)
	}
	if err := r.m.Take(Spec{Name: "e0"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the proxy neighbour is adopted again", func() bool { return len(r.host.Entry(at(21))) == 1 })
	check("taken over again")
	ip(t, "neigh del proxy 10.1.65.21 dev e0")
	ip(t, "neigh del proxy 10.1.65.23 dev e0")
	r.reread()
	if e := r.host.Entry(at(21)); len(e) != 0 {
		t.Errorf("after ip neigh del proxy: %+v", e)
	}
	check("without the kernel's proxy neighbour")
}

// TestKeptTemporary writes down where a temporary entry has moved to, and that it has
// expired before the time that is written down.
func TestKeptTemporary(t *testing.T) {
	r := newRig(t, 0)
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Temporary: true})
	written := func() string {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		if err := r.m.keep(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(r.dir, "entries.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	r.m.Administered()
	if got := written(); !strings.Contains(got, rejectedMAC.String()) {
		t.Fatalf("written down is %s", got)
	}
	moved := lladdr.MustParse("02:00:00:00:65:09")
	r.set(host.Change{Interface: "e0", IP: rejectedIP, MAC: moved, Temporary: true})
	if got := written(); !strings.Contains(got, moved.String()) {
		t.Errorf("after it moved, written down is %s", got)
	}
	if err := r.host.Delete("e0", rejectedIP); err != nil {
		t.Fatal(err)
	}
	if got := written(); strings.Contains(got, rejectedIP.String()) {
		t.Errorf("after it ended, written down is %s", got)
	}
}

// TestStand has entries of the configuration of every kind: they are set, not
// written down as somebody's, and deleted when the configuration lacks them.
func TestStand(t *testing.T) {
	r := newRig(t, 0)
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 66, last}) }
	all := []host.Change{
		{Interface: "e0", IP: at(1), MAC: rejectedMAC, Publish: host.Published},
		{Interface: "e0", IP: at(2), Publish: host.PublishedOnly},
		{Interface: "e0", IP: at(3), Publish: host.Published},
		{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject},
	}
	if err := r.m.Stand(all); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes(unreachable)
	count := func() (n int) {
		for _, e := range r.host.Entries() {
			if isAdministrative(e) {
				n++
			}
		}
		return n
	}
	if n := count(); n != len(all) {
		t.Errorf("there are %d entries, want %d", n, len(all))
	}
	r.wantNothingKept()
	if err := r.m.Stand(nil); err != nil {
		t.Fatal(err)
	}
	r.awaitRoutes("")
	if n := count(); n != 0 {
		t.Errorf("there are %d entries, want none", n)
	}
}
