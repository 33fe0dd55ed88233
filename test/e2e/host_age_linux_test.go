package e2e

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHostAge shortens max_age: what is not used expires, in isat and in the
// kernel; what is used by ping or by a TCP stream is asked for before that, and no
// packet is lost.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 (ping), .3 (TCP), .4 (nobody) peer
func TestHostAge(t *testing.T) {
	t.Parallel()
	need(t, "ping")
	const age = 6 * time.Second
	isat, peer := NewPair(t)
	for _, ip := range []string{"192.0.2.3", "192.0.2.4"} {
		peer.Must("ip", "addr", "add", ip+"/24", "dev", "e0")
	}
	d := StartISAT(t, isat, standard)
	for _, ip := range []string{"192.0.2.2", "192.0.2.3", "192.0.2.4"} {
		isat.Must("ping", "-c", "1", ip) // with the default of 20 minutes
	}
	// The peer is not to ask by itself: that would refresh our entries.
	for _, n := range []string{isatIP} {
		peer.Must("ip", "neigh", "replace", n, "lladdr", isatMAC, "dev", "e0", "nud", "permanent")
	}
	echo, stream := newStream(t, isat, peer, "192.0.2.3")
	defer echo.Close()
	wire := d.Wire("e0")
	mark := wire.Mark()
	if r := d.Tool("sysctl", fmt.Sprintf("net.link.ether.inet.max_age=%d", int(age.Seconds()))); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	shortened := time.Now()

	run := 5 * age / 2
	pings := make(chan Result)
	go func() {
		pings <- isat.Run("ping", "-q", "-i", "0.2", "-c", fmt.Sprint(int(run/(200*time.Millisecond))), "192.0.2.2")
	}()
	stream.exchange(run)
	ping := <-pings

	for _, ip := range []string{"192.0.2.2", "192.0.2.3"} {
		asked := wire.Since(mark, both(sentARP, who(ip)))
		if len(asked) == 0 || asked[0].Time.Sub(shortened) > age {
			t.Errorf("%s is in use and was asked for %d times, want once before %v at the least", ip, len(asked), age)
		}
		if e, ok := d.Entry("e0", ip); !ok || string(e.MAC) != peerMAC {
			t.Errorf("%s is in use and isat has %+v, %v", ip, e, ok)
		}
	}
	if e, ok := d.Entry("e0", "192.0.2.4"); ok {
		t.Errorf("192.0.2.4 is not in use and isat has %+v after %v", e, time.Since(shortened))
	}
	if n, ok := isat.Neighbour("e0", "192.0.2.4"); ok {
		t.Errorf("192.0.2.4 is not in use and the kernel has %+v", n)
	}
	if asked := wire.Since(mark, both(sentARP, who("192.0.2.4"))); len(asked) != 0 {
		t.Errorf("192.0.2.4 is not in use and was asked for %d times", len(asked))
	}
	if !strings.Contains(ping.Stdout, " 0% packet loss") {
		t.Errorf("pings were lost: %s", ping.Stdout)
	}
	if n := stream.retransmits(); n != 0 {
		t.Errorf("TCP sent %d segments again", n)
	}
	t.Logf("%s; slowest echo %v", regexp.MustCompile(`\d+ packets.*`).FindString(ping.Stdout), stream.slowest.Round(time.Millisecond))
	d.Agree("e0")
}

// stream is a TCP connection on which bytes are echoed.
type stream struct {
	t       *testing.T
	conn    *net.TCPConn
	slowest time.Duration
}

// newStream connects isat to an echo server on the peer.
func newStream(t *testing.T, isat, peer *Host, ip string) (io.Closer, *stream) {
	t.Helper()
	var listener net.Listener
	if err := peer.NS.Do(func() (err error) { listener, err = net.Listen("tcp4", ip+":7"); return err }); err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	s := &stream{t: t}
	if err := isat.NS.Do(func() error {
		// Dial would race addresses on goroutines that are not in the namespace.
		c, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.ParseIP(ip), Port: 7})
		s.conn = c
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	return listener, s
}

// exchange sends a byte and waits for its echo five times a second.
func (s *stream) exchange(long time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		began := time.Now()
		_ = s.conn.SetDeadline(began.Add(patience))
		b := []byte{'x'}
		if _, err := s.conn.Write(b); err != nil {
			s.t.Fatal(err)
		}
		if _, err := io.ReadFull(s.conn, b); err != nil {
			s.t.Fatal(err)
		}
		s.slowest = max(s.slowest, time.Since(began))
	}
}

// retransmits returns how many segments were sent again.
func (s *stream) retransmits() uint32 {
	s.t.Helper()
	raw, err := s.conn.SyscallConn()
	if err != nil {
		s.t.Fatal(err)
	}
	var info *unix.TCPInfo
	if e := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); e != nil || err != nil {
		s.t.Fatal(e, err)
	}
	return info.Total_retrans
}
