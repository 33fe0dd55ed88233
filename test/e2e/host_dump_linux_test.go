package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// dumpScript prints everything of the host's network that isat may touch and has
// to put back, and much that it may not.
const dumpScript = `
ip -details link
ip addr
ip route show table all
ip rule
nft list ruleset | sed 's/ expires [0-9a-z]*//; s/counter packets [0-9]* bytes [0-9]*/counter/'
tc qdisc show
for dev in $(ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do tc filter show dev $dev ingress; done
grep -r . /proc/sys/net/ipv4/neigh /proc/sys/net/ipv4/conf /proc/sys/net/ipv4/ip_forward | sort
`

// Dump returns links, addresses, routes, rules, nftables, tc, neighbour
// parameters and conf of the host.
func (h *Host) Dump() string {
	h.t.Helper()
	need(h.t, "ip", "nft", "tc")
	return h.Must("sh", "-ec", dumpScript)
}

// SameDump fails the test if a dump is not what it was.
func (h *Host) SameDump(when, before string) {
	h.t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(h.Dump(), "\n")); diff != "" {
		h.t.Errorf("%s the host is not as it was before the start (-before +after):\n%s", when, diff)
	}
}

// disagreement returns how the tables of isat and of the kernel differ on an
// interface, "" if they agree: every address that one of them uses has the same
// MAC in the other, and is permanent in both or in neither. What isat has learned
// and the kernel never asked for is isat's alone (DESIGN section 4, Installed on
// demand).
func (d *ISAT) disagreement(ifname string) string {
	d.t.Helper()
	all, err := d.API.Entries(d.t.Context(), api.EntryFilter{Interface: ifname})
	if err != nil {
		d.t.Fatal(err)
	}
	ours := make(map[string]api.Entry)
	for _, e := range all {
		if e.Origin != "own" {
			ours[e.IP.String()] = e
		}
	}
	var differ []string
	for _, k := range d.Host.Neighbours(ifname) {
		if k.MAC == "" || slices.Contains(k.State, "NOARP") || slices.Contains(k.State, "FAILED") {
			continue
		}
		e, ok := ours[k.IP]
		delete(ours, k.IP)
		switch permanent := slices.Contains(k.State, "PERMANENT"); {
		case !ok:
			differ = append(differ, fmt.Sprintf("%s is in the kernel only: %s %v", k.IP, k.MAC, k.State))
		case string(e.MAC) != k.MAC || e.Permanent != permanent:
			differ = append(differ, fmt.Sprintf("%s is %s %v in the kernel and %s %s in isat", k.IP, k.MAC, k.State, e.MAC, e.State))
		}
	}
	for ip, e := range ours {
		if e.Origin != "learned" && !e.Incomplete {
			differ = append(differ, fmt.Sprintf("%s is in isat only: %s %s, %s", ip, e.MAC, e.State, e.Origin))
		}
	}
	slices.Sort(differ)
	return strings.Join(differ, "\n")
}

// Agree waits until isat's table of an interface and the kernel's agree.
func (d *ISAT) Agree(ifname string) {
	d.t.Helper()
	last := ""
	defer func() {
		d.t.Helper()
		if last != "" {
			d.t.Log(last)
		}
	}()
	await(d.t, "isat and the kernel agree on "+ifname, func() bool {
		last = d.disagreement(ifname)
		return last == ""
	})
}

// request returns the frame of a request for target by a host with the addresses
// ip and mac.
func request(ip, mac, target string) []byte {
	from := lladdr.MustParse(mac)
	p := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: link.TypeIPv4, Operation: arp.Request,
		SenderHW: from, SenderIP: netip.MustParseAddr(ip), TargetHW: lladdr.From6([6]byte{}), TargetIP: netip.MustParseAddr(target),
	}
	return link.Ethernet{}.Append(nil, link.Header{Destination: lladdr.Broadcast(), Source: from, Type: link.TypeARP}, p.AppendTo(nil))
}

// eventually waits until cond holds, for [patience] at most, and reports whether
// it does.
func eventually(cond func() bool) bool {
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
