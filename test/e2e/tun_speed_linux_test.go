package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/link/tap"
)

var speedTime = flag.Duration("speed.time", 10*time.Second, "how long each way is measured")

// BenchmarkTUN measures TCP by iperf3 through a host of its own, and beside it, in
// the same run, through a Linux bridge with a tap whose frames a program copies: as
// often through user space, and with no ARP to do. On a machine with few cores the
// two have to be compared with each other only.
//
//	isat      programs ─ isat0 (TUN) ─ isat ─ e0 ──────────── e0 peer
//	baseline  programs ─ t0 (TAP) ─ copy ─ t1 (TAP) ─ br0 ─ e0 ─ e0 peer
//
//	go test -run - -bench TUN -benchtime 1x ./test/e2e -speed.time 60s
func BenchmarkTUN(b *testing.B) {
	Require(b, "iperf3")
	for b.Loop() {
		out, in := isatSpeed(b)
		baseOut, baseIn := bridgeSpeed(b)
		b.ReportMetric(out, "Gbit/s-out")
		b.ReportMetric(in, "Gbit/s-in")
		b.ReportMetric(baseOut, "Gbit/s-bridge-out")
		b.ReportMetric(baseIn, "Gbit/s-bridge-in")
		b.ReportMetric(out/baseOut, "ratio-out")
		b.ReportMetric(in/baseIn, "ratio-in")
	}
}

// TestTUNSpeed: a TCP connection carries data for some seconds each way and is not
// lost.
func TestTUNSpeed(t *testing.T) {
	Require(t, "iperf3")
	isat, peer := uncaptured(t)
	for _, reverse := range []bool{false, true} {
		if got := iperf(t, isat, peer, 3*time.Second, reverse); got <= 0 {
			t.Errorf("reverse %v: nothing was carried", reverse)
		}
	}
}

func isatSpeed(b *testing.B) (out, in float64) {
	b.Helper()
	isat, peer := uncaptured(b)
	return iperf(b, isat, peer, *speedTime, false), iperf(b, isat, peer, *speedTime, true)
}

// uncaptured is newTUN without a recording of the wire, which would cost as much
// as the rest: only interfaces that are up are recorded.
func uncaptured(t testing.TB) (isat, peer *Host) {
	t.Helper()
	n := NewNet(t)
	isat, peer = n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	isat.Must("ip", "link", "set", "e0", "down")
	StartISAT(t, isat, tunConfig)
	isat.Must("ip", "link", "set", "e0", "up")
	await(t, "they reach each other", func() bool { return isat.Run("ping", "-c", "1", "-W", "1", peerIP).Code == 0 })
	return isat, peer
}

func bridgeSpeed(b *testing.B) (out, in float64) {
	b.Helper()
	n := NewNet(b)
	host, bridge, peer := n.Host("host"), n.Host("bridge"), n.Host("bridged")
	n.Veth(bridge.End("e0", "02:00:00:00:00:09"), peer.End("e0", peerMAC))
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	inner, outer := openTAP(b, host, "t0"), openTAP(b, bridge, "t1")
	defer inner.Close()
	defer outer.Close()
	host.Must("ip", "addr", "add", isatIP+"/24", "dev", "t0")
	host.Must("ip", "link", "set", "t0", "up")
	bridge.Must("ip", "link", "add", "br0", "type", "bridge")
	bridge.Must("ip", "link", "set", "br0", "up")
	bridge.Must("ip", "link", "set", "t1", "master", "br0", "up")
	bridge.Must("ip", "link", "set", "e0", "master", "br0")
	go copyFrames(inner, outer)
	go copyFrames(outer, inner)
	await(b, "the bridge forwards", func() bool { return host.Run("ping", "-c", "1", "-W", "1", peerIP).Code == 0 })
	return iperf(b, host, peer, *speedTime, false), iperf(b, host, peer, *speedTime, true)
}

func openTAP(b *testing.B, h *Host, name string) *tap.Port {
	b.Helper()
	var p *tap.Port
	if err := h.NS.Do(func() (err error) { p, err = tap.Open(name); return err }); err != nil {
		b.Fatal(err)
	}
	return p
}

// copyFrames copies until one of the ports is closed.
func copyFrames(from, to *tap.Port) {
	frames := make([][]byte, 64)
	for {
		n, err := from.ReadFrames(frames)
		if err != nil {
			return
		}
		if _, err := to.WriteFrames(frames[:n]); err != nil {
			return
		}
	}
}

// timedOut is the exit status of timeout(1) when it had to end the command.
const timedOut = 124

// iperf measures TCP from h to the peer, or the other way, in Gbit/s.
func iperf(t testing.TB, h, peer *Host, lasts time.Duration, reverse bool) float64 {
	t.Helper()
	server := peer.Start("iperf3", "-s", "-1")
	defer func() { server.End(t, syscall.SIGTERM) }()
	// iperf3 itself waits for ever if the server is lost in the midst of a run.
	limit := fmt.Sprint(int((lasts + 20*time.Second).Seconds()))
	args := []string{"timeout", limit, "iperf3", "-c", peerIP, "-J", "-t", fmt.Sprint(int(lasts.Seconds()))}
	if reverse {
		args = append(args, "-R")
	}
	type report struct {
		Error string `json:"error"`
		End   struct {
			Received struct {
				BitsPerSecond float64 `json:"bits_per_second"`
				Seconds       float64 `json:"seconds"`
			} `json:"sum_received"`
			Sent struct {
				Retransmits int `json:"retransmits"`
			} `json:"sum_sent"`
		} `json:"end"`
	}
	var r report
	await(t, "iperf3 is served", func() bool { // the server needs some time to listen
		r = report{}
		result := h.Run(args...)
		if result.Code == timedOut {
			ping := h.Run("ping", "-c", "2", "-W", "1", peerIP)
			t.Logf("iperf3 did not end within %s s; %+v\nping meanwhile: %+v\nits connections: %+v", limit, result, ping, h.Run("ss", "-tnoi"))
			server.End(t, syscall.SIGTERM)
			server = peer.Start("iperf3", "-s", "-1")
			return false
		}
		if err := json.Unmarshal([]byte(result.Stdout), &r); err != nil {
			t.Fatalf("iperf3 said %q: %v", result.Stdout, err)
		}
		return r.Error == "" // with -J the exit status is 0 all the same
	})
	if got := r.End.Received.Seconds; got < lasts.Seconds()-1 {
		t.Errorf("the connection lasted %v s of %v", got, lasts)
	}
	t.Logf("%s, reverse %v: %.2f Gbit/s, %d retransmissions", h.Name, reverse, r.End.Received.BitsPerSecond/1e9, r.End.Sent.Retransmits)
	return r.End.Received.BitsPerSecond / 1e9
}
