package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/lladdr"
)

// These tests run on the lab's own network of plain kernels:
//
//	alice 192.0.2.9   bob 192.0.2.10   router   isat 192.0.2.1
//	      └───────────────┴───────────────┴─────────┘

// patience bounds what is done in milliseconds on an idle machine.
const patience = 20 * time.Second

func newLAN(t *testing.T) *lan.LAN {
	t.Helper()
	testns.Require(t)
	l, err := lan.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// silent is an address that nobody has.
func silent() netip.Addr { return netip.MustParseAddr("192.0.2.50") }

func TestPing(t *testing.T) {
	l := newLAN(t)
	rtt, err := probe.Ping(t.Context(), l.Alice.NS, l.Far.IP(), patience)
	if err != nil || rtt <= 0 || rtt > patience {
		t.Errorf("through the router: %v, %v", rtt, err)
	}
	if _, err = probe.Ping(t.Context(), l.Alice.NS, silent(), patience); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("a silent address: %v, want EHOSTUNREACH", err)
	}
	// The kernel needs 3 s to give up, so this is over before.
	if _, err = probe.Ping(t.Context(), l.Bob.NS, silent(), 10*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent address, for a moment: %v, want a timeout", err)
	}
	outside := netip.MustParseAddr("203.0.113.1")
	if _, err = probe.Ping(t.Context(), l.Router.NS, outside, patience); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("without a route: %v, want ENETUNREACH", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = probe.Ping(ctx, l.Bob.NS, silent(), patience); err == nil {
		t.Error("a ping with a done context succeeded")
	}
}

func TestPingerCountsLosses(t *testing.T) {
	l := newLAN(t)
	p, err := probe.NewPinger(l.Alice.NS, l.Bob.IP())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, 10*time.Millisecond, 100*time.Millisecond) }()

	waitFor(t, func() bool { return answered(p.Echoes()) >= 3 })
	if err := l.SetCarrier(l.Bob, false); err != nil {
		t.Fatal(err)
	}
	at := len(p.Echoes())
	waitFor(t, func() bool { return len(p.Echoes()) > at+3 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	echoes := p.Echoes()
	if n := answered(echoes); n < 3 || n > at || n == len(echoes) {
		t.Errorf("%d answered of %d, %d before bob was cut off", n, len(echoes), at)
	}
	for i, e := range echoes {
		if e.Answered() != (e.RTT > 0) || e.Answered() && e.Done.Sub(e.Sent) != e.RTT {
			t.Errorf("ping %d: %+v", i, e)
		}
	}
}

// A reply that comes just when a run is to end is no failure of the socket.
func TestPingerEndsWithAReply(t *testing.T) {
	l := newLAN(t)
	for range 300 {
		p, err := probe.NewPinger(l.Alice.NS, l.Bob.IP())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = p.Run(ctx, time.Minute, patience)
		p.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func answered(echoes []probe.Echo) (n int) {
	for _, e := range echoes {
		if e.Answered() {
			n++
		}
	}
	return n
}

func TestStreamSeesLossAndStall(t *testing.T) {
	l := newLAN(t)
	s, err := probe.NewStream(t.Context(), l.Alice.NS, l.Far.NS, l.Far.IP())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, 10*time.Millisecond) }()
	progress := func() probe.Progress {
		t.Helper()
		p, err := s.Progress()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	waitFor(t, func() bool { return progress().Bytes > 200 })

	if err := l.SetCarrier(l.Router, false); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { p := progress(); return p.Retransmits > 0 && p.LongestGap > 200*time.Millisecond })
	if err := l.SetCarrier(l.Router, true); err != nil {
		t.Fatal(err)
	}
	before := progress().Bytes
	waitFor(t, func() bool { return progress().Bytes > before })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConnectToNobody(t *testing.T) {
	l := newLAN(t)
	if _, err := probe.Connect(t.Context(), l.Alice.NS, netip.AddrPortFrom(silent(), 9)); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("a silent address: %v, want EHOSTUNREACH", err)
	}
	if _, err := probe.Connect(t.Context(), l.Alice.NS, netip.AddrPortFrom(l.Bob.IP(), 9)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port: %v, want ECONNREFUSED", err)
	}
}

func TestWireSeesBothWaysAndSends(t *testing.T) {
	l := newLAN(t)
	wire, err := probe.NewWire(l.Switch(), l.Alice.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	begin := time.Now()
	if _, err := probe.Ping(t.Context(), l.Alice.NS, l.Bob.IP(), patience); err != nil {
		t.Fatal(err)
	}
	frames, err := wire.Frames()
	if err != nil || len(frames) != 2 {
		t.Fatalf("%d frames, %v, want a request and a reply", len(frames), err)
	}
	for i, want := range []arp.Operation{arp.Request, arp.Reply} {
		if f := frames[i]; f.Err != nil || f.Packet.Operation != want || f.Time.Before(begin.Add(-time.Second)) || f.Time.After(time.Now().Add(time.Second)) {
			t.Errorf("frame %d: %+v, want a %v of now", i, f, want)
		}
	}

	// Frames from alice's own side, from an address that is not hers.
	here, err := probe.NewWire(l.Alice.NS, l.Alice.Interface())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	source := lladdr.MustParse("02:00:00:00:00:66")
	sent := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: source, SenderIP: silent(), TargetHW: lladdr.From6([6]byte{}), TargetIP: l.Bob.IP(),
	}
	if err := here.Send(source, lladdr.Broadcast(), sent); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		frames, err := wire.Frames()
		if err != nil {
			t.Fatal(err)
		}
		return len(frames) > 0 && frames[0].Packet == sent && frames[0].Header.Source == source
	})

	// An interface that goes down and comes back is watched as before.
	for _, up := range []bool{false, true} {
		if err := l.SetCarrier(l.Alice, up); err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Frames(); err != nil {
			t.Errorf("with the port up: %v: %v", up, err)
		}
	}
	waitFor(t, func() bool {
		if err := here.Send(source, lladdr.Broadcast(), sent); err != nil && !errors.Is(err, syscall.ENETDOWN) {
			t.Fatal(err)
		}
		frames, err := wire.Frames()
		if err != nil {
			t.Fatal(err)
		}
		return len(frames) > 0
	})
	if _, err := probe.NewWire(l.Alice.NS, "none"); err == nil {
		t.Error("an interface that is not there was opened")
	}
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not happen")
		}
	}
}

// TestDatagrams sends to a port that nobody listens on, which both kinds of
// programs are told, and to one where somebody does.
func TestDatagrams(t *testing.T) {
	l := newLAN(t)
	for _, way := range []probe.Datagrams{probe.Connected, probe.Queued} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := way.Send(ctx, l.Alice.NS, netip.AddrPortFrom(l.Bob.IP(), 9), time.Millisecond)
		cancel()
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%d: nobody listens: %v, want ECONNREFUSED", way, err)
		}
		var listener net.PacketConn
		if err := l.Bob.NS.Do(func() (err error) {
			listener, err = net.ListenPacket("udp4", "192.0.2.10:9")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := way.Send(ctx, l.Alice.NS, netip.AddrPortFrom(l.Bob.IP(), 9), time.Millisecond); err != nil {
			t.Errorf("%d: somebody listens: %v", way, err)
		}
		cancel()
		if err := listener.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, from, err := listener.ReadFrom(make([]byte, 9)); n != 1 || err != nil || !strings.HasPrefix(from.String(), "192.0.2.9:") {
			t.Errorf("%d: received %d bytes from %v, %v", way, n, from, err)
		}
		listener.Close()
	}
}
