package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/isat-project/isat/api"
)

// TestArpRefusals has the daemon's own words for entries that cannot be, one at a
// time and as lines of a file, whose other lines are set.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestArpRefusals(t *testing.T) {
	t.Parallel()
	Require(t)
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	const good = "02:00:00:00:00:09"
	cases := []struct{ words, why string }{
		{"192.0.2.1 " + good, "set 192.0.2.1: it is an address of this host: operation not permitted"},
		{"10.0.0.1 " + good, `set 10.0.0.1: in no network of this host: add an address in its network, or name the interface as "arp -i IFNAME -s" does: network is unreachable`},
		{"10.0.0.1 auto pub", "no interface found for 10.0.0.1"},
		{"192.0.2.9 00:00:00:00:00:00", "set 192.0.2.9: link-layer address 00:00:00:00:00:00 is not that of one host"},
		{"192.0.2.9 ff:ff:ff:ff:ff:ff", "set 192.0.2.9: link-layer address ff:ff:ff:ff:ff:ff is not that of one host"},
		{"192.0.2.9 01:00:5e:00:00:01", "set 192.0.2.9: link-layer address 01:00:5e:00:00:01 is not that of one host"},
		{"192.0.2.9 1f", `set 192.0.2.9: link-layer address "1f" has 1 bytes, e0 has 6`},
		{"192.0.2.255 " + good, "set 192.0.2.255: it is the broadcast address of e0"},
		{"224.0.0.1 " + good, "set 224.0.0.1: not the address of a neighbour"},
		{"255.255.255.255 " + good, "set 255.255.255.255: not the address of a neighbour"},
		{"127.0.0.1 " + good, "set 127.0.0.1: not the address of a neighbour"},
		{"0.0.0.0 " + good, "set 0.0.0.0: not the address of a neighbour"},
	}
	var file, errors strings.Builder
	path := d.path("table")
	for i, c := range cases {
		r := d.Tool(append([]string{"arp", "-s"}, strings.Fields(c.words)...)...)
		if want := "arp: " + c.why + "\n"; r.Code != 1 || r.Stdout != "" || r.Stderr != want {
			t.Errorf("arp -s %s: exit status %d, stdout %q, stderr %q, want 1, %q, %q", c.words, r.Code, r.Stdout, r.Stderr, "", want)
		}
		fmt.Fprintf(&file, "%s\n192.0.2.%d %s\n", c.words, 100+i, good)
		fmt.Fprintf(&errors, "arp: %s:%d: %s\n", path, 2*i+1, c.why)
	}
	// 192.0.2.9 is refused for its first reason, then for being there twice.
	want := errors.String()
	for _, line := range []int{9, 11, 13} {
		want = replaceLine(want, fmt.Sprintf("arp: %s:%d: ", path, line), "set 192.0.2.9: the same host is in line 7")
	}
	want = replaceLine(want, fmt.Sprintf("arp: %s:5: ", path), "set 10.0.0.1: the same host is in line 3")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := d.Tool("arp", "-f", path); r.Code != 1 || r.Stdout != "" || r.Stderr != want {
		t.Errorf("arp -f: exit status %d, stdout %q, stderr\n%swant 1, none,\n%s", r.Code, r.Stdout, r.Stderr, want)
	}
	// Both remedies for an address in no network work.
	if r := d.Tool("arp", "-i", "e0", "-s", "10.0.0.1", good); r.Code != 0 {
		t.Errorf("arp -i e0 -s 10.0.0.1: %+v", r)
	}
	isat.Must("ip", "addr", "add", "10.0.1.1/24", "dev", "e0")
	await(t, "10.0.1.9 is in a network", func() bool { return d.Tool("arp", "-s", "10.0.1.9", good).Code == 0 })
	for i := range cases {
		if e, ok := d.Entry("e0", fmt.Sprintf("192.0.2.%d", 100+i)); !ok || !e.Permanent || e.MAC != good {
			t.Errorf("of a line after a bad one the entry is %+v, %v", e, ok)
		}
	}
}

// replaceLine puts another text behind the beginning of a line.
func replaceLine(text, beginning, rest string) string {
	before, after, _ := strings.Cut(text, beginning)
	_, after, _ = strings.Cut(after, "\n")
	return before + beginning + rest + "\n" + after
}

// TestArpPublish publishes by arp -s, and has arping judge who answers.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer with arping
func TestArpPublish(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	d.Wire("e0").AllowClaims("one address is published with several link-layer addresses")
	const ip, mac, other = "192.0.2.9", "02:00:00:00:00:09", "02:00:00:00:00:19"
	const line = "? (" + ip + ") at %s on e0 permanent%s [ethernet]\n"
	answers := func() string {
		out := peer.Run("arping", "-I", "e0", "-c", "1", "-w", "2", ip).Stdout
		_, out, _ = strings.Cut(out, "Unicast reply from "+ip+" [")
		answer, _, _ := strings.Cut(out, "]")
		return strings.ToLower(answer)
	}
	for _, s := range []struct {
		args   string
		says   string
		shown  string // by arp -n
		answer string // to arping; "" for none
	}{
		{"-s " + ip + " " + mac, "", fmt.Sprintf(line, mac, ""), ""},
		{"-s " + ip + " " + mac + " pub", "", fmt.Sprintf(line, mac, " published"), mac},
		{"-s " + ip + " " + other + " pub only", "", fmt.Sprintf(line, mac, " published") + fmt.Sprintf(line, other, " published (proxy only)"), ""},
		{"-d " + ip, ip + " (" + ip + ") deleted\n", fmt.Sprintf(line, other, " published (proxy only)"), other},
		{"-d " + ip + " pub", ip + " (" + ip + ") deleted\n", ip + " (" + ip + ") -- no entry\n", ""},
		{"-s " + ip + " auto pub", "using interface e0 for proxy with address " + isatMAC + "\n", fmt.Sprintf(line, isatMAC, " published"), isatMAC},
		{"-d " + ip, ip + " (" + ip + ") deleted\n", ip + " (" + ip + ") -- no entry\n", ""},
	} {
		r := d.Tool(append([]string{"arp"}, strings.Fields(s.args)...)...)
		if r.Code != 0 || r.Stdout != s.says || r.Stderr != "" {
			t.Fatalf("arp %s: %+v, want %q", s.args, r, s.says)
		}
		if shown := d.Tool("arp", "-n", ip).Stdout; shown != s.shown {
			t.Errorf("after arp %s it is shown as\n%swant\n%s", s.args, shown, s.shown)
		}
		if strings.Count(s.shown, "\n") == 2 {
			continue // either may answer
		}
		if got := answers(); got != s.answer {
			t.Errorf("after arp %s arping is answered by %q, want %q", s.args, got, s.answer)
		}
	}
}

// TestProxyRules has rules of the configuration and of the socket, and arping
// judge who answers; isat explain has to say the same.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer with arping
func TestProxyRules(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	isat, peer := NewPair(t)
	const rule = "[[proxy]]\nprefix = \"198.51.100.0/24\"\ninterface = \"e0\"\n"
	d := StartISAT(t, isat, standard+rule+"[[proxy]]\nprefix = \"203.0.113.0/24\"\ninterface = \"later0\"\n")
	check := func(when, ip, want string) {
		t.Helper()
		out := peer.Run("arping", "-I", "e0", "-c", "1", "-w", "2", ip).Stdout
		_, out, _ = strings.Cut(out, "Unicast reply from "+ip+" [")
		answer, _, _ := strings.Cut(out, "]")
		if got := strings.ToLower(answer); got != want {
			t.Errorf("%s: arping is answered for %s by %q, want %q", when, ip, got, want)
		}
		r := d.Tool("explain", "e0", ip, peerIP, peerMAC)
		said := "Answered with " + want + ", "
		if got := strings.Contains(r.Stdout, "\nAnswered with "); r.Code != 0 || got != (want != "") || want != "" && !strings.Contains(r.Stdout, said) {
			t.Errorf("%s: isat explain for %s: exit status %d, %s%s", when, ip, r.Code, r.Stdout, r.Stderr)
		}
	}
	check("a rule of the configuration", "198.51.100.9", isatMAC)
	check("no rule", "198.51.101.9", "")
	check("a rule for another interface", "203.0.113.9", "")

	prefix := netip.MustParsePrefix("198.51.101.0/24")
	made := api.ProxyRule{Prefix: prefix, Interface: "e0", Ether: "02:00:00:00:00:0a"}
	if _, created, err := d.API.SetProxyRule(t.Context(), made); err != nil || !created {
		t.Fatalf("setting a rule: new %v, %v", created, err)
	}
	check("a rule of the socket", "198.51.101.9", "02:00:00:00:00:0a")
	made.DenyFrom = []netip.Prefix{netip.MustParsePrefix(peerIP + "/32")}
	if _, created, err := d.API.SetProxyRule(t.Context(), made); err != nil || created {
		t.Fatalf("changing a rule: new %v, %v", created, err)
	}
	check("deny-from", "198.51.101.9", "")
	if _, _, err := d.API.SetProxyRule(t.Context(), api.ProxyRule{Prefix: prefix, Interface: "e0", Ether: "1f"}); err == nil {
		t.Error("a rule with an address of another medium is taken")
	}
	made.DenyFrom = nil
	if _, _, err := d.API.SetProxyRule(t.Context(), made); err != nil {
		t.Fatal(err)
	}

	// A reload takes away what the file no longer has, and that only.
	d.WriteConfig(standard)
	changes, err := d.API.Reload(t.Context())
	if want := "[proxy 198.51.100.0/24 on e0: removed proxy 203.0.113.0/24 on later0: removed]"; err != nil || fmt.Sprint(changes) != want {
		t.Errorf("the reload says %q, %v, want %s", changes, err, want)
	}
	check("a rule that is out of the file", "198.51.100.9", "")
	check("a rule of the socket after the reload", "198.51.101.9", "02:00:00:00:00:0a")
	if _, err := d.API.DeleteProxyRule(t.Context(), prefix, "e0"); err != nil {
		t.Fatal(err)
	}
	check("a rule that is deleted", "198.51.101.9", "")
	if r := d.Tool("explain", "e7", peerIP, isatIP); r.Code != 1 || !strings.Contains(r.Stderr, "isat does no ARP on e7") {
		t.Errorf("isat explain of no interface: %+v", r)
	}
}
