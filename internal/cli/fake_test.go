package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/lladdr"
)

// fakeDaemon answers as the daemon does, from tables in memory.
type fakeDaemon struct {
	mu      sync.Mutex
	entries []api.Entry
	sysctls []api.SysctlNode
}

func newFakeDaemon() *http.Server {
	d := &fakeDaemon{entries: fakeEntries(), sysctls: fakeSysctls()}
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(*http.Request) (any, error){
		"GET /v1/arp":                        d.list,
		"PUT /v1/arp":                        d.put,
		"DELETE /v1/arp":                     d.deleteAll,
		"DELETE /v1/arp/{ip}":                d.delete,
		"POST /v1/resolve":                   d.resolve,
		"POST /v1/announce":                  d.announce,
		"GET /v1/explain":                    fakeExplain,
		"GET /v1/sysctl":                     d.listSysctls,
		"GET /v1/sysctl/{name}":              d.sysctl,
		"PUT /v1/sysctl/{name}":              d.setSysctl,
		"DELETE /v1/sysctl/{name}":           d.resetSysctl,
		"GET /v1/routes":                     func(*http.Request) (any, error) { return api.Routes{Routes: fakeRoutes()}, nil },
		"GET /v1/interfaces":                 d.interfaces,
		"GET /v1/status":                     func(*http.Request) (any, error) { return fakeStatus(), nil },
		"GET /v1/stats":                      func(*http.Request) (any, error) { return fakeStats(), nil },
		"POST /v1/interfaces/{name}/take":    d.take,
		"POST /v1/interfaces/{name}/release": d.release,
		"POST /v1/reload":                    d.reload,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { answer(w, r, f) })
	}
	mux.HandleFunc("GET /v1/events", fakeEvents)
	mux.HandleFunc("POST /v1/probe", fakeProbe)
	return &http.Server{Handler: mux}
}

func answer(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, error)) {
	body, err := f(r)
	w.Header().Set("Content-Type", "application/json")
	if failed, ok := err.(*api.Error); ok {
		w.WriteHeader(failed.Status)
		body = failed
	}
	json.NewEncoder(w).Encode(body)
}

func fail(errno syscall.Errno, format string, args ...any) error {
	name, ok := api.ErrnoName(errno)
	if !ok {
		panic(errno)
	}
	return &api.Error{Text: fmt.Sprintf(format, args...), Errno: name, Status: api.ErrnoStatus(errno)}
}

func fakeEntries() []api.Entry {
	at := func(ip, mac, ifname, medium string, e api.Entry) api.Entry {
		e.IP, e.MAC, e.Interface, e.Type = netip.MustParseAddr(ip), api.MAC(mac), ifname, medium
		e.Incomplete = mac == ""
		return e
	}
	return []api.Entry{
		at("192.0.2.1", "02:00:00:00:00:01", "eth0", "ethernet", api.Entry{ExpiresIn: api.Seconds(1199500 * time.Millisecond)}),
		at("192.0.2.1", "02:00:00:00:01:01", "eth1", "ethernet", api.Entry{ExpiresIn: api.Seconds(time.Second)}),
		at("192.0.2.5", "02:00:00:00:00:05", "eth0", "ethernet", api.Entry{Permanent: true, Authority: true}),
		at("192.0.2.7", "", "eth0", "ethernet", api.Entry{State: api.StateIncomplete}),
		at("192.0.2.9", "02:00:00:00:00:09", "eth0", "ethernet", api.Entry{Permanent: true, Published: true}),
		at("192.0.2.10", "02:00:00:00:00:0a", "eth0", "ethernet", api.Entry{Permanent: true, Published: true, PublishOnly: true}),
		at("192.0.2.9", "02:00:00:00:00:19", "eth0", "ethernet", api.Entry{Permanent: true, Published: true, PublishOnly: true}),
		at("192.0.2.11", "02:00:00:00:00:0b", "eth0", "ethernet", api.Entry{}),
		at("198.51.100.2", "02:00:00:00:00:0c", "tr0", "token-ring", api.Entry{RT: "610:123:450", ExpiresIn: api.Seconds(7 * time.Second)}),
		at("203.0.113.2", "1f", "arc0", "arcnet", api.Entry{ExpiresIn: api.Seconds(8 * time.Second)}),
		at("203.0.113.3", "05", "arc0", "arcnet", api.Entry{ExpiresIn: api.Seconds(8 * time.Second)}),
	}
}

func (d *fakeDaemon) list(r *http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := r.URL.Query()
	after, _ := netip.ParseAddr(q.Get("after"))
	result := api.Entries{Entries: []api.Entry{}}
	for _, e := range d.entries {
		if d.selects(q.Get("interface"), q.Get("ip"), e) && after.Less(e.IP) {
			result.Entries = append(result.Entries, e)
		}
	}
	return result, nil
}

func (d *fakeDaemon) selects(ifname, ip string, e api.Entry) bool {
	return (ifname == "" || ifname == e.Interface) && (ip == "" || ip == e.IP.String())
}

func (d *fakeDaemon) put(r *http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var set api.SetEntry
	if err := json.NewDecoder(r.Body).Decode(&set); err != nil {
		return nil, fail(syscall.EINVAL, "%v", err)
	}
	n := slices.IndexFunc(fakeNetworks, func(n fakeNetwork) bool { return n.prefix.Contains(set.IP) })
	mac, _ := lladdr.Parse(string(set.MAC))
	if set.IP.String() == "255.255.255.255" {
		return nil, fail(syscall.EINVAL, "setting the entry of %v: not the address of a neighbour: invalid argument", set.IP)
	}
	if n < 0 {
		return nil, fail(syscall.ENETUNREACH, "setting the entry of %v: in no network of this host: add an address in its network, or name the interface as \"arp -i IFNAME -s\" does: network is unreachable", set.IP)
	}
	on := fakeNetworks[n]
	switch {
	case set.MAC == api.EtherAuto:
		set.MAC = on.own
	case mac.Len() != len(on.own+":")/3:
		return nil, fail(syscall.EINVAL, "setting the entry of %v: link-layer address %q has %d bytes, %s has %d: invalid argument",
			set.IP, set.MAC, mac.Len(), on.ifname, len(on.own+":")/3)
	case mac.IsZero() || mac.IsBroadcast():
		return nil, fail(syscall.EINVAL, "setting the entry of %v: link-layer address %v is not that of one host: invalid argument", set.IP, mac)
	}
	if set.Interface == "" {
		set.Interface = on.ifname
	}
	e := api.Entry{IP: set.IP, MAC: set.MAC, Interface: set.Interface, Type: on.medium, Permanent: !set.Temp,
		Published: set.Pub != api.PublishNo, PublishOnly: set.Pub == api.PublishOnly, Action: set.Action}
	if set.Temp {
		e.ExpiresIn = api.Seconds(1200 * time.Second)
	}
	i := slices.IndexFunc(d.entries, func(old api.Entry) bool {
		return old.IP == e.IP && old.Interface == e.Interface && old.PublishOnly == e.PublishOnly
	})
	switch {
	case i < 0:
		d.entries = append(d.entries, e)
		// The lines of a file come in any order, and a listing goes by address and
		// has the ordinary entry before the published-only one.
		slices.SortStableFunc(d.entries, func(a, b api.Entry) int {
			if c := cmp.Or(a.IP.Compare(b.IP), cmp.Compare(a.Interface, b.Interface)); c != 0 || a.PublishOnly == b.PublishOnly {
				return c
			} else if a.PublishOnly {
				return 1
			}
			return -1
		})
	case d.entries[i].Authority:
		return nil, fail(syscall.EPERM, "setting the entry of %v: it is an address of this host: operation not permitted", e.IP)
	default:
		d.entries[i] = e
	}
	return e, nil
}

// fakeNetwork is a network on an interface with an own link-layer address.
type fakeNetwork struct {
	prefix         netip.Prefix
	ifname, medium string
	own            api.MAC
}

var fakeNetworks = []fakeNetwork{
	{netip.MustParsePrefix("192.0.2.0/24"), "eth0", "ethernet", "02:00:00:00:00:05"},
	{netip.MustParsePrefix("198.51.100.0/24"), "tr0", "token-ring", "02:00:00:00:00:06"},
	{netip.MustParsePrefix("203.0.113.0/24"), "arc0", "arcnet", "07"},
}

func (d *fakeDaemon) remove(gone func(api.Entry) bool) api.Entries {
	d.mu.Lock()
	defer d.mu.Unlock()
	result := api.Entries{Entries: []api.Entry{}}
	d.entries = slices.DeleteFunc(d.entries, func(e api.Entry) bool {
		if gone(e) {
			result.Entries = append(result.Entries, e)
		}
		return gone(e)
	})
	return result
}

func (d *fakeDaemon) deleteAll(r *http.Request) (any, error) {
	ifname := r.URL.Query().Get("interface")
	return d.remove(func(e api.Entry) bool { return d.selects(ifname, "", e) && !e.Authority }), nil
}

func (d *fakeDaemon) delete(r *http.Request) (any, error) {
	ip, q := r.PathValue("ip"), r.URL.Query()
	if ip == "192.0.2.5" {
		return nil, fail(syscall.EPERM, "deleting the entry of 192.0.2.5: it is an address of this host: operation not permitted")
	}
	deleted := d.remove(func(e api.Entry) bool {
		return d.selects(q.Get("interface"), ip, e) && e.PublishOnly == (q.Get("pub") == "only")
	})
	if len(deleted.Entries) == 0 { // the ordinary one first, then the published-only one
		deleted = d.remove(func(e api.Entry) bool { return d.selects(q.Get("interface"), ip, e) && e.PublishOnly })
	}
	if len(deleted.Entries) == 0 {
		return nil, fail(syscall.ENXIO, "deleting the entry of %s: no entry: no such device or address", ip)
	}
	return deleted, nil
}

func (d *fakeDaemon) resolve(r *http.Request) (any, error) {
	var q api.ResolveRequest
	json.NewDecoder(r.Body).Decode(&q)
	switch q.IP.String() {
	case "192.0.2.66":
		return nil, fail(syscall.EHOSTDOWN, "resolving 192.0.2.66 on eth0: 5 requests unanswered: host is down")
	case "192.0.2.68":
		return nil, fail(syscall.EHOSTDOWN, "no answer")
	case "10.0.0.1":
		return nil, fail(syscall.EHOSTUNREACH, "the gateway 192.0.2.66 does not answer")
	case "192.0.2.67":
		return nil, fail(syscall.ETIMEDOUT, "no answer in %v", q.Timeout)
	}
	i := slices.IndexFunc(d.entries, func(e api.Entry) bool { return d.selects(q.Interface, q.IP.String(), e) })
	if i < 0 {
		return nil, fail(syscall.ENETUNREACH, "no route to %v", q.IP)
	}
	return d.entries[i], nil
}

func (d *fakeDaemon) announce(r *http.Request) (any, error) {
	var q api.AnnounceRequest
	json.NewDecoder(r.Body).Decode(&q)
	for _, ip := range q.IPs {
		if ip.String() != "192.0.2.5" {
			return nil, fail(syscall.EADDRNOTAVAIL, "%v is no own or published address of %s", ip, q.Interface)
		}
	}
	return struct{}{}, nil
}

// fakeExplain answers for one interface.
func fakeExplain(r *http.Request) (any, error) {
	q := r.URL.Query()
	if q.Get("interface") != "eth0" {
		return nil, fail(syscall.ENXIO, "explaining the request for %s on %q: no such interface: no such device or address", q.Get("target"), q.Get("interface"))
	}
	e := api.Explanation{
		Interface: "eth0", Target: netip.MustParseAddr(q.Get("target")), Sender: netip.MustParseAddr(q.Get("sender")), SenderMAC: api.MAC(q.Get("mac")),
		Verdict: "answer", Step: "prefix rule", Reason: "prefix_answer", MAC: "02:00:00:00:00:05", Prefix: netip.MustParsePrefix("198.51.100.0/24"),
		Findings: []api.Finding{{Step: "prefix rule", Reason: "prefix_answer", Text: "198.51.100.0/24 on eth0 has 198.51.100.9"}},
	}
	who := ""
	if e.SenderMAC != "" {
		who = ", " + string(e.SenderMAC)
	}
	e.Text = fmt.Sprintf("eth0: who has %v? Tell %v%s\n  prefix rule:     %s\nAnswered with %s, by the rule \"prefix rule\".\n",
		e.Target, e.Sender, who, e.Findings[0].Text, e.MAC)
	return e, nil
}

func fakeSysctls() []api.SysctlNode {
	return []api.SysctlNode{
		{Name: "net.link.ether.arp.log_level", Value: 6, Max: 7},
		{Name: "net.link.ether.arp.stats.txrequests", Value: 42, ReadOnly: true},
		{Name: "net.link.ether.inet.max_age", Value: 1200, Min: 1, Max: 1000000},
		{Name: "net.link.ether.inet.maxtries", Value: 5, Min: 1, Max: 255},
	}
}

func (d *fakeDaemon) listSysctls(r *http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ifname := r.URL.Query().Get("interface"); ifname == "eth7" {
		return nil, fail(syscall.ENXIO, "no such interface: \"isat status\" lists those that isat knows: no such device or address")
	}
	return api.Sysctls{Nodes: slices.Clone(d.sysctls)}, nil
}

func (d *fakeDaemon) find(name string) (int, error) {
	i := slices.IndexFunc(d.sysctls, func(n api.SysctlNode) bool { return n.Name == name })
	if i < 0 {
		return 0, fail(syscall.ENOENT, "reading %s: no such node, did you mean net.link.ether.inet.max_age? no such file or directory", name)
	}
	return i, nil
}

func (d *fakeDaemon) sysctl(r *http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return d.sysctls[i], nil
}

func (d *fakeDaemon) setSysctl(r *http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	var set api.SetSysctl
	json.NewDecoder(r.Body).Decode(&set)
	n := &d.sysctls[i]
	switch {
	case n.ReadOnly:
		return nil, fail(syscall.EPERM, "setting %s: read-only: operation not permitted", n.Name)
	case set.Value < n.Min || set.Value > n.Max:
		return nil, fail(syscall.EINVAL, "setting %s: %d is out of range %d to %d: invalid argument", n.Name, set.Value, n.Min, n.Max)
	}
	n.Value = set.Value
	return *n, nil
}

func (d *fakeDaemon) resetSysctl(r *http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.find(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	d.sysctls[i].Value = fakeSysctls()[i].Value
	return d.sysctls[i], nil
}

func fakeRoutes() []api.Route {
	route := func(dst, gw, flags, ifname string, refs int, use uint64, expires time.Duration) api.Route {
		return api.Route{Destination: netip.MustParsePrefix(dst), Gateway: gw, Flags: flags, Interface: ifname,
			Refs: refs, Use: use, ExpiresIn: api.Seconds(expires)}
	}
	return []api.Route{
		route("0.0.0.0/0", "192.0.2.1", "UGS", "eth0", 0, 1234, 0),
		route("192.0.2.0/24", "link#2", "UC", "eth0", 0, 0, 0),
		route("192.0.2.1/32", "02:00:00:00:00:01", "UHLW", "eth0", 2, 77, 77*time.Second),
		route("192.0.2.5/32", "02:00:00:00:00:05", "UHLW", "lo", 1, 4, 0),
		route("198.51.100.7/32", "link#3", "UC", "enp0s31f6", 0, 0, 0),
	}
}

func fakeInterfaces() []api.Interface {
	return []api.Interface{
		{Name: "eth0", Index: 2, MAC: "02:00:00:00:00:05", Medium: "ethernet", MTU: 1500, Datapath: "kernel", State: "up", ARP: "on",
			DAD: true, Guarded: true, Since: time.Date(2026, 11, 21, 18, 44, 0, 0, time.UTC), Entries: 6,
			Addresses: []api.InterfaceAddr{
				{Prefix: netip.MustParsePrefix("192.0.2.5/24"), State: api.AddrVerified},
				{Prefix: netip.MustParsePrefix("192.0.2.6/24"), State: api.AddrDuplicate, Owner: "02:00:00:00:00:66"},
				{Prefix: netip.MustParsePrefix("192.0.2.8/32"), State: api.AddrVerified, Delayed: true},
			},
			Published: []api.PublishedAddr{
				{IP: netip.MustParseAddr("192.0.2.50"), State: api.AddrDuplicate, Owner: "02:00:00:00:00:66"},
				{IP: netip.MustParseAddr("192.0.2.51"), State: api.AddrVerified},
			},
			Warnings: []string{"eth1 hears the same segment and answers: set arp_ignore=1 there"}},
		{Name: "eth9", Datapath: "kernel", State: "absent", ARP: "on"},
		{Name: "tr0", Index: 4, MAC: "02:00:00:00:00:06", Medium: "ethernet", MTU: 1500, Datapath: "observe", State: "failed", ARP: "static",
			Error: "it is a bridge port of br0"},
	}
}

func (d *fakeDaemon) interfaces(*http.Request) (any, error) {
	more := []api.Interface{{Name: "arc0"}, {Name: "eth1"}}
	return api.Interfaces{Interfaces: append(more, fakeInterfaces()...)}, nil
}

func fakeStatus() api.Status {
	return api.Status{Version: "v0.1.0", Instance: "abc", LastSeq: 17, PID: 4711, Started: time.Date(2026, 11, 21, 18, 44, 0, 0, time.UTC),
		Uptime: api.Seconds(3723*time.Second + 5e8), Config: "/etc/isat/isat.toml", Warnings: []string{"the kernel is old"},
		Tables:     api.Tables{Entries: 12, Incomplete: 1, Permanent: 3, Published: 2, Networks: 4, Held: 5},
		Interfaces: fakeInterfaces()}
}

func fakeStats() api.Stats {
	return api.Stats{Counters: api.Counters{TxRequests: 1, TxReplies: 2, TxErrors: 0, RxRequests: 3, RxReplies: 1, Received: 1,
		Dropped: 1, Timeouts: 4, DupIPs: 1, Drops: map[string]uint64{"too_short": 2, "foreign_opcode": 1, "never": 0}}}
}

func (d *fakeDaemon) take(r *http.Request) (any, error) {
	switch name := r.PathValue("name"); name {
	case "eth0":
		return fakeInterfaces()[0], nil
	case "eth1":
		return nil, fail(syscall.EPERM, "only root and the daemon's user may change anything")
	default:
		return nil, fail(syscall.ENXIO, "taking %s over: no such interface", name)
	}
}

func (d *fakeDaemon) release(r *http.Request) (any, error) {
	if name := r.PathValue("name"); name != "eth0" {
		return nil, fail(syscall.ENXIO, "%s is not taken over", name)
	}
	return struct{}{}, nil
}

// reload changes something, unless the table is empty: then it changes nothing, and
// fails the next time.
func (d *fakeDaemon) reload(*http.Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch n := len(d.entries); {
	case n == 0:
		return nil, fail(syscall.EINVAL, "isat.toml:3: daemon.read: want a string\nisat.toml:9: interface.nme: unknown key: invalid argument")
	case n == 1: // own addresses only
		d.entries = nil
		return api.ReloadResult{}, nil
	}
	return api.ReloadResult{Changes: []string{"interface eth1: added", "sysctl: net.link.ether.inet.max_age: default -> 600"}}, nil
}

// fakeEvents sends four events and then ends as a daemon does that stops. After
// position abc:3 it goes on without more events, as a daemon does that lives.
func fakeEvents(w http.ResponseWriter, r *http.Request) {
	since := uint64(0)
	if p, err := api.ParsePosition(r.URL.Query().Get("since")); err == nil {
		since = p.Seq
	}
	at := func(seconds int) time.Time { return time.Date(2026, 11, 21, 18, 44, seconds, 123456789, time.UTC) }
	encoder := json.NewEncoder(w)
	for i, e := range []api.Event{
		{Type: "resolved", Interface: "eth0", IP: netip.MustParseAddr("192.0.2.1"), MAC: "02:00:00:00:00:01"},
		{Type: "moved", Interface: "eth0", IP: netip.MustParseAddr("192.0.2.1"), MAC: "02:00:00:00:00:02", OldMAC: "02:00:00:00:00:01",
			Severity: 6, Message: "arp: 192.0.2.1 moved from 02:00:00:00:00:01 to 02:00:00:00:00:02 on eth0"},
		{Type: "lost", Count: 17},
		{Type: "link_down", Interface: "eth0"},
	} {
		e.Instance, e.Seq, e.Time = "abc", uint64(i+1), at(i)
		if e.Seq > since {
			encoder.Encode(e)
		}
	}
	if since == 3 {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// fakeProbe has a host with the addresses that end in .9, and a link that goes down
// before .66 is known.
func fakeProbe(w http.ResponseWriter, r *http.Request) {
	var q api.ProbeRequest
	json.NewDecoder(r.Body).Decode(&q)
	encoder := json.NewEncoder(w)
	if q.Interface != "eth0" {
		answer(w, r, func(*http.Request) (any, error) {
			return nil, fail(syscall.ENXIO, "probing on %s: no such interface: no such device or address", q.Interface)
		})
		return
	}
	for _, ip := range q.IPs {
		switch ip.As4()[3] {
		case 9:
			encoder.Encode(api.Probed{IP: ip, MAC: "02:00:00:00:00:09"})
		case 66:
			encoder.Encode(fail(syscall.ENETDOWN, "probing on eth0: no link: network is down"))
			return
		default:
			encoder.Encode(api.Probed{IP: ip, Free: true})
		}
	}
}
