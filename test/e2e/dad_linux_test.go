package e2e

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/link"
)

// recovering has duplicates tried again soon.
const recovering = `
[sysctl]
"net.link.ether.arp.fastprobe_delay" = 10
"net.link.ether.arp.fastprobe_interval" = 40
"net.link.ether.arp.publish_interval" = 1000
"net.link.ether.arp.dup_recovery" = 400
`

// withDAD is a configuration with recovering, and dad on e0.
const withDAD = recovering + `
[[interface]]
name = "e0"
dad = true
`

// rivalMAC is of the host that has isat's address, too.
const rivalMAC = "02:00:00:00:00:03"

// dadNet is the network of these tests:
//
//	isat 192.0.2.1 e0 ──┬── e0 192.0.2.2 peer
//	                    └── e0 rival, who may have isat's address
//
// All but the rival's claims is done by plain kernels.
type dadNet struct {
	isat, peer, rival *Host
	wire              *Capture // of the rival
}

func newDADNet(t *testing.T, addresses ...string) *dadNet {
	t.Helper()
	n := NewNet(t)
	d := &dadNet{isat: n.Host("isat"), peer: n.Host("peer"), rival: n.Host("rival")}
	n.Switch("switch", d.isat.End("e0", isatMAC), d.peer.End("e0", peerMAC), d.rival.End("e0", rivalMAC))
	for _, a := range addresses {
		d.isat.Must(append([]string{"ip", "addr", "add"}, append(strings.Fields(a), "dev", "e0")...)...)
	}
	d.peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	d.wire = d.rival.Capture("e0")
	return d
}

// start starts isat.
func (n *dadNet) start(t *testing.T, config string) *ISAT {
	t.Helper()
	d := StartISAT(t, n.isat, config)
	d.Wire("e0").AllowClaims("that isat's address is claimed is the test")
	return d
}

// claim gives the rival an address of isat's, and says so until cond holds.
func (n *dadNet) claim(t *testing.T, ip, what string, cond func() bool) {
	t.Helper()
	n.rival.Must("ip", "addr", "add", ip+"/32", "dev", "e0")
	await(t, what, func() bool {
		n.wire.Say(arp.Request, everybody, rivalMAC, ip, ip)
		time.Sleep(20 * time.Millisecond)
		return cond()
	})
}

// concede takes the address from the rival.
func (n *dadNet) concede(ip string) { n.rival.Must("ip", "addr", "del", ip+"/32", "dev", "e0") }

// has reports whether an interface of isat's host has an address.
func (h *Host) has(ifname, ip string) bool {
	for _, a := range h.addresses(ifname) {
		if strings.HasPrefix(a, ip+"/") {
			return true
		}
	}
	return false
}

// ownState returns the state of an own address, "" if isat knows none.
func (d *ISAT) ownState(ifname, ip string) string {
	d.t.Helper()
	s, err := d.API.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, i := range s.Interfaces {
		for _, a := range i.Addresses {
			if i.Name == ifname && a.Prefix.Addr() == netip.MustParseAddr(ip) {
				return a.State
			}
		}
	}
	return ""
}

// configuration is what ip(8) says of addresses and routes.
func (h *Host) configuration() string {
	h.t.Helper()
	return h.Must("ip", "-j", "-p", "addr", "show", "dev", "e0") + h.Must("ip", "-4", "-d", "route", "show", "table", "all")
}

// pings sends a ping every 10 ms until its end, which reports those that were lost.
func (h *Host) pings(to string) (end func(t *testing.T)) {
	h.t.Helper()
	p := h.Start("ping", "-n", "-i", "0.01", to)
	await(h.t, "the first ping is answered", func() bool { return strings.Contains(p.Output(), "icmp_seq=1 ") })
	return func(t *testing.T) {
		t.Helper()
		p.End(t, syscall.SIGINT)
		last := 0
		for line := range strings.Lines(p.Output()) {
			_, rest, ok := strings.Cut(line, "icmp_seq=")
			if !ok {
				continue
			}
			number, _, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(number)
			if err != nil || n != last+1 {
				t.Errorf("pings to %s: after %d came %s", to, last, line)
			}
			last = n
		}
		if last < 10 {
			t.Errorf("%d pings to %s were answered: the test has shown nothing\n%s", last, to, p.Output())
		}
	}
}

// TestDADThreeAddresses: somebody else has the first of three addresses of a
// network. It goes, with a route that depends on it, and comes back when it is free,
// and all is what it was; the other two never lose a ping.
func TestDADThreeAddresses(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	n := newDADNet(t, isatIP+"/24 brd + label e0:first", "192.0.2.10/24 brd +", "192.0.2.11/24", "198.51.100.1/24")
	n.isat.Must("ip", "route", "add", "203.0.113.0/24", "via", peerIP, "src", isatIP, "mtu", "1400")
	n.isat.Must("ip", "route", "add", "default", "via", peerIP, "src", "192.0.2.11", "metric", "5")
	d := n.start(t, withDAD)
	before := n.isat.configuration()
	ends := []func(*testing.T){n.peer.pings("192.0.2.10"), n.peer.pings("192.0.2.11")}

	n.claim(t, isatIP, "the address is gone", func() bool { return !n.isat.has("e0", isatIP) })
	duplicate := fmt.Sprintf("e0:first has duplicate address %s", isatIP)
	await(t, "the diagnostic is logged", func() bool { return strings.Contains(d.Output(), duplicate) })
	if got := d.ownState("e0", isatIP); got != "duplicate" && got != "recovering" {
		t.Errorf("isat status has the address as %q", got)
	}
	if routes := n.isat.Must("ip", "route", "show"); strings.Contains(routes, "src "+isatIP+" ") || !strings.Contains(routes, "default via") {
		t.Errorf("the routes meanwhile are\n%s", routes)
	}
	n.concede(isatIP)
	await(t, "the address is back", func() bool { return n.isat.has("e0", isatIP) })
	await(t, "all is what it was", func() bool { return n.isat.configuration() == before })
	await(t, "the address answers", func() bool { return n.peer.Run("ping", "-c", "1", "-W", "1", isatIP).Code == 0 })
	for _, end := range ends {
		end(t)
	}
	if want := fmt.Sprintf("Recovered address %s on e0:first.", isatIP); !strings.Contains(d.Output(), want) {
		t.Errorf("the log does not say %q", want)
	}
}

// from tells frames that a host sends with an address as sender, of IPv4 or ARP.
func from(ip string) func(Frame) bool {
	return func(f Frame) bool {
		switch {
		case !f.Out:
		case f.Header.Type == link.TypeIPv4:
			return len(f.Bytes) >= 34 && netip.AddrFrom4([4]byte(f.Bytes[26:30])).String() == ip
		case isARP(f):
			return f.Packet.SenderIP.String() == ip
		}
		return false
	}
}

// TestDADNewAddress: until it is verified that nobody has a new address, nothing
// leaves from it, whatever programs do.
func TestDADNewAddress(t *testing.T) {
	t.Parallel()
	Require(t, "ping", "nft")
	n := newDADNet(t, isatIP+"/24")
	const fresh = "192.0.2.9"
	d := n.start(t, strings.Replace(withDAD, `fastprobe_interval" = 40`, `fastprobe_interval" = 500`, 1))
	n.isat.Must("ip", "addr", "add", fresh+"/24", "dev", "e0")
	await(t, "the rule is there", func() bool {
		return strings.Contains(n.isat.Run("nft", "list", "set", "ip", "isat_dad", "unverified").Stdout, fresh)
	})
	wire := d.Wire("e0")
	mark := wire.Mark()
	p := n.isat.Start("ping", "-n", "-i", "0.05", "-I", fresh, peerIP)
	await(t, "it is verified", func() bool { return d.ownState("e0", fresh) != "probing" })
	await(t, "a ping is answered", func() bool {
		return strings.Contains(p.Output(), "icmp_seq=") && strings.Contains(p.Output(), "bytes from "+peerIP)
	})

	probe := func(f Frame) bool { return sentARP(f) && f.Packet.TargetIP.String() == fresh && f.Packet.IsProbe() }
	sent := wire.Since(mark, func(f Frame) bool { return from(fresh)(f) || probe(f) })
	probes := 0
	for probes < len(sent) && probe(sent[probes]) {
		probes++
	}
	if probes < 2 {
		t.Errorf("%d probes were sent before the first frame with the address: % x", probes, sent[0].Bytes)
	}
	if !isARP(sent[probes]) {
		t.Errorf("before the first announcement left % x", sent[probes].Bytes)
	}
	if out := n.isat.Must("nft", "list", "table", "ip", "isat_dad"); strings.Contains(out, fresh) {
		t.Errorf("there is still a rule:\n%s", out)
	}

	// The same when somebody has it: it goes, and nothing ever left.
	n.rival.Must("ip", "addr", "add", "192.0.2.77/32", "dev", "e0")
	n.isat.Must("ip", "addr", "add", "192.0.2.77/24", "dev", "e0")
	await(t, "it is gone", func() bool { return !n.isat.has("e0", "192.0.2.77") })
	if sent := wire.Since(mark, from("192.0.2.77")); len(sent) > 0 {
		t.Errorf("%d frames left from it, the first % x", len(sent), sent[0].Bytes)
	}
}

// TestDADCrash: after a SIGKILL while an address is taken down isat restore puts
// everything back, and the next daemon goes on with it.
func TestDADCrash(t *testing.T) {
	t.Parallel()
	setUp := func(t *testing.T) (*dadNet, *ISAT, string) {
		n := newDADNet(t, isatIP+"/24 brd +", "192.0.2.10/24")
		n.isat.Must("ip", "route", "add", "default", "via", peerIP, "src", isatIP)
		before := n.isat.configuration()
		d := n.start(t, withDAD)
		n.claim(t, isatIP, "the address is gone", func() bool { return !n.isat.has("e0", isatIP) })
		// What it wrote down before is narrowed down afterwards: to be killed then is
		// tested by package takeover.
		await(t, "it is written down", func() bool { return strings.Contains(n.isat.Must("cat", d.path("run/addresses.json")), isatIP) })
		d.Kill()
		return n, d, before
	}
	t.Run("restore", func(t *testing.T) {
		n, d, before := setUp(t)
		for range 2 {
			if r := n.isat.Run(program(t), "restore", "--runtime-dir", d.path("run")); r.Code != 0 {
				t.Errorf("isat restore: %+v", r)
			}
			if got := n.isat.configuration(); got != before {
				t.Errorf("after restore there is\n%s\nwant\n%s", got, before)
			}
		}
	})
	t.Run("the next daemon", func(t *testing.T) {
		n, d, before := setUp(t)
		d = d.Restart(withDAD)
		d.Wire("e0").AllowClaims("that isat's address is claimed is the test")
		await(t, "it is tried again", func() bool { return len(d.Wire("e0").Since(0, both(sentARP, who(isatIP)))) > 0 })
		if n.isat.has("e0", isatIP) {
			t.Error("the daemon has put the address back, which the rival has")
		}
		n.concede(isatIP)
		await(t, "the address is back", func() bool { return n.isat.configuration() == before })
	})
}

// TestDADExit: at the end all is there again, because nobody watches any more.
func TestDADExit(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(*ISAT, *dadNet){
		"stop":    func(d *ISAT, _ *dadNet) { d.Stop() },
		"release": func(d *ISAT, _ *dadNet) { d.Tool("release", "e0") },
		"reload": func(d *ISAT, _ *dadNet) {
			d.WriteConfig(strings.Replace(withDAD, "dad = true", "dad = false", 1))
			if _, err := d.API.Reload(d.t.Context()); err != nil {
				d.t.Error(err)
			}
		},
	} {
		t.Run(how, func(t *testing.T) {
			n := newDADNet(t, isatIP+"/24 brd +", "192.0.2.10/24")
			before := n.isat.configuration()
			d := n.start(t, withDAD)
			n.claim(t, isatIP, "the address is gone", func() bool { return !n.isat.has("e0", isatIP) })
			end(d, n)
			await(t, "all is what it was", func() bool { return n.isat.configuration() == before })
			if !strings.Contains(d.Output(), rivalMAC) || !strings.Contains(d.Output(), "nobody watches it any more") {
				t.Error("the log does not say who has the address that was put back")
			}
			if out := n.isat.Run("nft", "list", "table", "ip", "isat_dad"); out.Code == 0 {
				t.Errorf("there is still a rule:\n%s", out.Stdout)
			}
		})
	}
}

// TestDADForeign: what is not permanent, another program's, or touched meanwhile is
// taken down and never put back.
func TestDADForeign(t *testing.T) {
	t.Parallel()
	const short, theirs, again = "192.0.2.20", "192.0.2.21", "192.0.2.22"
	n := newDADNet(t, isatIP+"/24", short+"/24 valid_lft 5000 preferred_lft 5000", again+"/24")
	if err := n.isat.NS.Do(func() error {
		conn, err := rtnl.Dial(rtnl.Config{})
		if err != nil {
			return err
		}
		defer conn.Close()
		l, err := conn.LinkByName("e0")
		if err != nil {
			return err
		}
		// Older releases of ip(8) cannot say whose an address is.
		return conn.AddAddr(rtnl.Addr{Index: l.Index, Local: netip.MustParseAddr(theirs), Prefix: netip.MustParsePrefix("192.0.2.0/24"), Protocol: 99})
	}); err != nil {
		t.Fatal(err)
	}
	d := n.start(t, withDAD)
	for _, ip := range []string{short, theirs, again} {
		n.claim(t, ip, ip+" is gone", func() bool { return !n.isat.has("e0", ip) })
	}
	n.isat.Must("ip", "addr", "add", again+"/25", "dev", "lo")
	await(t, "isat gives it up", func() bool { return strings.Contains(d.Output(), "not put back: somebody has added it meanwhile") })
	for _, ip := range []string{short, theirs, again} {
		n.concede(ip)
	}
	// Another that does come back tells that it was time.
	n.claim(t, isatIP, "the address is gone", func() bool { return !n.isat.has("e0", isatIP) })
	n.concede(isatIP)
	await(t, "the address is back", func() bool { return n.isat.has("e0", isatIP) })
	d.Stop()
	if got := n.isat.addresses("e0"); len(got) != 1 || got[0] != isatIP+"/24" {
		t.Errorf("e0 has %v, want its own alone", got)
	}
}

// TestDADInterfaceDown: with down = "interface" the whole interface goes down, and
// is tried again when the administrator sets it up.
func TestDADInterfaceDown(t *testing.T) {
	t.Parallel()
	n := newDADNet(t, isatIP+"/24 brd +", "192.0.2.10/24")
	n.isat.Must("ip", "route", "add", "default", "via", peerIP)
	before := n.isat.configuration()
	isUp := func() bool { return strings.Contains(n.isat.Must("ip", "link", "show", "e0"), ",UP") }
	d := n.start(t, withDAD+"down = \"interface\"\n")
	n.claim(t, isatIP, "the interface is down", func() bool { return !isUp() })
	if !n.isat.has("e0", isatIP) || !n.isat.has("e0", "192.0.2.10") {
		t.Errorf("e0 has %v", n.isat.addresses("e0"))
	}
	// The rival still has it.
	n.isat.Must("ip", "link", "set", "e0", "up")
	await(t, "it is found again", func() bool { return strings.Count(d.Output(), "has duplicate address "+isatIP) == 2 && !isUp() })
	n.concede(isatIP)
	n.isat.Must("ip", "link", "set", "e0", "up")
	await(t, "it is verified", func() bool { s := d.ownState("e0", isatIP); return s == "announcing" || s == "verified" })
	await(t, "all is what it was", func() bool { return n.isat.configuration() == before })

	// What the administrator deletes is the host's no more, in use or not.
	isKnown := func() bool { return d.ownState("e0", isatIP) != "" }
	n.isat.Must("ip", "address", "delete", isatIP+"/24", "dev", "e0")
	await(t, "the address is forgotten after its recovery", func() bool { return !isKnown() })
	n.isat.Must("ip", "address", "add", isatIP+"/24", "brd", "+", "dev", "e0")
	await(t, "it is verified once more", func() bool { s := d.ownState("e0", isatIP); return s == "announcing" || s == "verified" })
	n.claim(t, isatIP, "the interface is down", func() bool { return !isUp() })
	n.isat.Must("ip", "address", "delete", isatIP+"/24", "dev", "e0")
	await(t, "the duplicate is forgotten", func() bool { return !isKnown() })
	if isUp() {
		t.Error("the interface was set up by nobody")
	}
	n.concede(isatIP)
	n.isat.Must("ip", "address", "add", isatIP+"/24", "brd", "+", "dev", "e0")
	n.isat.Must("ip", "link", "set", "e0", "up")
	await(t, "it is verified once more", func() bool { s := d.ownState("e0", isatIP); return s == "announcing" || s == "verified" })
	before = n.isat.configuration()

	n.claim(t, isatIP, "the interface is down", func() bool { return !isUp() })
	d.Stop()
	await(t, "all is what it was at the end", func() bool { return isUp() && n.isat.configuration() == before })
	if !strings.Contains(d.Output(), isatIP+"/24 of e0: in use again, though somebody else used it") {
		t.Error("it does not say whose address is in use again")
	}
}

// TestDADTUN: a host of its own probes its addresses, loses one that somebody else
// claims, on the device, too, and gets it back.
func TestDADTUN(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	n := newDADNet(t)
	const config = recovering + `
[[interface]]
name = "isat0"
datapath = "tun"
port = "packet:e0"
addresses = ["192.0.2.1/24", "192.0.2.10/24"]
gateway = "192.0.2.254"
dad = true
`
	d := n.start(t, config)
	verified := func(ip string) func() bool {
		return func() bool { s := d.ownState("isat0", ip); return s == "announcing" || s == "verified" }
	}
	await(t, "the addresses are verified", func() bool { return verified(isatIP)() && verified("192.0.2.10")() })
	probe := func(f Frame) bool { return sentARP(f) && f.Packet.IsProbe() && f.Packet.TargetIP.String() == isatIP }
	if probes := d.Wire("e0").Since(0, probe); len(probes) != 3 {
		t.Errorf("%d probes for the address, want 3", len(probes))
	}
	n.isat.Must("ip", "route", "add", "203.0.113.0/24", "dev", "isat0", "src", isatIP)
	state := func() string {
		return strings.Join(n.isat.addresses("isat0"), " ") + "\n" + n.isat.Must("ip", "-4", "-d", "route", "show", "table", "all")
	}
	before := state()
	end := n.peer.pings("192.0.2.10")
	n.claim(t, isatIP, "the address is gone", func() bool { return !n.isat.has("isat0", isatIP) })
	if routes := n.isat.Must("ip", "route", "show"); strings.Contains(routes, "203.0.113.0") {
		t.Errorf("the routes meanwhile are\n%s", routes)
	}
	n.concede(isatIP)
	await(t, "all is what it was", func() bool { return state() == before })
	await(t, "the address answers", func() bool { return n.peer.Run("ping", "-c", "1", "-W", "1", isatIP).Code == 0 })
	end(t)

	// The device goes down, and isat hears the wire even so.
	d.WriteConfig(config + "down = \"interface\"\n")
	if _, err := d.API.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	isUp := func() bool { return strings.Contains(n.isat.Must("ip", "link", "show", "isat0"), ",UP") }
	n.claim(t, isatIP, "the device is down", func() bool { return !isUp() })
	n.concede(isatIP)
	await(t, "all is what it was", func() bool { return isUp() && state() == before })
}
