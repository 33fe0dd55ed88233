package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/isat-project/isat/api"
)

// place is where an entry is.
type place struct{ dev, ip string }

// String returns "ADDRESS on INTERFACE".
func (p place) String() string { return p.ip + " on " + p.dev }

// kind is what is known of the entry of a place.
type kind uint8

const (
	// absent: nobody may have a usable entry. That is what holds without a fact,
	// but for the addresses of the peer.
	absent kind = iota
	// permanent: an administrator has set it.
	permanent
	// temporary: isat's arp -s temp has set it; it is there as long as the link.
	temporary
	// dynamic: others have set it, and nobody speaks for it: it is there as long as
	// the link and the daemon.
	dynamic
	// either: it may be there or not; if it is there, with the MAC, if one is known.
	either
)

// fact is what must be so. Facts follow from the steps alone, never from a listing.
type fact struct {
	kind kind
	mac  string
	// foreign: it was set by others than isat, which does not write it down.
	foreign bool
	// kernel: the kernel has it also without isat, as far as is known.
	kernel bool
	// lost: the kernel has deleted it with the link, and gets it again from isat when
	// the link is back. What others set meanwhile is theirs, even if it is the same.
	lost bool
	// below is what isat has written down, and sets again if this goes without it.
	below *fact
	// publish: isat answers for it; auto: with the MAC of the interface.
	publish, auto bool
	// action is "reject" or "blackhole": a route and no entry in the kernel.
	action api.Action
}

// ordered reports whether isat's administrator has said more than where the owner
// of the address is, so that neither the owner nor the link ends or changes it.
func (f fact) ordered() bool { return f.publish || f.action != "" }

// written reports whether isat writes it down.
func (f fact) written() bool {
	return (f.kind == permanent || f.kind == temporary) && (!f.foreign || f.publish)
}

// network is one interface of isat's host and the peer at the other end.
type network struct {
	name, prefix string // "e0", "192.0.2."
	up, carrier  bool   // of isat's end, of the peer's end
	released     bool
	primary      bool            // has its first address
	extra        map[string]bool // further addresses that it has
	mac, peerMAC string
	forwards     bool
	proxies      map[string]bool // the kernel's proxy neighbours, and whether ip has added them
	adopted      map[string]bool // those that isat knows
	wire         *Capture        // of the peer's end
}

func (n *network) running() bool { return n.up && n.carrier }

func (n *network) at(host int) place { return place{n.name, fmt.Sprint(n.prefix, host)} }

// The hosts of each network. Nobody's addresses have entries by administrators
// alone. Those of the peer are resolved and learned, too. Those elsewhere are routed
// by a third interface, which isat has not.
var (
	peers     = []int{2, 3}
	nobodys   = []int{100, 101, 102, 103, 104, 105}
	elsewhere = []int{140, 141}
)

// world is the hosts, the daemon and what must be so.
type world struct {
	t          *testing.T
	seed       uint64
	random     *rand.Rand
	isat, peer *Host
	dir        string
	questions  string // the file with kernelQuestions
	d          *ISAT  // nil while none runs
	nets       []*network
	facts      map[place]fact
	only       map[place]fact    // of published-only entries
	left       map[string]string // the routes that a killed daemon has left
	transcript []string
	udp, back  net.PacketConn // of isat's host and of the peer
	macs       int
	told       bool // what the last nudge has set
}

const randomConfig = standard + `
[[interface]]
name = "e1"
dad = false
`

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	n := NewNet(t)
	w := &world{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), isat: n.Host("isat"), peer: n.Host("peer"), facts: make(map[place]fact), only: make(map[place]fact)}
	n.Veth(w.isat.End("e0", isatMAC), w.peer.End("e0", peerMAC))
	n.Veth(w.isat.End("e1", "02:00:00:00:01:01"), w.peer.End("e1", "02:00:00:00:01:02"))
	for name, prefix := range map[string]string{"e0": "192.0.2.", "e1": "198.51.100."} {
		w.isat.Must("ip", "addr", "add", prefix+"1/24", "dev", name)
		for _, host := range peers {
			w.peer.Must("ip", "addr", "add", fmt.Sprint(prefix, host, "/24"), "dev", name)
		}
	}
	w.nets = []*network{
		{name: "e0", prefix: "192.0.2.", mac: isatMAC, peerMAC: peerMAC},
		{name: "e1", prefix: "198.51.100.", mac: "02:00:00:00:01:01", peerMAC: "02:00:00:00:01:02"},
	}
	n.Veth(w.isat.End("e2", "02:00:00:00:02:01"), w.peer.End("e2", "02:00:00:00:02:02"))
	w.isat.Must("ip", "addr", "add", "203.0.113.1/24", "dev", "e2")
	w.isat.Sysctl("net.ipv4.ip_forward", 1)
	for _, n := range w.nets {
		n.up, n.carrier, n.primary, n.forwards = true, true, true, true
		n.extra, n.proxies, n.adopted = make(map[string]bool), make(map[string]bool), make(map[string]bool)
		for _, host := range elsewhere {
			w.isat.Must("ip", "route", "add", n.at(host).ip, "dev", "e2")
		}
		n.wire = w.peer.Capture(n.name)
	}
	var err error
	// Not t.TempDir: the path of a Unix socket has room for 107 bytes.
	if w.dir, err = os.MkdirTemp("", "e2e"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(w.dir) })
	w.questions = filepath.Join(w.dir, "questions")
	if err := os.WriteFile(w.questions, []byte(kernelQuestions), 0o600); err != nil {
		t.Fatal(err)
	}
	for host, conn := range map[*Host]*net.PacketConn{w.isat: &w.udp, w.peer: &w.back} {
		if err := host.NS.Do(func() (err error) { *conn, err = net.ListenPacket("udp4", "0.0.0.0:9"); return err }); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*conn).Close() })
	}
	return w
}

// active reports whether isat does ARP on a network.
func (w *world) active(n *network) bool { return w.d != nil && !n.released }

func (w *world) network(name string) *network {
	return w.nets[slices.IndexFunc(w.nets, func(n *network) bool { return n.name == name })]
}

// fact returns what must be so of a place.
func (w *world) fact(p place) fact {
	f, ok := w.facts[p]
	if !ok && slices.ContainsFunc(peers, func(host int) bool { return w.network(p.dev).at(host) == p }) {
		f.kind = either
	}
	return f
}

// each calls f for the facts of a network and makes them what it returns. A fact
// of kind absent goes.
func (w *world) each(n *network, f func(fact) fact) {
	for p, old := range maps.Clone(w.facts) {
		if p.dev != n.name {
			continue
		}
		w.put(p, f(old))
	}
}

func (w *world) put(p place, f fact) {
	if f.kind == absent {
		delete(w.facts, p)
		return
	}
	w.facts[p] = f
}

// row is a line of a listing.
type row struct {
	mac       string // "": incomplete or failed
	permanent bool
	state     string
	learned   bool // by isat, and nobody asked
	publish   bool
	action    api.Action
}

func (r row) String() string {
	return fmt.Sprintf("%q %s permanent=%v publish=%v %s", r.mac, r.state, r.permanent, r.publish, r.action)
}

// listings is what programs list at one moment.
type listings struct {
	isat, only           map[place]row // the ordinary and the published-only entries
	kernel, tool         map[place]row
	proxies, toolProxies map[place]bool
	routes               map[string]string // isat's: the types by address
}

// readKernel reads what ip lists: neighbours, without those that need no ARP, which
// net-tools does not list either; proxy neighbours; and isat's routes.
func (w *world) readKernel(l *listings) {
	w.t.Helper()
	var all, proxies []Neighbour
	var routes []struct{ Type, Dst string }
	lists := json.NewDecoder(strings.NewReader(w.isat.Must("ip", "-4", "-json", "-batch", w.questions)))
	for _, list := range []any{&all, &proxies, &routes} {
		if err := lists.Decode(list); err != nil {
			w.t.Fatal(err)
		}
	}
	l.kernel, l.proxies, l.routes = make(map[place]row), make(map[place]bool), make(map[string]string)
	for _, n := range all {
		r := row{mac: n.MAC, state: strings.Join(n.State, " ")}
		switch r.state {
		case "NOARP":
			continue
		case "FAILED", "INCOMPLETE":
			r.mac = ""
		case "PERMANENT":
			r.permanent = true
		}
		l.kernel[place{n.Dev, n.IP}] = r
	}
	for _, n := range proxies {
		l.proxies[place{n.Dev, n.IP}] = true
	}
	for _, r := range routes {
		l.routes[r.Dst] = r.Type
	}
}

// kernelQuestions are what ip is asked.
const kernelQuestions = `neigh show nud all
neigh show proxy
route show proto 82
`

// readTool reads what arp -an of net-tools lists.
func (w *world) readTool(l *listings) {
	w.t.Helper()
	l.tool, l.toolProxies = make(map[place]row), make(map[place]bool)
	for line := range strings.Lines(w.isat.Must("arp", "-an")) {
		// ? (192.0.2.2) at 02:00:00:00:00:02 [ether] PERM on e0
		// ? (192.0.2.3) at <from_interface> PERM PUB on e0
		f := strings.Fields(line)
		if len(f) < 5 || f[2] != "at" || f[len(f)-2] != "on" {
			continue // "arp: in 4 entries no match found."
		}
		p := place{f[len(f)-1], strings.Trim(f[1], "()")}
		r := row{mac: f[3], permanent: slices.Contains(f, "PERM")}
		switch {
		case slices.Contains(f, "PUB"):
			l.toolProxies[p] = true
			continue
		case r.mac == "<incomplete>":
			r.mac = ""
		}
		l.tool[p] = r
	}
}

// readISAT reads what isat lists, without own addresses.
func (w *world) readISAT(l *listings) {
	l.isat, l.only = make(map[place]row), make(map[place]row)
	if w.d == nil {
		return
	}
	w.t.Helper()
	all, err := w.d.API.Entries(w.t.Context(), api.EntryFilter{})
	if err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.transcript, "\n"))
	}
	for _, e := range all {
		if e.Authority {
			continue
		}
		r := row{mac: string(e.MAC), permanent: e.Permanent, state: string(e.State), learned: e.Origin == "learned", publish: e.Published, action: e.Action}
		if e.Incomplete {
			r.mac = ""
		}
		if p := (place{e.Interface, e.IP.String()}); e.PublishOnly {
			l.only[p] = r
		} else {
			l.isat[p] = r
		}
	}
}

func (w *world) isatListing() string {
	if w.d == nil {
		return "(isat does not run)"
	}
	return w.d.Tool("arp", "-an").Stdout
}

// wrong returns what is not as it must be.
func (w *world) wrong() []string {
	w.t.Helper()
	var l listings
	w.readISAT(&l)
	w.readKernel(&l)
	w.readTool(&l)
	wrong := append(w.disagreement(&l), w.missing(&l)...)
	slices.Sort(wrong)
	return wrong
}

// disagreement returns how the listings differ.
//
// ip neigh and net-tools' arp show the same table: they have the same entries with
// the same MAC, which are permanent in both or in neither, and incomplete in
// net-tools' words when they are INCOMPLETE or FAILED in iproute2's.
//
// Of isat's listing and the kernel's, on an interface that isat has:
//   - An entry with a MAC in the kernel is in isat's, with that MAC, and permanent
//     in both or in neither.
//   - An INCOMPLETE one in the kernel is no usable one in isat's: the kernel asked,
//     and gets the answer that is there. A FAILED one may be: isat has learned the
//     address since, and the kernel asks again before it sends.
//   - An entry with a MAC in isat's is in the kernel, with that MAC; but one that
//     isat has learned and nobody asked for is isat's alone (DESIGN section 4,
//     Installed on demand), and while the link is down the kernel, which deletes all
//     it has then, need not have what isat keeps for its return. What isat
//     rejects or discards is never in the kernel's table.
//
// On an interface that isat does not have, isat lists nothing.
//
// Proxy neighbours are the same in ip neigh and in net-tools' arp.
func (w *world) disagreement(l *listings) (differ []string) {
	isat, kernel, tool := l.isat, l.kernel, l.tool
	complain := func(p place, format string, args ...any) {
		differ = append(differ, fmt.Sprintf("%v: ", p)+fmt.Sprintf(format, args...))
	}
	for p, k := range kernel {
		if t, ok := tool[p]; !ok || t.mac != k.mac || t.permanent != k.permanent {
			complain(p, "ip neigh has %v, arp -an %v (%v)", k, t, ok)
		}
		if !w.active(w.network(p.dev)) {
			continue
		}
		i, ok := isat[p]
		switch {
		case k.mac != "" && i.action != "":
			complain(p, "the kernel has %v, isat %v", k, i)
		case k.mac != "" && (!ok || i.mac != k.mac || i.permanent != k.permanent):
			complain(p, "the kernel has %v, isat %v (%v)", k, i, ok)
		case k.state == "INCOMPLETE" && i.mac != "":
			complain(p, "the kernel asks for it and isat has %v", i)
		}
	}
	for p := range tool {
		if _, ok := kernel[p]; !ok {
			complain(p, "arp -an has it, ip neigh does not")
		}
	}
	for p, i := range isat {
		n := w.network(p.dev)
		if !w.active(n) {
			complain(p, "isat has %v on an interface that it has handed back", i)
		}
		if k := kernel[p]; i.mac != "" && k.mac == "" && n.running() && !i.learned && i.action == "" {
			complain(p, "isat has %v, the kernel %v", i, k)
		}
	}
	for p := range l.only {
		if !w.active(w.network(p.dev)) {
			complain(p, "isat publishes it on an interface that it has handed back")
		}
	}
	if !maps.Equal(l.proxies, l.toolProxies) {
		differ = append(differ, fmt.Sprintf("proxy neighbours: ip neigh has %v, arp -an %v", l.proxies, l.toolProxies))
	}
	return differ
}

// missing returns what must be there and is not, and what is there and must not:
//   - what an administrator has set is in isat's listing on an interface that isat
//     has, and in the kernel while the link is up;
//   - what others have set is in the kernel without isat, too;
//   - what nobody has set and nobody answers for has no MAC anywhere;
//   - isat's routes are those of what is rejected or discarded, and no others;
//   - the published-only entries are those that were set, and the kernel's proxy
//     neighbours that the kernel would answer for.
func (w *world) missing(l *listings) (wrong []string) {
	isat, kernel := l.isat, l.kernel
	check := func(who string, p place, f fact, r row, must bool) {
		ok := true
		switch f.kind {
		case absent:
			ok = r.mac == ""
		case either:
			ok = r.mac == "" || !r.permanent && (f.mac == "" || r.mac == f.mac)
		case permanent, temporary, dynamic:
			ok = !must && r.mac == "" || r.mac == f.mac && r.permanent == (f.kind == permanent)
		}
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%v: %s has %v, want %v", p, who, r, f))
		}
	}
	for _, n := range w.nets {
		for _, host := range slices.Concat(peers, nobodys) {
			p := n.at(host)
			f := w.fact(p)
			if w.active(n) {
				check("isat", p, f, isat[p], true)
				if i := isat[p]; i.publish != f.publish || i.action != f.action {
					wrong = append(wrong, fmt.Sprintf("%v: isat has %v, want %v", p, i, f))
				}
				if f.action != "" {
					f = fact{}
				}
				check("the kernel", p, f, kernel[p], n.running())
				continue
			}
			if f.kind != absent && f.kind != either && !f.kernel {
				f = w.loosely(p, fact{})
			}
			check("the kernel alone", p, f, kernel[p], true)
		}
	}
	if want := w.routes(); !maps.Equal(l.routes, want) {
		wrong = append(wrong, fmt.Sprintf("isat's routes are %v, want %v", l.routes, want))
	}
	only := make(map[place]row)
	for p, r := range l.only {
		only[p] = row{mac: r.mac, permanent: r.permanent}
	}
	want, proxies := make(map[place]row), make(map[place]bool)
	for p, f := range w.only {
		if w.active(w.network(p.dev)) {
			want[p] = row{mac: f.mac, permanent: f.kind == permanent}
		}
	}
	for _, n := range w.nets {
		for ip := range n.proxies {
			proxies[place{n.name, ip}] = true
		}
	}
	if !maps.Equal(only, want) {
		wrong = append(wrong, fmt.Sprintf("isat's published-only entries are %v, want %v", only, want))
	}
	if !maps.Equal(l.proxies, proxies) {
		wrong = append(wrong, fmt.Sprintf("the kernel's proxy neighbours are %v, want %v", l.proxies, proxies))
	}
	return wrong
}

// routes returns which routes of isat the kernel must have.
func (w *world) routes() map[string]string {
	if w.d == nil {
		return w.left
	}
	routes := make(map[string]string)
	for p, f := range w.facts {
		if !w.active(w.network(p.dev)) {
			continue
		}
		switch f.action {
		case api.ActionReject:
			routes[p.ip] = "unreachable"
		case api.ActionBlackhole:
			routes[p.ip] = "blackhole"
		}
	}
	return routes
}

// String returns the fact in words.
func (f fact) String() string {
	return fmt.Sprintf("%s %s publish=%v %s foreign=%v kernel=%v", [...]string{"absent", "permanent", "temporary", "dynamic", "either"}[f.kind], f.mac, f.publish, f.action, f.foreign, f.kernel)
}
