//go:build linux

package rtnl_test

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/lladdr"
)

// The referee of all tests is ip(8), in a namespace of the test's own:
//
//	e0 192.0.2.1/24  02:00:00:00:00:01 ─── e1, no address, so that nobody answers
const (
	e0MAC = "02:00:00:00:00:01"
	e1MAC = "02:00:00:00:00:02"
)

// ip runs ip(8) in the namespace of the test and returns what it prints.
func ip(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// object is one of ip(8)'s objects in JSON.
type object map[string]any

// ipJSON returns the objects that `ip -d -j args` lists. ip(8) prints an empty one
// for each that it leaves out; these are not returned.
func ipJSON(t testing.TB, args ...string) []object {
	t.Helper()
	out := ip(t, append([]string{"-d", "-j"}, args...)...)
	var all, some []object
	if strings.TrimSpace(out) == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("ip %s: %v", strings.Join(args, " "), err)
	}
	for _, o := range all {
		if len(o) > 0 {
			some = append(some, o)
		}
	}
	return some
}

// proc reads a file of /proc/sys/net/ipv4.
func proc(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// setProc writes a file of /proc/sys/net/ipv4, in the namespace of the test.
func setProc(t testing.TB, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// enter makes the namespace drawn above and returns the index of e0.
func enter(t testing.TB) (e0 int) {
	t.Helper()
	testns.Enter(t)
	ip(t, "link", "add", "e0", "address", e0MAC, "type", "veth", "peer", "name", "e1", "address", e1MAC)
	// The number of neighbours that are not permanent is bounded for all
	// namespaces together (gc_thresh3, 1,024), and a namespace that is left goes
	// away only some time later.
	t.Cleanup(func() { ip(t, "link", "delete", "e0") })
	ip(t, "link", "set", "e1", "up")
	ip(t, "link", "set", "e0", "up")
	ip(t, "address", "add", "192.0.2.1/24", "dev", "e0")
	for _, name := range []string{"e0", "e1"} { // else notifications of it come later
		for deadline := soon(); ipJSON(t, "link", "show", name)[0]["operstate"] != "UP"; {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not come up", name)
			}
			time.Sleep(time.Millisecond)
		}
	}
	i, err := net.InterfaceByName("e0")
	if err != nil {
		t.Fatal(err)
	}
	return i.Index
}

func dial(t testing.TB) *rtnl.Conn {
	t.Helper()
	c, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialMisses(t testing.TB, c rtnl.Config) *rtnl.Misses {
	t.Helper()
	m, err := rtnl.DialMisses(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func dialChanges(t testing.TB, c rtnl.Config, own ...uint32) *rtnl.Changes {
	t.Helper()
	m, err := rtnl.DialChanges(c, own...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// receiveNeighbours returns the first batch that has changes of neighbours, without
// others: at any time the kernel may tell of a link.
func receiveNeighbours(t testing.TB, m *rtnl.Changes) ([]rtnl.NeighbourChange, error) {
	t.Helper()
	m.SetDeadline(soon())
	for {
		batch, err := m.Receive()
		var some []rtnl.NeighbourChange
		for _, c := range batch {
			if n, ok := c.(rtnl.NeighbourChange); ok {
				some = append(some, n)
			}
		}
		if err != nil || len(some) > 0 {
			return some, err
		}
	}
}

// send sends a datagram to the discard port of an address. The socket is of the
// test's namespace.
func send(t testing.TB, to string) {
	t.Helper()
	c, err := net.Dial("udp4", net.JoinHostPort(to, "9"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
}

// nth returns the n-th address of 198.18.0.0/15.
func nth(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16), byte(n >> 8), byte(n)})
}

var (
	mac     = lladdr.MustParse
	address = netip.MustParseAddr
)

// soon is a deadline for what must happen; only a failing test waits for it.
func soon() time.Time { return time.Now().Add(20 * time.Second) }
