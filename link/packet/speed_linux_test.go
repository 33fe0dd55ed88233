package packet_test

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/packet"
)

// A frame costs no allocation, sent and received alone or with others.
func TestNoAllocations(t *testing.T) {
	lan := newCable(t)
	a, b := listen(t, lan.a, packet.Options{}), listen(t, lan.b, packet.Options{})
	in := make([][]byte, packet.DefaultBatch)
	for _, test := range []struct {
		name string
		out  [][]byte
	}{
		{"one", [][]byte{numbered(1)}},
		{"many", [][]byte{numbered(1), numbered(2), numbered(3), numbered(4), numbered(5), numbered(6), numbered(7), numbered(8)}},
		{"tagged and one", [][]byte{frame(broadcast, vlan5, typeARP, 1), numbered(2)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := b.Stats()
			if got := testing.AllocsPerRun(1000, func() {
				if _, err := a.WriteFrames(test.out); err != nil {
					t.Fatal(err)
				}
				for sent := a.Stats().Sent; handled(b.Stats()) < sent; {
					if _, err := b.ReadFrames(in); err != nil {
						t.Fatal(err)
					}
				}
			}); got != 0 {
				t.Errorf("%v allocations a round, want 0", got)
			}
			if handled(b.Stats())-handled(before) != 1001*uint64(len(test.out)) { // AllocsPerRun has one run more
				t.Errorf("stats %+v after %+v", b.Stats(), before)
			}
		})
	}
}

// handled is how many frames the socket got.
func handled(s packet.Stats) uint64 { return s.Received + s.Tagged }

// tcpdump on the sending interface shows what is sent: why PACKET_QDISC_BYPASS is
// not used.
func TestTcpdumpShowsSentFrames(t *testing.T) {
	tcpdump := testns.Program(t, "tcpdump")
	lan := newCable(t)
	a := listen(t, lan.a, packet.Options{})
	cmd := exec.Command(tcpdump, "-c", "1", "-e", "-nn", "-l", "-i", "a", "arp")
	stderr, err := cmd.StderrPipe()
	must(t, err)
	var out strings.Builder
	cmd.Stdout = &out
	must(t, cmd.Start())
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "listening on") {
	}
	write(t, a, numbered(1))
	for lines.Scan() { // until tcpdump has its one frame and ends
	}
	must(t, cmd.Wait())
	if !strings.Contains(out.String(), macA.String()+" > ff:ff:ff:ff:ff:ff") {
		t.Errorf("tcpdump shows\n%s\nwant the frame that was sent", out.String())
	}
}

// One frame at a time: the latency of sending, waking the reader and reading.
func BenchmarkPingPong(b *testing.B) {
	lan := newCable(b)
	one, two := listen(b, lan.a, packet.Options{}), listen(b, lan.b, packet.Options{})
	go func() {
		frames, echo := make([][]byte, 1), [][]byte{numbered(2)}
		for {
			if _, err := two.ReadFrames(frames); err != nil {
				return
			}
			two.WriteFrames(echo)
		}
	}()
	in, out := make([][]byte, 1), [][]byte{numbered(1)}
	b.ReportAllocs()
	for b.Loop() {
		one.WriteFrames(out)
		one.ReadFrames(in)
	}
}

// Batches, sent and received.
func BenchmarkBatch(b *testing.B) {
	lan := newCable(b)
	one, two := listen(b, lan.a, packet.Options{}), listen(b, lan.b, packet.Options{})
	in := make([][]byte, packet.DefaultBatch)
	var out [][]byte
	for i := range packet.DefaultBatch {
		out = append(out, numbered(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		one.WriteFrames(out)
		for got := 0; got < len(out); {
			n, err := two.ReadFrames(in)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
	b.ReportMetric(float64(b.N*len(out))/b.Elapsed().Seconds(), "frames/s")
}
