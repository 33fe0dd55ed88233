//go:build linux

package guard_test

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

// open opens a guard in a namespace.
func open(t *testing.T, ns *testns.NS) *guard.Guard[string] {
	t.Helper()
	var g *guard.Guard[string]
	err := ns.Do(func() (err error) {
		g, err = guard.Open()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func refresh(t *testing.T, g *guard.Guard[string], names ...string) {
	t.Helper()
	if err := g.Refresh(names); err != nil {
		t.Fatal(err)
	}
}

func counters(t *testing.T, g *guard.Guard[string]) guard.Counters {
	t.Helper()
	c, err := g.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refreshing keeps e0 guarded until the end of the test, or until stop.
func refreshing(t *testing.T, g *guard.Guard[string], every time.Duration) (stop func()) {
	t.Helper()
	refresh(t, g, "e0")
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(every):
				if err := g.Refresh([]string{"e0"}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		close(done)
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// within polls until it holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func TestKernelNeitherAnswersNorAsks(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	refreshing(t, g, time.Second)

	// Inbound: the kernel drops each request, and isat's socket has it.
	const requests = 20
	l.hostARP.drain(t)
	for range requests {
		l.peerARP.send(t, l.request())
		if p, ok := l.hostARP.receive(t, patience); !ok || p.SenderIP != peerIP {
			t.Fatalf("the packet socket of the guarded interface received %+v, %v", p, ok)
		}
	}
	within(t, "the guard counts every request", func() bool { return counters(t, g).In.Packets == requests })
	if got := counters(t, g).In.Bytes; got != requests*28 { // RFC 826 packets of IPv4 over Ethernet
		t.Errorf("dropped %d bytes, want %d", got, requests*28)
	}

	// Outbound: the kernel would ask for a silent address.
	err := l.host.Do(func() error {
		c, err := net.Dial("udp4", "192.0.2.99:9")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("anybody there?"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the guard counts the kernel's request", func() bool { return counters(t, g).Out.Packets > 0 })
	if n := l.peerARP.drain(t); n != 0 {
		t.Errorf("the peer received %d ARP packets of the guarded kernel", n)
	}

	// isat's own frames pass.
	announcement := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: hostMAC, SenderIP: hostIP, TargetHW: peerMAC, TargetIP: hostIP,
	}
	l.hostARP.send(t, frame(hostMAC, announcement))
	if p, ok := l.peerARP.receive(t, patience); !ok || p != announcement {
		t.Errorf("the peer received %+v, %v, want %+v", p, ok, announcement)
	}
}

func TestOnlyNamedInterfacesAreGuarded(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	l.ask(t) // an empty set guards nothing
	refresh(t, g, "e1", "e", "e00", "lo")
	l.ask(t)
	refresh(t, g) // no interface at all
	l.ask(t)
	if c := counters(t, g); c != (guard.Counters{}) {
		t.Errorf("counters are %+v, want zero", c)
	}
}

// The set is replaced once for every few requests; no request finds it empty.
func TestRefreshLeavesNoGap(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	stop := refreshing(t, g, 0)
	const requests = 20_000
	for range requests {
		l.peerARP.send(t, l.request())
	}
	within(t, "the guard counts every request", func() bool { return counters(t, g).In.Packets == requests })
	stop()
	if n := l.peerARP.drain(t); n != 0 {
		t.Errorf("the kernel answered %d of %d requests", n, requests)
	}
}

func TestGuardEndsWithoutRefresh(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	start := time.Now()
	refresh(t, g, "e0")
	l.ask(t)
	if took := time.Since(start); took < guard.Timeout-time.Second {
		t.Errorf("the guard lasted only %v", took)
	}
	// Elements that have timed out do not hinder what follows.
	if err := g.Remove("e0"); err != nil {
		t.Errorf("removing an interface that timed out: %v", err)
	}
	refresh(t, g, "e0")
	before := counters(t, g).In.Packets
	l.peerARP.send(t, l.request())
	within(t, "guarded again", func() bool { return counters(t, g).In.Packets == before+1 })
}

func TestRemoveEndsTheGuardOfOneInterface(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	refresh(t, g, "e0", "e1")
	for range 2 { // the second time there is nothing to remove
		if err := g.Remove("e1"); err != nil {
			t.Fatal(err)
		}
	}
	l.peerARP.send(t, l.request())
	within(t, "e0 is still guarded", func() bool { return counters(t, g).In.Packets == 1 })
	if err := g.Remove("e0"); err != nil {
		t.Fatal(err)
	}
	l.ask(t)
}

func TestManyInterfaces(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("x%d", i)
	}
	for range 2 {
		refresh(t, g, append(names, "e0", "e0")...)
	}
	l.peerARP.send(t, l.request())
	within(t, "the last name is guarded", func() bool { return counters(t, g).In.Packets == 1 })
}

func TestRefreshRefusesWhatIsNoName(t *testing.T) {
	g := open(t, testns.New(t))
	for _, name := range []string{"", "sixteen-bytes-xx"} {
		if err := g.Refresh([]string{"e0", name}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Refresh(%q): %v, want EINVAL", name, err)
		}
	}
	refresh(t, g, "fifteen-bytes-x")
}

func TestCloseGivesTheKernelItsVoiceBack(t *testing.T) {
	l := newLAN(t)
	g := open(t, l.host)
	if closes, err := g.CloseOnExec(); err != nil || !closes {
		t.Errorf("close-on-exec is %v, %v", closes, err)
	}
	// A child must not inherit the socket and with it the guard.
	child := exec.Command(testns.Program(t, "sleep"), "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()

	refresh(t, g, "e0")
	for range 2 {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, l.host) // the name is free at once
	l.ask(t)
	again.Close()
	if err := g.Refresh([]string{"e0"}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Refresh after Close: %v", err)
	}
	if err := g.Remove("e0"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Remove after Close: %v", err)
	}
	if _, err := g.Counters(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Counters after Close: %v", err)
	}
}

func TestLoss(t *testing.T) {
	g := open(t, testns.New(t))
	refresh(t, g, "e0")
	if err := g.Destroy(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what a failed batch leaves in the socket does no harm
		if err := g.Refresh([]string{"e0"}); !errors.Is(err, guard.ErrLost) {
			t.Errorf("Refresh: %v, want ErrLost", err)
		}
		if _, err := g.Counters(); !errors.Is(err, guard.ErrLost) {
			t.Errorf("Counters: %v, want ErrLost", err)
		}
	}
	if err := g.Remove("e0"); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

func TestOpenTwice(t *testing.T) {
	ns := testns.New(t)
	open(t, ns)
	err := ns.Do(func() error {
		_, err := guard.Open()
		return err
	})
	var taken *guard.TakenError
	if !errors.As(err, &taken) || taken.Port == 0 || !errors.Is(err, syscall.EBUSY) {
		t.Errorf("Open: %v, want a TakenError with the owner's port", err)
	}
	open(t, testns.New(t)) // another namespace is another matter
}

func TestOpenWithoutCapability(t *testing.T) {
	ns := testns.New(t)
	opened := make(chan error, 1)
	go func() {
		opened <- ns.Do(func() error {
			if err := dropNetAdmin(); err != nil {
				return err
			}
			_, err := guard.Open()
			return err
		})
	}()
	err := <-opened
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("Open: %v, want EPERM that names CAP_NET_ADMIN", err)
	}
}

// dropNetAdmin takes CAP_NET_ADMIN and CAP_SYS_ADMIN from the calling thread. The
// latter keeps testns from moving the thread back, so that the runtime ends it
// with its goroutine and no other goroutine runs without the capabilities.
func dropNetAdmin() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return err
	}
	for _, capability := range []int{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN} {
		data[0].Effective &^= 1 << capability
	}
	return unix.Capset(&head, &data[0])
}
