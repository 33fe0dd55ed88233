package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
)

// burst sends numbered UDP datagrams from the host to an address at once, and
// returns which of them pass the wire once the address is resolved: answer is
// called for that.
func (h *Host) burst(t *testing.T, wire *Capture, ip string, datagrams, size int, answer func(mark int)) (passed []int) {
	t.Helper()
	mark := wire.Mark()
	var conn net.Conn
	if err := h.NS.Do(func() (err error) { conn, err = net.Dial("udp4", net.JoinHostPort(ip, "9")); return err }); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	payload := make([]byte, size)
	send := func(n int) {
		binary.BigEndian.PutUint32(payload, uint32(n))
		if _, err := conn.Write(payload); err != nil {
			t.Fatal(err)
		}
	}
	for n := range datagrams {
		send(n)
	}
	answer(mark)
	// The last one goes when all that was held has gone.
	await(t, ip+" is resolved", func() bool { n, ok := h.Neighbour("e0", ip); return ok && n.MAC != "" })
	send(datagrams)
	numbers := func() (all []int) {
		for _, f := range wire.Since(mark, func(f Frame) bool { return f.Header.Type == link.TypeIPv4 }) {
			if len(f.Bytes) == 14+20+8+size && f.Header.Destination.String() == askerMAC {
				all = append(all, int(binary.BigEndian.Uint32(f.Bytes[14+20+8:])))
			}
		}
		return all
	}
	await(t, "the last datagram passes", func() bool { return slices.Contains(numbers(), datagrams) })
	return numbers()[:len(numbers())-1]
}

// sequence is from, from+1 ... to-1.
func sequence(from, to int) (all []int) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// TestHeldPackets: what is sent to an address before it is resolved goes in the
// order it was sent in, as much of it as the queue has room for, the newest. The
// queue is the kernel's, and isat leaves its bound alone unless maxhold is set
// for the interface. Plain Linux is the second opinion on what it holds.
//
//	isat  192.0.2.1 e0 ──── e0 192.0.2.2 peer, who answers for 192.0.2.10
//	plain 192.0.2.1 e0 ──── e0 192.0.2.2 peer, likewise
func TestHeldPackets(t *testing.T) {
	t.Parallel()
	const full = 1472 // a datagram that fills an Ethernet frame
	for _, test := range []struct {
		name       string
		qlen       int // unres_qlen; 0: as it is
		config     string
		datagrams  int
		size       int
		want       []int // nil: only what plain Linux does
		unlikeThat bool  // maxhold is isat's
	}{
		{"all of a few", 0, "", 40, 10, sequence(0, 40), false},
		{"the newest in a queue of 3", 3, "", 20, full, nil, false},
		{"the newest in a queue of 1", 1, "", 5, full, nil, false},
		{"maxhold 4", 0, "[interface.sysctl]\n\"net.link.ether.inet.maxhold\" = 4\n", 20, full, sequence(16, 20), true},
		{"maxhold 1 over a queue of 3", 3, "[interface.sysctl]\n\"net.link.ether.inet.maxhold\" = 1\n", 20, full, sequence(19, 20), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var held [2][]int
			for i, withISAT := range []bool{true, false} {
				isat, peer := NewPair(t)
				if test.qlen > 0 {
					isat.Sysctl("net.ipv4.neigh.e0.unres_qlen", test.qlen)
				}
				if withISAT {
					StartISAT(t, isat, standard+test.config)
				}
				wire := peer.Capture("e0")
				held[i] = isat.burst(t, wire, askerIP, test.datagrams, test.size, func(mark int) { wire.AnswerNext(mark, askerIP, askerMAC) })
			}
			if test.want != nil && !slices.Equal(held[0], test.want) {
				t.Errorf("with isat %v were held, want %v", held[0], test.want)
			}
			if same := slices.Equal(held[0], held[1]); same == test.unlikeThat {
				t.Errorf("with isat %v were held, plain Linux held %v", held[0], held[1])
			}
		})
	}
}

// TestSilentHost: 257 packets to a host that does not answer cost one request a
// second, an error each from the kernel, and no memory to speak of; the host is
// reached when it appears at last.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer; 192.0.2.77 is nobody
func TestSilentHost(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	const silent = "192.0.2.77"
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	wire := peer.Capture("e0")
	before := rss(t, d.Pid)
	// A packet that waits in the kernel counts against the sender's buffer: with
	// that of ping it would send few.
	r := isat.Run("ping", "-q", "-S", "1000000", "-c", "257", "-i", "0.02", "-W", "1", silent)
	if r.Code != 1 || !strings.Contains(r.Stdout, "257 packets transmitted, 0 received, +") {
		t.Errorf("ping: %+v, want 257 packets lost with errors", r)
	}
	if grown := rss(t, d.Pid) - before; grown > 16<<20 {
		t.Errorf("the daemon grew by %d bytes", grown)
	}
	requests := wire.Since(0, who(silent))
	if len(requests) < 5 {
		t.Errorf("%d requests, want maxtries at least", len(requests))
	}
	for i := range requests[1:] {
		// The clock of the capture is not that of the timer.
		if gap := requests[i+1].Time.Sub(requests[i].Time); gap < 900*time.Millisecond {
			t.Errorf("request %d came %v after the one before", i+1, gap)
		}
	}
	if e, ok := d.Entry("e0", silent); !ok || !e.Incomplete {
		t.Errorf("isat has %+v, %v", e, ok)
	}
	if got := d.Tool("resolve", silent); got.Code != 1 || !strings.Contains(got.Stderr, syscall.EHOSTDOWN.Error()) {
		t.Errorf("isat resolve: %+v, want %v", got, syscall.EHOSTDOWN)
	}
	peer.Must("ip", "addr", "add", silent+"/24", "dev", "e0")
	await(t, "ping reaches the host that was silent", func() bool {
		return isat.Run("ping", "-q", "-c", "1", "-W", "5", silent).Code == 0
	})
}

// rss returns the resident memory of a process in bytes.
func rss(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// TestTwoInterfaces: two interfaces in one subnet, and on each a host with the
// same address and a MAC of its own: two entries that do not disturb each other.
//
//	left 192.0.2.9 e0 ──── e0 192.0.2.1 isat 192.0.2.3 e1 ──── e0 192.0.2.9 right
func TestTwoInterfaces(t *testing.T) {
	t.Parallel()
	Require(t, "ping", "arping")
	const twice, leftMAC, rightMAC = "192.0.2.9", "02:00:00:00:00:a9", "02:00:00:00:00:b9"
	const secondMAC = "02:00:00:00:00:03" // isat's
	n := NewNet(t)
	isat, left, right := n.Host("isat"), n.Host("left"), n.Host("right")
	n.Veth(isat.End("e0", isatMAC), left.End("e0", leftMAC))
	n.Veth(isat.End("e1", secondMAC), right.End("e0", rightMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "192.0.2.3/24", "dev", "e1")
	for _, h := range []*Host{left, right} {
		h.Must("ip", "addr", "add", twice+"/24", "dev", "e0")
	}
	for _, node := range []string{"all", "default", "e0", "e1"} {
		isat.Sysctl("net.ipv4.conf."+node+".rp_filter", 0)
	}
	d := StartISAT(t, isat, standard+strings.ReplaceAll(standard, "e0", "e1"))
	want := map[string]string{"e0": leftMAC, "e1": rightMAC}
	for range 2 {
		for ifname, mac := range want {
			isat.Must("ping", "-q", "-c", "2", "-i", "0.1", "-W", "10", "-I", ifname, twice)
			for ifname := range want {
				if n, ok := isat.Neighbour(ifname, twice); ok && n.MAC != want[ifname] {
					t.Errorf("the kernel has %+v, want %s", n, want[ifname])
				}
			}
			if e, ok := d.Entry(ifname, twice); !ok || string(e.MAC) != mac {
				t.Errorf("isat has %+v, %v, want %s", e, ok, mac)
			}
		}
	}
	// As Linux does, isat answers on each interface for the address of the other.
	for h, mac := range map[*Host]string{left: isatMAC, right: secondMAC} {
		for _, ip := range []string{isatIP, "192.0.2.3"} {
			if out := h.Must("arping", "-f", "-c", "3", "-w", "10", "-I", "e0", ip); !strings.Contains(out, "["+strings.ToUpper(mac)+"]") {
				t.Errorf("%s: %s is not at %s:\n%s", h.Name, ip, mac, out)
			}
		}
	}
	if all := d.Tool("arp", "-an").Stdout; strings.Count(all, "("+twice+")") != 2 {
		t.Errorf("isat arp -an:\n%s", all)
	}
	if out := d.Output(); strings.Contains(out, "arp: ") {
		t.Errorf("isat has a diagnostic where nothing is wrong:\n%s", out)
	}
}

// TestGateways: what goes to another network asks for the gateway alone: one in
// the connected network, and one that is in no network at all (ip route add
// 100.64.0.1 dev e0; ip route add default via 100.64.0.1). When the gateway is
// silent programs get EHOSTUNREACH.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.254, 100.64.0.1 router, which is 198.51.100.9 too
func TestGateways(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	const far, routerMAC = "198.51.100.9", "02:00:00:00:00:fe"
	for _, test := range []struct {
		name, gateway, address string
		routes                 [][]string // of isat's host
		back                   []string   // of the router
	}{
		{"in the network", "192.0.2.254", "192.0.2.254/24",
			[][]string{{"default", "via", "192.0.2.254"}}, nil},
		{"in no network", "100.64.0.1", "100.64.0.1/32",
			[][]string{{"100.64.0.1", "dev", "e0"}, {"default", "via", "100.64.0.1"}},
			[]string{"192.0.2.0/24", "dev", "e0", "src", "100.64.0.1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := NewNet(t)
			isat, router := n.Host("isat"), n.Host("router")
			n.Veth(isat.End("e0", isatMAC), router.End("e0", routerMAC))
			isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
			router.Must("ip", "addr", "add", test.address, "dev", "e0")
			router.Must("ip", "addr", "add", far+"/32", "dev", "lo")
			if test.back != nil {
				router.Must(append([]string{"ip", "route", "add"}, test.back...)...)
			}
			for _, r := range test.routes {
				isat.Must(append([]string{"ip", "route", "add"}, r...)...)
			}
			d := StartISAT(t, isat, standard)
			wire := d.Wire("e0")

			isat.Must("ping", "-q", "-c", "2", "-i", "0.1", "-W", "10", far)
			request := wire.Await(0, "the request for the gateway", both(sentARP, who(test.gateway)))
			if request.Packet.SenderIP != netip.MustParseAddr(isatIP) {
				t.Errorf("isat asked %v", request.Packet)
			}
			if asked := wire.Since(0, both(sentARP, who(far))); len(asked) > 0 {
				t.Errorf("isat asked for the host behind the gateway: %v", asked[0].Packet)
			}
			if n, ok := isat.Neighbour("e0", test.gateway); !ok || n.MAC != routerMAC {
				t.Errorf("the kernel has %+v", n)
			}
			if r := d.Tool("arp", "-n", test.gateway); !strings.HasPrefix(r.Stdout, fmt.Sprintf("? (%s) at %s on e0 expires in ", test.gateway, routerMAC)) {
				t.Errorf("isat arp -n: %+v", r)
			}
			router.Must("ip", "neigh", "flush", "all")
			router.Must("ping", "-q", "-c", "1", "-W", "10", isatIP)

			// Now it is silent.
			router.Must("ip", "link", "set", "e0", "arp", "off")
			if r := d.Tool("arp", "-d", test.gateway); r.Stdout != fmt.Sprintf("%s (%[1]s) deleted\n", test.gateway) {
				t.Errorf("isat arp -d: %+v", r)
			}
			if r := isat.Run("ping", "-c", "1", "-W", "30", far); r.Code != 1 || !strings.Contains(r.Stdout, "Destination Host Unreachable") {
				t.Errorf("ping by a silent gateway: %+v", r)
			}
			var err error
			isat.NS.Do(func() error { _, err = net.DialTimeout("tcp4", far+":9", patience); return nil })
			if !errors.Is(err, syscall.EHOSTUNREACH) {
				t.Errorf("connect by a silent gateway: %v, want %v", err, syscall.EHOSTUNREACH)
			}
		})
	}
}

// TestOneAnswerEach: every request has exactly one answer: isat's, and none of the
// kernel beside it.
func TestOneAnswerEach(t *testing.T) {
	t.Parallel()
	const askers = 230
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	wire := peer.Capture("e0")
	for i := range askers {
		wire.Say(arp.Request, []string{everybody, isatMAC}[i%2], fmt.Sprintf("02:00:00:01:%02x:%02x", i>>8, i&0xff),
			fmt.Sprintf("192.0.2.%d", 10+i), isatIP)
	}
	exchange(t, wire, nil)
	answers := make(map[string]int)
	for _, f := range wire.Since(0, func(f Frame) bool { return !f.Out && isAt(isatIP)(f) }) {
		answers[f.Packet.TargetHW.String()]++
	}
	if len(answers) != askers+1 { // and the witness
		t.Errorf("%d askers had an answer, want %d", len(answers), askers+1)
	}
	for mac, n := range answers {
		if n != 1 {
			t.Errorf("%s had %d answers", mac, n)
		}
	}
	if s := d.Stats(); s.TxReplies != askers+1 || s.RxRequests != askers+1 {
		t.Errorf("isat counted %d requests and %d replies, want %d", s.RxRequests, s.TxReplies, askers+1)
	}
}
