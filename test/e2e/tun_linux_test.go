package e2e

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/link"
)

// tunConfig is a host of its own on e0, with a gateway, whose address may be used
// from the start.
const tunConfig = `
[[interface]]
name = "isat0"
dad = false
datapath = "tun"
port = "packet:e0"
addresses = ["192.0.2.1/24"]
gateway = "192.0.2.254"
[interface.sysctl]
"net.link.ether.inet.maxtries" = 2
`

// newTUN makes a host of its own beside a plain kernel:
//
//	┌ namespace isat ──────────────┐      ┌ namespace peer ──┐
//	│ programs, kernel             │      │ plain Linux      │
//	│ isat0 (TUN)   isat   e0 ────────────── e0              │
//	│ 192.0.2.1                    │      │ 192.0.2.2        │
//	└──────────────────────────────┘      └──────────────────┘
func newTUN(t testing.TB, config string) (d *ISAT, isat, peer *Host) {
	t.Helper()
	n := NewNet(t)
	isat, peer = n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	d = StartISAT(t, isat, config)
	isat.Must("ip", "route", "add", "default", "dev", "isat0")
	return d, isat, peer
}

// ip tells IPv4 frames with a destination.
func ipTo(to string) func(Frame) bool {
	return func(f Frame) bool {
		return f.Header.Type == link.TypeIPv4 && len(f.Bytes) >= 34 && netip.AddrFrom4([4]byte(f.Bytes[30:34])).String() == to
	}
}

// Both ways, each packet once: the kernel behind the port neither answers ARP nor
// takes the packets.
func TestTUNPing(t *testing.T) {
	t.Parallel()
	d, isat, peer := newTUN(t, tunConfig)
	out := isat.Must("ping", "-c", "3", "-i", "0.2", peerIP)
	out += peer.Must("ping", "-c", "3", "-i", "0.2", isatIP)
	if strings.Contains(out, "DUP!") || strings.Count(out, "0% packet loss") != 2 {
		t.Errorf("ping says\n%s", out)
	}
	if n, ok := peer.Neighbour("e0", isatIP); !ok || n.MAC != isatMAC {
		t.Errorf("the peer's neighbour is %+v", n)
	}
	if e, ok := d.Entry("isat0", peerIP); !ok || string(e.MAC) != peerMAC {
		t.Errorf("the entry is %+v, %v", e, ok)
	}
	if got := len(d.Wire("e0").Since(0, both(sentARP, isAt(isatIP)))); got > 1 {
		t.Errorf("%d answers for %s on the wire, want one", got, isatIP)
	}
	if r := d.Tool("arp", "-an"); !strings.Contains(r.Stdout, fmt.Sprintf("? (%s) at %s on isat0 expires in", peerIP, peerMAC)) {
		t.Errorf("isat arp -an says\n%s", r.Stdout)
	}
	if r := d.Tool("resolve", peerIP); strings.TrimSpace(r.Stdout) != peerMAC {
		t.Errorf("isat resolve says %q %s", r.Stdout, r.Stderr)
	}
	if r := d.Tool("status"); !strings.Contains(r.Stdout, "isat0: up, datapath tun on packet:e0, guarded") {
		t.Errorf("isat status says\n%s", r.Stdout)
	}
	// Broadcast and multicast both ways.
	peer.Sysctl("net.ipv4.icmp_echo_ignore_broadcasts", 0)
	if out := isat.Must("ping", "-b", "-c", "1", "192.0.2.255"); !strings.Contains(out, "from "+peerIP) {
		t.Errorf("ping of the broadcast address says\n%s", out)
	}
	isat.Sysctl("net.ipv4.icmp_echo_ignore_broadcasts", 0)
	if out := peer.Must("ping", "-L", "-c", "1", "-I", "e0", "224.0.0.1"); !strings.Contains(out, "from "+isatIP) {
		t.Errorf("ping of all hosts says\n%s", out)
	}
}

// socket makes a socket in the namespace of h, non-blocking.
func (h *Host) socket(kind int) int {
	h.t.Helper()
	var fd int
	if err := h.NS.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func to(address string) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(address).As4()}
}

// connectError connects a TCP socket and returns the error that it gets. A socket that
// is neither connected nor has an error, seen once in many runs on a busy machine where
// the error came within connect(2), is tried again.
func connectError(t *testing.T, h *Host, address string) error {
	t.Helper()
	for range 3 {
		events, err := connectOnce(t, h, address)
		if err != syscall.Errno(0) {
			return err
		}
		if events&(unix.POLLERR|unix.POLLHUP) == 0 {
			return nil // connected
		}
		t.Logf("connecting to %s: events %#x without an error", address, events)
	}
	return syscall.Errno(0)
}

// connectOnce connects a TCP socket and returns its error and the events of poll(2).
func connectOnce(t *testing.T, h *Host, address string) (events int16, err error) {
	t.Helper()
	fd := h.socket(unix.SOCK_STREAM)
	if err := unix.Connect(fd, to(address)); !errors.Is(err, unix.EINPROGRESS) {
		return 0, err
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	var n int
	for n, err = unix.Poll(poll, int(patience.Milliseconds())); errors.Is(err, unix.EINTR); {
		n, err = unix.Poll(poll, int(patience.Milliseconds()))
	}
	if n != 1 {
		t.Fatalf("connecting to %s: nothing in %v, %v", address, patience, err)
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		t.Fatal(err)
	}
	return poll[0].Revents, syscall.Errno(errno)
}

// udpError sends datagrams on a connected socket until there is an error.
func udpError(t *testing.T, h *Host, address string) (err error) {
	t.Helper()
	fd := h.socket(unix.SOCK_DGRAM)
	if err := unix.Connect(fd, to(address)); err != nil {
		return err
	}
	await(t, "a datagram to "+address+" is an error", func() bool {
		if err = unix.Send(fd, []byte("x"), 0); err == nil {
			time.Sleep(100 * time.Millisecond)
		}
		return err != nil
	})
	return err
}

// queueError sends datagrams on a socket with IP_RECVERR that is not connected
// until there is an error in its queue. It returns who sent the error, and the error.
func queueError(t *testing.T, h *Host, address string) (offender netip.Addr, err error) {
	t.Helper()
	fd := h.socket(unix.SOCK_DGRAM)
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1); err != nil {
		t.Fatal(err)
	}
	control := make([]byte, 512)
	await(t, "a datagram to "+address+" is an error in the queue", func() bool {
		_ = unix.Sendto(fd, []byte("x"), 0, to(address)) // its own error is that of one before
		time.Sleep(100 * time.Millisecond)
		_, n, _, _, receive := unix.Recvmsg(fd, make([]byte, 64), control, unix.MSG_ERRQUEUE)
		if receive != nil {
			return false
		}
		messages, parse := unix.ParseSocketControlMessage(control[:n])
		if parse != nil {
			t.Fatal(parse)
		}
		for _, m := range messages {
			// struct sock_extended_err of <linux/errqueue.h>, 16 bytes, and the offender.
			if m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR && len(m.Data) >= 24 {
				err = syscall.Errno(binary.NativeEndian.Uint32(m.Data))
				offender = netip.AddrFrom4([4]byte(m.Data[20:24]))
			}
		}
		return err != nil
	})
	return offender, err
}

// A host or a router that does not answer is an error to who sends: EHOSTDOWN and
// EHOSTUNREACH (seeds/002), read in each way that Linux has.
func TestTUNSilent(t *testing.T) {
	t.Parallel()
	_, isat, _ := newTUN(t, tunConfig)
	for _, tt := range []struct {
		name, address string
		silent        string
		want          syscall.Errno
	}{
		{"host", "192.0.2.77", "192.0.2.77", syscall.EHOSTDOWN},
		{"router", "203.0.113.5", "192.0.2.254", syscall.EHOSTUNREACH},
	} {
		t.Run(tt.name+" TCP", func(t *testing.T) {
			if err := connectError(t, isat, tt.address); err != tt.want {
				t.Errorf("connect: %v, want %v", err, tt.want)
			}
		})
		t.Run(tt.name+" connected UDP", func(t *testing.T) {
			if err := udpError(t, isat, tt.address); err != tt.want {
				t.Errorf("send: %v, want %v", err, tt.want)
			}
		})
		t.Run(tt.name+" UDP with IP_RECVERR", func(t *testing.T) {
			offender, err := queueError(t, isat, tt.address)
			if err != tt.want || offender.String() != tt.silent {
				t.Errorf("error %v of %v, want %v of %v", err, offender, tt.want, tt.silent)
			}
		})
	}
}

// Without a gateway there is no route to elsewhere.
func TestTUNNoRoute(t *testing.T) {
	t.Parallel()
	_, isat, _ := newTUN(t, strings.ReplaceAll(tunConfig, "gateway = \"192.0.2.254\"\n", ""))
	if err := connectError(t, isat, "203.0.113.5"); err != syscall.ENETUNREACH {
		t.Errorf("connect: %v, want ENETUNREACH", err)
	}
}

// What is longer than the MTU of the wire goes in fragments, those of the kernel
// and those of isat, and comes back so.
func TestTUNFragments(t *testing.T) {
	t.Parallel()
	d, isat, peer := newTUN(t, tunConfig)
	isat.Must("ping", "-c", "1", peerIP) // of a packet in fragments maxhold holds the last
	isat.Must("ping", "-c", "1", "-s", "5000", peerIP)
	peer.Must("ping", "-c", "1", "-s", "5000", isatIP)
	// A device with a larger MTU than the wire has: isat divides.
	isat.Must("ip", "link", "set", "isat0", "mtu", "9000")
	mark := d.Wire("e0").Mark()
	isat.Must("ping", "-c", "1", "-s", "5000", "-M", "dont", peerIP)
	fragments := d.Wire("e0").Since(mark, ipTo(peerIP))
	if len(fragments) != 4 {
		t.Errorf("%d fragments, want 4", len(fragments))
	}
	for _, f := range fragments {
		if len(f.Bytes) > 1514 {
			t.Errorf("a frame of %d bytes", len(f.Bytes))
		}
	}
	r := isat.Run("ping", "-c", "2", "-i", "0.3", "-s", "5000", "-M", "do", peerIP)
	if r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, "1500") {
		t.Errorf("with DF ping says\n%s%s", r.Stdout, r.Stderr)
	}
	fd := isat.socket(unix.SOCK_DGRAM)
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, to(peerIP)); err != nil {
		t.Fatal(err)
	}
	await(t, "the socket knows the MTU of the wire", func() bool {
		mtu, err := unix.GetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU)
		return err == nil && mtu == 1500
	})
	if err := unix.Send(fd, make([]byte, 5000), 0); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("send: %v, want EMSGSIZE", err)
	}
}

// Of the packets that wait for an answer the most recent is sent (seeds/002), also
// when the answer comes late and unasked.
func TestTUNHolds(t *testing.T) {
	t.Parallel()
	d, isat, peer := newTUN(t, tunConfig)
	peer.Must("ip", "addr", "del", peerIP+"/24", "dev", "e0")
	fd := isat.socket(unix.SOCK_DGRAM)
	for i := range 5 {
		if err := unix.Sendto(fd, []byte{byte('1' + i)}, 0, to(peerIP)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the request went out and a packet waits", func() bool {
		e, ok := d.Entry("isat0", peerIP)
		return ok && e.Hold == 1
	})
	wire := d.Wire("e0")
	time.Sleep(3 * time.Second) // maxtries and more
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	mark := wire.Mark()
	peer.Must("arping", "-c", "1", "-U", "-I", "e0", peerIP)
	wire.Await(mark, "the packet is sent", ipTo(peerIP))
	isat.Must("ping", "-c", "1", peerIP) // what was behind it would be out by then
	var got []string
	for _, f := range wire.Since(0, ipTo(peerIP)) {
		if f.Bytes[23] == 17 {
			got = append(got, string(f.Bytes[42:43]))
		}
	}
	if len(got) != 1 || got[0] != "5" {
		t.Errorf("datagrams %q were sent, want the last", got)
	}
}

// After a SIGKILL nothing is left: no device, no address, no guard.
func TestTUNKill(t *testing.T) {
	t.Parallel()
	Require(t, "nft")
	d, isat, _ := newTUN(t, tunConfig)
	isat.Must("ping", "-c", "1", peerIP)
	d.Kill()
	<-d.Done()
	await(t, "everything is gone", func() bool {
		return isat.Run("ip", "link", "show", "isat0").Code != 0 && isat.Must("nft", "list", "ruleset") == ""
	})
	if out := isat.Must("ip", "-4", "route"); out != "" {
		t.Errorf("routes are left:\n%s", out)
	}
	d = d.Restart(tunConfig)
	isat.Must("ping", "-c", "1", peerIP)
	d.Stop()
	if isat.Run("ip", "link", "show", "isat0").Code == 0 || isat.Must("nft", "list", "ruleset") != "" {
		t.Error("after the daemon has ended something is left")
	}
}

// A reload makes hosts and takes them away; one that cannot be made is refused and
// the others stay.
func TestTUNReload(t *testing.T) {
	t.Parallel()
	d, isat, _ := newTUN(t, tunConfig)
	isat.Must("ip", "link", "add", "e1", "type", "veth", "peer", "name", "e2")
	isat.Must("ip", "link", "set", "e1", "up")
	isat.Must("ip", "link", "set", "e2", "up")
	index := func() string {
		n, _, _ := strings.Cut(isat.Must("ip", "-o", "link", "show", "isat0"), ":")
		return n
	}
	before := index()
	second := `
[[interface]]
name = "isat1"
dad = false
datapath = "tun"
port = "packet:e1"
mac = "02:00:00:00:00:77"
mtu = 1400
addresses = ["198.51.100.1/24"]
`
	reload := func(config string) Result {
		d.WriteConfig(config)
		return d.Tool("reload")
	}
	// Ports on which the kernel has to do with IPv4, or that carry less.
	isat.Must("ip", "addr", "add", "198.51.100.9/24", "dev", "e1")
	if r := reload(tunConfig + second); r.Code == 0 || !strings.Contains(r.Stderr, "the kernel has addresses on it (198.51.100.9)") {
		t.Errorf("a port with an address: %d %s", r.Code, r.Stderr)
	}
	isat.Must("ip", "addr", "flush", "dev", "e1")
	isat.Must("ip", "route", "add", "198.51.100.0/24", "dev", "e1")
	if r := reload(tunConfig + second); r.Code == 0 || !strings.Contains(r.Stderr, "the kernel has a route by it (198.51.100.0/24)") {
		t.Errorf("a port with a route: %d %s", r.Code, r.Stderr)
	}
	isat.Must("ip", "route", "flush", "dev", "e1")
	isat.Must("ip", "link", "add", "br0", "type", "bridge")
	isat.Must("ip", "link", "set", "e1", "master", "br0")
	if r := reload(tunConfig + second); r.Code == 0 || !strings.Contains(r.Stderr, "it is a port of a bridge already") {
		t.Errorf("a port of a bridge: %d %s", r.Code, r.Stderr)
	}
	isat.Must("ip", "link", "set", "e1", "nomaster", "mtu", "1300")
	if r := reload(tunConfig + second); r.Code == 0 || !strings.Contains(r.Stderr, "its MTU is 1300, less than the 1400 of isat1; set mtu = 1300") {
		t.Errorf("a port with a small MTU: %d %s", r.Code, r.Stderr)
	}
	isat.Must("ip", "link", "set", "e1", "mtu", "1500")
	if r := reload(tunConfig + second); r.Code != 0 {
		t.Fatalf("reload: %s%s", r.Stdout, r.Stderr)
	}
	if out := isat.Must("ip", "addr", "show", "isat1"); !strings.Contains(out, "198.51.100.1/24") || !strings.Contains(out, "mtu 1400") {
		t.Errorf("isat1 is\n%s", out)
	}
	if r := d.Tool("take", "e1"); r.Code == 0 || !strings.Contains(r.Stderr, "it is the port of a host of its own") {
		t.Errorf("taking a port over: %d %s", r.Code, r.Stderr)
	}
	if r := d.Tool("sysctl", "net.link.ether.inet.useloopback=0"); r.Code == 0 || !strings.Contains(r.Stderr, "Linux routes own addresses through lo") {
		t.Errorf("useloopback=0: %d %s", r.Code, r.Stderr)
	}
	if r := reload(tunConfig); r.Code != 0 || isat.Run("ip", "link", "show", "isat1").Code == 0 {
		t.Errorf("reload without it: %s%s", r.Stdout, r.Stderr)
	}
	if index() != before {
		t.Error("isat0 was made again, though nothing changed of it")
	}
	isat.Must("ping", "-c", "1", peerIP)
}

// The device follows the link of its port; a port that vanishes is waited for.
func TestTUNLink(t *testing.T) {
	t.Parallel()
	d, isat, peer := newTUN(t, tunConfig)
	carrier := func(want bool) {
		t.Helper()
		await(t, fmt.Sprintf("the carrier of isat0 is %v", want), func() bool {
			return strings.Contains(isat.Must("ip", "link", "show", "isat0"), "NO-CARRIER") != want
		})
	}
	carrier(true)
	peer.Must("ip", "link", "set", "e0", "down")
	carrier(false)
	peer.Must("ip", "link", "set", "e0", "up")
	carrier(true)
	isat.Must("ping", "-c", "1", peerIP)
	if r := d.Tool("arp", "-s", "192.0.2.9", "02:00:00:00:00:09"); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	isat.Must("ip", "link", "del", "e0")
	await(t, "isat0 is gone", func() bool { return isat.Run("ip", "link", "show", "isat0").Code != 0 })
	await(t, "its status says so", func() bool { return strings.Contains(d.Tool("status").Stdout, "isat0: absent") })
	(&Net{t: t}).Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	await(t, "isat0 is there again", func() bool { return isat.Run("ping", "-c", "1", "-W", "1", peerIP).Code == 0 })
	if e, ok := d.Entry("isat0", "192.0.2.9"); !ok || !e.Permanent {
		t.Errorf("what was set by hand is %+v, %v", e, ok)
	}
	// Somebody deletes the device.
	isat.Must("ip", "link", "del", "isat0")
	await(t, "isat0 is made again", func() bool { return isat.Run("ping", "-c", "1", "-W", "1", peerIP).Code == 0 })
}

// TestTUNLoopback: packets for its own address that the kernel gives to the host
// come back to the kernel and are not on the wire. Linux gives none by itself: its
// first rule sends what is for an own address to lo, unless another comes before
// it. So useloopback cannot be turned off.
func TestTUNLoopback(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	d, isat, _ := newTUN(t, tunConfig)
	isat.Must("ip", "rule", "add", "pref", "20", "lookup", "local")
	isat.Must("ip", "rule", "add", "pref", "10", "iif", "lo", "to", isatIP, "lookup", "100") // what programs send
	isat.Must("ip", "route", "add", "192.0.2.0/24", "dev", "isat0", "src", isatIP, "table", "100")
	isat.Must("ip", "rule", "del", "pref", "0")
	isat.Sysctl("net.ipv4.conf.isat0.accept_local", 1)
	isat.Sysctl("net.ipv4.conf.isat0.rp_filter", 0)
	isat.Sysctl("net.ipv4.conf.all.rp_filter", 0)
	if route := isat.Must("ip", "route", "get", isatIP); !strings.Contains(route, "dev isat0") {
		t.Fatalf("the kernel's route is %s", route)
	}
	isat.Must("ping", "-c", "3", "-i", "0.2", "-W", "10", isatIP)
	if got := d.Wire("e0").Since(0, ipTo(isatIP)); len(got) != 0 {
		t.Errorf("%d packets for itself are on the wire", len(got))
	}
	var links []struct {
		Stats struct {
			RX struct{ Packets uint64 } `json:"rx"`
		} `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(isat.Must("ip", "-json", "-s", "link", "show", "dev", "isat0")), &links); err != nil {
		t.Fatal(err)
	}
	if got := links[0].Stats.RX.Packets; got < 6 { // three requests and three replies
		t.Errorf("the kernel has received %d packets by isat0, want 6", got)
	}
	if r := d.Tool("sysctl", "net.link.ether.inet.useloopback=0"); r.Code != 1 || !strings.Contains(r.Stderr, "operation not supported") {
		t.Errorf("isat sysctl: %+v", r)
	}
}
