package packet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/packet"
	"github.com/isat-project/isat/lladdr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	macA      = lladdr.MustParse("02:00:00:00:00:0a")
	macB      = lladdr.MustParse("02:00:00:00:00:0b")
	macOther  = lladdr.MustParse("02:00:00:00:00:99")
	broadcast = lladdr.Broadcast()
)

// Tags as they stand between the addresses and the EtherType (IEEE 802.1Q-2018
// section 9).
var (
	noTag     []byte
	vlan5     = []byte{0x81, 0x00, 0x00, 0x05}
	service5  = []byte{0x88, 0xa8, 0x00, 0x05}
	priority7 = []byte{0x81, 0x00, 0xe0, 0x00}
	typeARP   = []byte{0x08, 0x06}
	typeIPv4  = []byte{0x08, 0x00}
)

const payloadLen = 46 // bytes: what makes a frame of 60

// frame makes a numbered frame from a.
func frame(to lladdr.Addr, tag, etherType []byte, number int) []byte {
	f := macA.AppendBytes(to.AppendBytes(nil))
	f = append(append(f, tag...), etherType...)
	f = binary.BigEndian.AppendUint32(f, uint32(number))
	return append(f, make([]byte, payloadLen-4)...)
}

// numbered makes an untagged broadcast frame of ARP with a number.
func numbered(number int) []byte { return frame(broadcast, noTag, typeARP, number) }

func numberOf(f []byte) int { return int(binary.BigEndian.Uint32(f[14:])) }

// cable is a veth pair in a network namespace of its own, the test in it:
//
//	a (macA) ── b (macB)
type cable struct{ a, b netlink.Link }

func newCable(t testing.TB) cable {
	t.Helper()
	testns.Enter(t)
	// Of this namespace alone. Router solicitations would be frames too many.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0); !errors.Is(err, fs.ErrNotExist) {
		must(t, err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "a"
	attributes.HardwareAddr = macA.HardwareAddr()
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "b", PeerHardwareAddr: macB.HardwareAddr()}
	must(t, netlink.LinkAdd(veth))
	c := cable{find(t, "a"), find(t, "b")}
	must(t, netlink.LinkSetARPOff(c.a)) // the kernel stays silent
	must(t, netlink.LinkSetARPOff(c.b))
	must(t, netlink.LinkSetUp(c.a))
	must(t, netlink.LinkSetUp(c.b))
	c.waitForCarrier(t)
	return c
}

// waitForCarrier waits until both ends carry frames. The kernel acts on carrier
// in a worker of its own, and drops frames until it has (tried).
func (c cable) waitForCarrier(t testing.TB) {
	t.Helper()
	until(t, "both ends are operational", func() bool {
		return find(t, "a").Attrs().OperState == netlink.OperUp && find(t, "b").Attrs().OperState == netlink.OperUp
	})
}

func find(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t testing.TB, l netlink.Link, o packet.Options) *packet.Conn {
	t.Helper()
	c, err := packet.Listen(l.Attrs().Index, o)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func write(t testing.TB, c *packet.Conn, frames ...[]byte) {
	t.Helper()
	if n, err := c.WriteFrames(frames); n != len(frames) || err != nil {
		t.Fatalf("WriteFrames took %d of %d: %v", n, len(frames), err)
	}
}

// read reads count frames and returns copies.
func read(t testing.TB, c *packet.Conn, count int) [][]byte {
	t.Helper()
	var got [][]byte
	frames := make([][]byte, packet.DefaultBatch)
	for len(got) < count {
		n, err := c.ReadFrames(frames)
		must(t, err)
		for _, f := range frames[:n] {
			got = append(got, bytes.Clone(f))
		}
	}
	return got
}

// reading starts a goroutine that reads one frame, and returns what it gets.
func reading(c *packet.Conn) <-chan result {
	done := make(chan result, 1)
	go func() {
		frames := make([][]byte, 1)
		n, err := c.ReadFrames(frames)
		r := result{err: err}
		if n == 1 {
			r.number = numberOf(frames[0])
		}
		done <- r
	}()
	return done
}

type result struct {
	number int
	err    error
}

// wait waits for what a reader gets, which has to come at some time.
func wait(t testing.TB, done <-chan result) result {
	t.Helper()
	select {
	case r := <-done:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the reader still waits")
		panic("not reached")
	}
}

// until waits for a condition that has to come true.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}
