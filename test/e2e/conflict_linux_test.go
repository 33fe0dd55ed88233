package e2e

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
)

// impostorMAC is of a host that claims isat's address.
const impostorMAC = "02:00:00:00:00:66"

// using is the diagnostic of a claim, to the letter.
const using = "arp: " + impostorMAC + " is using my IP address " + isatIP + " on e0!"

// TestConflict: another host says that isat's address is its. A request is
// answered, to it alone, with whose the address is; any other packet makes the
// diagnostic only (facts 3.3 step 6). Nobody is learned, and pings go on.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer, who speaks for the impostor
func TestConflict(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	const claim = `arp(dst="02:00:00:00:00:66", src=ISAT, op=2, hwsrc=ISAT, psrc="192.0.2.1", hwdst="02:00:00:00:00:66", pdst="192.0.2.1")`
	cases := []struct {
		name, frame string
		answered    bool
		drop        string
	}{
		{"announcement", `arp(hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", pdst="192.0.2.1")`, true, ""},
		{"request for the peer", `arp(hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", pdst="192.0.2.2")`, true, ""},
		{"request for nobody", `arp(hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", pdst="192.0.2.77")`, true, ""},
		{"reply to us", `arp(dst=ISAT, op=2, hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", hwdst=ISAT, pdst="192.0.2.1")`, false, ""},
		{"reply to everybody", `arp(op=2, hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", hwdst=ALL, pdst="192.0.2.1")`, false, ""},
		{"reverse request", `arp(op=3, hwsrc="02:00:00:00:00:66", psrc="192.0.2.1", hwdst=ZERO, pdst="192.0.2.1")`, false, "operation"},
	}
	expressions := []string{claim}
	for _, c := range cases {
		expressions = append(expressions, c.frame)
	}
	frames := scapy(t, expressions...)
	want := append(frames[0], make([]byte, 60-len(frames[0]))...)

	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+standard)
	d.Wire("e0").AllowClaims("that isat's address is claimed is the test")
	wire := peer.Capture("e0")
	for i, c := range cases {
		before := d.Stats()
		got := exchange(t, wire, frames[1+i])
		switch {
		case c.answered && (len(got) != 1 || !bytes.Equal(got[0].Bytes, want)):
			t.Errorf("%s: answered %v, want % x", c.name, got, want)
		case !c.answered && len(got) > 0:
			t.Errorf("%s: answered %v, want silence", c.name, got)
		}
		await(t, "isat says "+using, func() bool { return d.Said(using) >= i+1 })
		if d.Said(using) != i+1 {
			t.Errorf("%s: said %d times so far, want %d", c.name, d.Said(using), i+1)
		}
		after := d.Stats()
		if after.DupIPs != before.DupIPs+1 {
			t.Errorf("%s: dupips counted %d, want 1", c.name, after.DupIPs-before.DupIPs)
		}
		checkDrops(t, before, after, c.drop)
		if e, _ := d.Entry("e0", isatIP); string(e.MAC) != isatMAC || !e.Authority {
			t.Errorf("%s: isat has %+v of its own address", c.name, e)
		}
		if n, ok := isat.Neighbour("e0", isatIP); ok {
			t.Errorf("%s: the kernel has a neighbour with the own address: %+v", c.name, n)
		}
		peer.Must("ping", "-q", "-c", "1", "-W", "10", isatIP)
	}
}

// TestSuppressed: a claim that repeats makes one line a second, and one that says
// how many were held back.
func TestSuppressed(t *testing.T) {
	t.Parallel()
	const claims = 300
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	d.Wire("e0").AllowClaims("that isat's address is claimed is the test")
	wire := peer.Capture("e0")
	for range claims {
		wire.Say(arp.Reply, isatMAC, impostorMAC, isatIP, isatIP)
	}
	exchange(t, wire, nil)
	if got := d.Stats().DupIPs; got != claims {
		t.Errorf("dupips counted %d, want %d", got, claims)
	}
	held := regexp.MustCompile(`(?m)^arp: suppressed (\d+) messages like this: conflict, ` + regexp.QuoteMeta(isatIP) + `$`)
	// Between the claims a second may begin, and on a busy machine several.
	sum := func() (all int) {
		for _, m := range held.FindAllStringSubmatch(d.Output(), -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			all += n
		}
		return all
	}
	await(t, "isat says how much it held back", func() bool { return d.Said(using)+sum() >= claims })
	said, suppressed := d.Said(using), sum()
	if said+suppressed != claims || said == 0 || said > claims/10 {
		t.Errorf("isat said it %d times and held it back %d times, want %d together", said, suppressed, claims)
	}
	if got := d.Tool("sysctl", "-n", "net.link.ether.arp.stats.suppressed"); strings.TrimSpace(got.Stdout) != fmt.Sprint(suppressed) {
		t.Errorf("isat sysctl says %+v, want %d", got, suppressed)
	}
}
