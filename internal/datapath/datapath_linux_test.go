package datapath

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/ip4"
	"github.com/isat-project/isat/internal/takeover"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// datagram returns an IPv4 packet of 192.0.2.1 with n bytes of data.
func datagram(protocol uint8, to string, flags uint16, n int) []byte {
	p := make([]byte, 20+n)
	p[0], p[8], p[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(p[6:], flags)
	copy(p[12:], "\xc0\x00\x02\x01")
	copy(p[16:], ip(to).AsSlice())
	ip4.SetTotalLen(p, uint16(len(p)), 1)
	return p
}

// sent is a host's interface that keeps what it is given, or says an error.
type sent struct {
	packets [][]byte
	err     error
}

func (s *sent) Output(packets [][]byte, failed func([]byte, error)) {
	for _, p := range packets {
		if s.err != nil {
			failed(p, s.err)
			continue
		}
		s.packets = append(s.packets, bytes.Clone(p))
	}
}

func (s *sent) NextHop(to netip.Addr) (netip.Addr, bool, error) {
	if ip("192.0.2.0").As4()[2] == to.As4()[2] {
		return to, false, nil
	}
	return ip("192.0.2.254"), true, nil
}

// wire is a device that gives packets once and keeps what it is given.
type wire struct {
	packets [][]byte
	got     chan []byte
}

func (w *wire) ReadPackets() ([][]byte, error) {
	if w.packets == nil {
		return nil, net.ErrClosed
	}
	p := w.packets
	w.packets = nil
	return p, nil
}

func (w *wire) WritePackets(packets [][]byte) error {
	for _, p := range packets {
		w.got <- bytes.Clone(p)
	}
	return nil
}

// carry has the pump carry packets to the interface, and returns what it wrote
// to the device.
func carry(t *testing.T, out *sent, packets ...[]byte) [][]byte {
	t.Helper()
	p := &pump{device: &wire{packets: packets}, ifc: out, mtu: 1500, queue: newQueue()}
	p.setAddresses([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")})
	if err := p.read(); err != nil {
		t.Fatal(err)
	}
	var b batch
	return p.queue.take(&b)
}

// Which errno becomes which ICMP error, from whom (DESIGN section 5).
func TestErrors(t *testing.T) {
	down := &host.SendError{To: ip("192.0.2.9"), Hop: ip("192.0.2.9"), Err: syscall.EHOSTDOWN}
	router := &host.SendError{To: ip("203.0.113.5"), Hop: ip("192.0.2.254"), Gateway: true, Err: syscall.EHOSTUNREACH}
	for _, tt := range []struct {
		name     string
		err      error
		protocol uint8
		to       string
		code     int // -1: no error
		from     string
	}{
		{"silent host, TCP", down, ip4.TCP, "192.0.2.9", 7, "192.0.2.9"},
		{"silent host, UDP", down, ip4.UDP, "192.0.2.9", 7, "192.0.2.9"},
		{"silent router, TCP", router, ip4.TCP, "203.0.113.5", 1, "192.0.2.254"},
		{"silent router, UDP", router, ip4.UDP, "203.0.113.5", 10, "192.0.2.254"},
		{"silent router, another protocol", router, 132, "203.0.113.5", 1, "192.0.2.254"},
		{"no route", &host.SendError{To: ip("203.0.113.5"), Hop: ip("203.0.113.5"), Err: fmt.Errorf("no route: %w", syscall.ENETUNREACH)}, ip4.UDP, "203.0.113.5", 0, "203.0.113.5"},
		{"link down", &host.SendError{To: ip("192.0.2.9"), Hop: ip("192.0.2.9"), Err: syscall.ENETDOWN}, ip4.TCP, "192.0.2.9", 0, "192.0.2.9"},
		{"may not be asked for", &host.SendError{To: ip("192.0.2.9"), Hop: ip("192.0.2.9"), Err: syscall.EINVAL}, ip4.TCP, "192.0.2.9", 1, "192.0.2.9"},
		{"no room", &host.SendError{To: ip("192.0.2.9"), Hop: ip("192.0.2.9"), Err: syscall.ENOBUFS}, ip4.TCP, "192.0.2.9", -1, ""},
		{"to a broadcast address", down, ip4.UDP, "192.0.2.255", -1, ""},
		{"another kind of error", errors.New("other"), ip4.UDP, "192.0.2.9", -1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := carry(t, &sent{err: tt.err}, datagram(tt.protocol, tt.to, 0, 8))
			if tt.code < 0 {
				if len(got) != 0 {
					t.Errorf("there is an error %x", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d errors, want one", len(got))
			}
			h, err := ip4.Parse(got[0])
			if err != nil || h.Protocol != ip4.ICMP || h.Source != ip(tt.from) || h.Destination != ip("192.0.2.1") || got[0][20] != 3 || int(got[0][21]) != tt.code {
				t.Errorf("%+v, type %d, code %d, %v; want code %d of %s", h, got[0][20], got[0][21], err, tt.code, tt.from)
			}
		})
	}
}

// What is longer than the MTU is divided, or refused with the MTU; what is not
// keeps its place.
func TestFit(t *testing.T) {
	out := &sent{}
	got := carry(t, out,
		datagram(ip4.UDP, "192.0.2.2", 0, 100), datagram(ip4.UDP, "192.0.2.2", 0, 3000), datagram(ip4.UDP, "203.0.113.5", 0x4000, 3000), datagram(ip4.UDP, "192.0.2.2", 0, 101))
	var lengths []int
	for _, p := range out.packets {
		lengths = append(lengths, len(p))
	}
	if want := fmt.Sprint([]int{120, 1500, 1500, 60, 121}); fmt.Sprint(lengths) != want {
		t.Errorf("packets of %v bytes, want %v", lengths, want)
	}
	if len(got) != 1 {
		t.Fatalf("%d errors, want one", len(got))
	}
	h, err := ip4.Parse(got[0])
	if m := got[0][20:]; err != nil || h.Source != ip("192.0.2.254") || m[0] != 3 || m[1] != 4 || binary.BigEndian.Uint16(m[6:]) != 1500 {
		t.Errorf("%+v, %x, %v; want fragmentation needed, 1500", h, m[:8], err)
	}
}

// Padding does not reach the device, nor does what is damaged.
func TestDeliver(t *testing.T) {
	w := &wire{got: make(chan []byte, 10)}
	p := &pump{device: w, queue: newQueue()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.write(ctx) }()
	good := datagram(ip4.UDP, "192.0.2.1", 0, 8)
	damaged := bytes.Clone(good)
	damaged[8]++
	p.Deliver(damaged)
	p.Deliver(append(bytes.Clone(good), make([]byte, 18)...))
	if got := <-w.got; !bytes.Equal(got, good) {
		t.Errorf("the device got %x, want %x", got, good)
	}
	if p.malformed.Load() != 1 {
		t.Errorf("%d counted as malformed, want 1", p.malformed.Load())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The queue keeps the order, has a bound, and takes no memory again and again.
func TestQueue(t *testing.T) {
	q := newQueue()
	var b batch
	for round := range 3 {
		n := maxQueued / 1000
		for i := range n + 5 {
			p := make([]byte, 1000)
			p[0] = byte(i)
			q.put(p)
		}
		<-q.wake
		packets := q.take(&b)
		if len(packets) != n || q.drops() != uint64(5*(round+1)) {
			t.Errorf("%d packets and %d dropped, want %d and %d", len(packets), q.drops(), n, 5*(round+1))
		}
		for i, p := range packets {
			if len(p) != 1000 || p[0] != byte(i) {
				t.Fatalf("packet %d has %d bytes and begins with %d", i, len(p), p[0])
			}
		}
	}
	p := make([]byte, 1000)
	if got := testing.AllocsPerRun(100, func() {
		for range 10 {
			q.put(p)
		}
		<-q.wake
		q.take(&b)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestSpecEqual(t *testing.T) {
	base := Spec{Name: "isat0", Port: "packet:e0", Framing: link.Ethernet{}, MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}
	if !base.Equal(base) {
		t.Error("a host is not the same as itself")
	}
	for name, change := range map[string]func(*Spec){
		"port":      func(s *Spec) { s.Port = "packet:e1" },
		"framing":   func(s *Spec) { s.Framing = link.ARCnet{} },
		"MAC":       func(s *Spec) { s.MAC = lladdr.MustParse("02:00:00:00:00:01") },
		"MTU":       func(s *Spec) { s.MTU = 1400 },
		"addresses": func(s *Spec) { s.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/25")} },
		"gateway":   func(s *Spec) { s.Gateway = ip("192.0.2.254") },
		"mode":      func(s *Spec) { s.Mode = host.Static },
		"dad":       func(s *Spec) { s.DAD = true },
		"down":      func(s *Spec) { s.Down = takeover.DownInterface },
		"reprobe":   func(s *Spec) { s.Reprobe = acd.ReprobeStrict },
	} {
		other := base
		change(&other)
		if base.Equal(other) {
			t.Errorf("with another %s it is the same", name)
		}
	}
}

// How own addresses are treated can be changed in place, and nothing else.
func TestSpecAdjustable(t *testing.T) {
	base := Spec{Name: "isat0", Port: "packet:e0", MTU: 1500}
	treated, moved := base, base
	treated.DAD, treated.Down, treated.Reprobe = true, takeover.DownInterface, acd.ReprobeStrict
	moved.DAD, moved.MTU = true, 1400
	if !base.Adjustable(treated) || base.Adjustable(moved) {
		t.Errorf("adjustable to other treatment: %v, to another MTU: %v", base.Adjustable(treated), base.Adjustable(moved))
	}
}
