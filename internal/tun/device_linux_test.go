package tun_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/ip4"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/internal/tun"
)

// open makes a device isat0 with 192.0.2.1/24 in a namespace of the test's own:
//
//	kernel 192.0.2.1 ── isat0 ── the test
func open(t *testing.T) *tun.Device {
	t.Helper()
	testns.Enter(t)
	d, err := tun.Open("isat0")
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
			testns.Missing(t, "no TUN device can be made here: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	c := dial(t)
	l, err := c.LinkByName("isat0")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddAddr(rtnl.Addr{Index: l.Index, Local: netip.MustParseAddr("192.0.2.1"), Prefix: netip.MustParsePrefix("192.0.2.0/24")}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLink(l.Index, rtnl.LinkSpec{Up: new(true)}); err != nil {
		t.Fatal(err)
	}
	return d
}

func dial(t *testing.T) *rtnl.Conn {
	t.Helper()
	c, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// udpSocket returns a socket of the namespace.
func udpSocket(t *testing.T) *net.UDPConn {
	t.Helper()
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// data returns the data of UDP datagrams, which have to be sound.
func data(t *testing.T, packets [][]byte) []string {
	t.Helper()
	var all []string
	for _, p := range packets {
		h, err := ip4.Parse(p)
		if err != nil {
			t.Fatalf("packet %x: %v", p, err)
		}
		if h.Protocol != ip4.UDP {
			continue // the kernel's own IGMP
		}
		if len(p) != h.TotalLen || ip4.Checksum(p[h.Len:], ip4.PseudoSum(p, ip4.UDP, len(p)-h.Len)) != 0 {
			t.Errorf("datagram %x is not sound", p)
		}
		all = append(all, string(p[h.Len+8:]))
	}
	return all
}

// readData reads until there are n datagrams.
func readData(t *testing.T, d *tun.Device, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n {
		packets, err := d.ReadPackets()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data(t, packets)...)
	}
	return all
}

func TestRead(t *testing.T) {
	d := open(t)
	s := udpSocket(t)
	for i := range 50 {
		if _, err := s.WriteTo(fmt.Appendf(nil, "datagram %d", i), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}); err != nil {
			t.Fatal(err)
		}
	}
	got := readData(t, d, 50)
	for i, text := range got {
		if text != fmt.Sprintf("datagram %d", i) {
			t.Errorf("datagram %d says %q", i, text)
		}
	}
}

// One read gives many packets: UDP that the kernel was asked to segment.
func TestReadSegments(t *testing.T) {
	d := open(t)
	s := udpSocket(t)
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 1000) }); err != nil || set != nil {
		t.Fatal(err, set)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 10_500/16)
	if _, err := s.WriteTo(sent, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, text := range readData(t, d, 11) {
		if len(text) > 1000 {
			t.Errorf("a datagram of %d bytes", len(text))
		}
		got = append(got, text...)
	}
	if !bytes.Equal(got, sent) {
		t.Error("the data is not what was sent")
	}
}

func TestWrite(t *testing.T) {
	d := open(t)
	s := udpSocket(t)
	packet := []byte("\x45\x00\x00\x21\x00\x00\x40\x00\x40\x11\x00\x00\xc0\x00\x02\x02\xc0\x00\x02\x01" + // 192.0.2.2 to .1
		"\x00\x09\x23\x28\x00\x0d\x00\x00hello") // port 9 to 9000, without a checksum
	ip4.SetTotalLen(packet, uint16(len(packet)), 0)
	if err := d.WritePackets([][]byte{{0x95}, packet}); err != nil {
		t.Fatal(err)
	}
	s.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 100)
	n, from, err := s.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "hello" || from.String() != "192.0.2.2:9" {
		t.Errorf("got %q from %v, %v", buf[:n], from, err)
	}
	if st := d.Stats(); st.Written != 1 || st.Refused != 1 {
		t.Errorf("statistics %+v, want one written and one refused", st)
	}
}

// Neither reading nor writing allocates.
func TestAllocations(t *testing.T) {
	d := open(t)
	s := udpSocket(t)
	to := netip.MustParseAddrPort("192.0.2.2:9")
	datagram := []byte("datagram")
	read := testing.AllocsPerRun(100, func() {
		if _, err := s.WriteToUDPAddrPort(datagram, to); err != nil {
			t.Fatal(err)
		}
		packets, err := d.ReadPackets()
		if err == nil {
			err = d.WritePackets(packets)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if read != 0 {
		t.Errorf("%v allocations", read)
	}
}

func TestCarrier(t *testing.T) {
	d := open(t)
	c := dial(t)
	for _, carrier := range []bool{false, true, false} {
		if err := d.SetCarrier(carrier); err != nil {
			t.Fatal(err)
		}
		if l, err := c.LinkByName("isat0"); err != nil || l.Carrier != carrier {
			t.Errorf("carrier %v, %v; want %v", l.Carrier, err, carrier)
		}
	}
}

// Close wakes the reader, and the device is gone.
func TestClose(t *testing.T) {
	d := open(t)
	done := make(chan error)
	go func() {
		for {
			if _, err := d.ReadPackets(); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(10 * time.Millisecond) // most often it waits by then
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader got %v, want net.ErrClosed", err)
	}
	if err := d.WritePackets([][]byte{make([]byte, 20)}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the writer got %v, want net.ErrClosed", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if _, err := dial(t).LinkByName("isat0"); !rtnl.IsNotExist(err) {
		t.Errorf("the device is there after Close: %v", err)
	}
}

// An interface that is there already is not taken, one made to stay by
// ip-tuntap(8) neither.
func TestOpenTaken(t *testing.T) {
	open(t)
	if _, err := tun.Open("isat0"); !errors.Is(err, unix.EBUSY) {
		t.Errorf("error %v, want EBUSY", err)
	}
	if _, err := tun.Open("a name that is too long"); err == nil {
		t.Error("a name that is too long was taken")
	}
}
