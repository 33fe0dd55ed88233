package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// listing is what isat arp -an prints, without own addresses. Times are cut off.
func (d *ISAT) listing(ifname string) string {
	d.t.Helper()
	out := d.Tool("arp", "-an", "-i", ifname)
	if out.Code != 0 {
		d.t.Fatalf("%+v", out)
	}
	var lines []string
	for line := range strings.Lines(out.Stdout) {
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " expires in ")
		if !strings.Contains(line, isatIP+")") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// TestHostEntriesOfOthers lets every program that knows neighbours change them:
// iproute2 by netlink, arp of net-tools by ioctl. isat follows; and they see what
// isat's own arp does.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHostEntriesOfOthers(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	need(t, "arp")
	// One of each kind is there before isat is.
	isat.Must("ip", "neigh", "add", "192.0.2.20", "lladdr", "02:00:00:00:00:20", "dev", "e0")
	isat.Must("ip", "neigh", "add", "192.0.2.21", "lladdr", "02:00:00:00:00:21", "dev", "e0", "nud", "reachable")
	isat.Must("ping", "-c", "1", peerIP)
	d := StartISAT(t, isat, standard)

	const (
		at    = "? (%s) at %s on e0"
		perm  = at + " permanent [ethernet]"
		macs  = "02:00:00:00:00:"
		ipnei = "ip neigh "
	)
	line := func(format, ip, mac string) string { return fmt.Sprintf(format, "192.0.2."+ip, macs+mac) }
	base := []string{line(at, "2", "02"), line(perm, "20", "20"), line(at, "21", "21")}
	steps := []struct {
		command string
		own     bool     // a command of isat
		want    []string // besides base
	}{
		{command: "true"},
		{command: ipnei + "add 192.0.2.7 lladdr 02:00:00:00:00:07 dev e0", want: []string{line(perm, "7", "07")}},
		{command: ipnei + "replace 192.0.2.7 lladdr 02:00:00:00:00:17 dev e0", want: []string{line(perm, "7", "17")}},
		{command: ipnei + "replace 192.0.2.7 lladdr 02:00:00:00:00:27 dev e0 nud reachable", want: []string{line(at, "7", "27")}},
		{command: ipnei + "replace 192.0.2.7 lladdr 02:00:00:00:00:07 dev e0 nud stale", want: []string{line(at, "7", "07")}},
		{command: ipnei + "del 192.0.2.7 dev e0"},
		{command: "arp -s 192.0.2.8 02:00:00:00:00:08", want: []string{line(perm, "8", "08")}},
		{command: "arp -s 192.0.2.8 02:00:00:00:00:18", want: []string{line(perm, "8", "18")}},
		{command: "arp -d 192.0.2.8"},
		{command: "arp -s 192.0.2.9 02:00:00:00:00:09 temp", want: []string{line(at, "9", "09")}},
		{command: "arp -s 192.0.2.9 02:00:00:00:00:19 temp", want: []string{line(at, "9", "19")}},
		{command: "arp -d 192.0.2.9"},
		{command: "arp -s 192.0.2.10 02:00:00:00:00:0a", own: true, want: []string{line(perm, "10", "0a")}},
		{command: "arp -s 192.0.2.10 02:00:00:00:00:1a temp", own: true, want: []string{line(at, "10", "1a")}},
		{command: "arp -s 192.0.2.10 02:00:00:00:00:0a", own: true, want: []string{line(perm, "10", "0a")}},
		{command: "arp -d 192.0.2.10", want: nil}, // net-tools deletes what isat set
		{command: "arp -s 192.0.2.11 02:00:00:00:00:0b", want: []string{line(perm, "11", "0b")}},
		{command: "arp -d 192.0.2.11", own: true}, // and isat what net-tools set
		{command: "arp -s 192.0.2.12 02:00:00:00:00:0c", own: true, want: []string{line(perm, "12", "0c")}},
		{command: ipnei + "del 192.0.2.12 dev e0"},
	}
	for _, s := range steps {
		fields := strings.Fields(s.command)
		if s.own {
			if r := d.Tool(fields...); r.Code != 0 {
				t.Fatalf("isat %s: %+v", s.command, r)
			}
		} else {
			isat.Must(fields...)
		}
		want := append([]string(nil), base...)
		want = append(want, s.want...)
		got := ""
		ok := eventually(func() bool { got = d.listing("e0"); return sameLines(got, want) && d.disagreement("e0") == "" })
		if !ok {
			t.Fatalf("after %s (isat's own: %v) isat lists\n%s\nwant\n%s\n%s", s.command, s.own, got, strings.Join(want, "\n"), d.disagreement("e0"))
		}
	}

	// flush takes what is not permanent, whoever has set it.
	d.Tool("arp", "-s", "192.0.2.13", "02:00:00:00:00:0d")
	d.Agree("e0")
	isat.Must("ip", "neigh", "flush", "dev", "e0")
	var got string
	if !eventually(func() bool {
		got = d.listing("e0")
		return sameLines(got, []string{line(perm, "13", "0d"), line(perm, "20", "20")}) && d.disagreement("e0") == ""
	}) {
		t.Errorf("after ip neigh flush isat lists\n%s", got)
	}
	isat.Must("ip", "neigh", "flush", "dev", "e0", "nud", "permanent")
	if !eventually(func() bool { got = d.listing("e0"); return got == "" }) {
		t.Errorf("after ip neigh flush nud permanent isat lists\n%s", got)
	}
	// And what isat deletes is gone from the kernel.
	isat.Must("ping", "-c", "1", peerIP)
	d.Agree("e0")
	if r := d.Tool("arp", "-d", "-a"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	if !eventually(func() bool { return len(isat.Neighbours("e0")) == 0 }) {
		t.Errorf("after isat arp -d -a the kernel has %+v", isat.Neighbours("e0"))
	}
}

// sameLines reports whether text has exactly these lines, in any order.
func sameLines(text string, want []string) bool {
	have := make(map[string]int)
	n := 0
	for line := range strings.Lines(text) {
		have[strings.TrimSuffix(line, "\n")]++
		n++
	}
	for _, w := range want {
		if have[w] != 1 {
			return false
		}
	}
	return n == len(want)
}

// TestHostKeepsEntries restarts the daemon: what isat's arp has set is there
// again, what others have set was never gone.
func TestHostKeepsEntries(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	d.Tool("arp", "-s", "192.0.2.30", "02:00:00:00:00:30")
	d.Tool("arp", "-s", "192.0.2.31", "02:00:00:00:00:31", "temp")
	d.Tool("arp", "-s", "192.0.2.32", "02:00:00:00:00:32")
	d.Tool("arp", "-d", "192.0.2.32")
	isat.Must("ip", "neigh", "add", "192.0.2.33", "lladdr", "02:00:00:00:00:33", "dev", "e0")
	want := d.listingOf(t, "192.0.2.30", "192.0.2.31", "192.0.2.33")
	d.Stop()
	if n := isat.Neighbours("e0"); len(n) != 1 || n[0].IP != "192.0.2.33" {
		t.Errorf("while isat does not run the kernel has %+v, want that of ip neigh alone", n)
	}
	d = d.Restart(standard)
	if got := d.listing("e0"); !sameLines(got, want) {
		t.Errorf("after a restart isat lists\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	d.Agree("e0")
	// After a SIGKILL they are in the kernel still.
	d.Kill()
	d = d.Restart(standard)
	if got := d.listing("e0"); !sameLines(got, want) {
		t.Errorf("after SIGKILL and a start isat lists\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	d.Agree("e0")
}

// TestHostKeepsTheLastWord: what others make of an entry that was set with isat is
// what counts, also when the daemon stops or did not run.
func TestHostKeepsTheLastWord(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	const at = "? (192.0.2.%d) at 02:00:00:00:00:%s on e0"
	perm := func(ip int, mac string) string { return fmt.Sprintf(at+" permanent [ethernet]", ip, mac) }
	for _, ip := range []string{"30", "31", "32", "33"} {
		d.Tool("arp", "-s", "192.0.2."+ip, "02:00:00:00:00:"+ip)
	}
	d.Agree("e0")
	replace := func(ip, mac, nud string) {
		isat.Must("ip", "neigh", "replace", "192.0.2."+ip, "lladdr", "02:00:00:00:00:"+mac, "dev", "e0", "nud", nud)
	}
	await := func(when string, want ...string) {
		t.Helper()
		got := ""
		if !eventually(func() bool { got = d.listing("e0"); return sameLines(got, want) && d.disagreement("e0") == "" }) {
			t.Fatalf("%s isat lists\n%s\nwant\n%s\n%s", when, got, strings.Join(want, "\n"), d.disagreement("e0"))
		}
	}
	replace("30", "a0", "permanent")
	replace("31", "a1", "reachable")
	replace("32", "a2", "noarp")
	await("after ip neigh replace", perm(30, "a0"), fmt.Sprintf(at, 31, "a1"), perm(33, "33"))
	d.Stop()
	if n, ok := isat.Neighbour("e0", "192.0.2.30"); !ok || n.MAC != "02:00:00:00:00:a0" {
		t.Errorf("without isat the kernel has %+v of what ip neigh replace has set", n)
	}
	if n, ok := isat.Neighbour("e0", "192.0.2.32"); !ok || n.State[0] != "NOARP" {
		t.Errorf("without isat the kernel has %+v of what ip neigh replace has set", n)
	}
	replace("33", "a3", "permanent")
	d = d.Restart(standard)
	await("after a restart", perm(30, "a0"), perm(33, "a3"))
	// The first has isat's mark still, so that it is isat's to write down now.
	d.Stop()
	d = d.Restart(standard)
	await("after another restart", perm(30, "a0"), perm(33, "a3"))
	replace("30", "b0", "permanent")
	await("after another ip neigh replace", perm(30, "b0"), perm(33, "a3"))
	d.Tool("release", "e0")
	d.Tool("reload")
	if n, ok := isat.Neighbour("e0", "192.0.2.30"); !ok || n.MAC != "02:00:00:00:00:b0" {
		t.Errorf("after a release and a reload the kernel has %+v of what ip neigh replace has set", n)
	}
}

// listingOf waits until isat lists these addresses and no other, and returns the
// lines.
func (d *ISAT) listingOf(t *testing.T, ips ...string) []string {
	t.Helper()
	var lines []string
	await(t, fmt.Sprintf("isat lists %v", ips), func() bool {
		lines = strings.Split(d.listing("e0"), "\n")
		for i, ip := range ips {
			if len(lines) != len(ips) || !strings.Contains(lines[i], "("+ip+")") {
				return false
			}
		}
		return true
	})
	return lines
}
