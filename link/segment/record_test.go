package segment_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/pcap"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// request is a frame that asks for an address.
func request(from lladdr.Addr, sender, target string) []byte {
	packet := arp.Packet{
		HardwareType: arp.Ethernet, ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
		SenderHW: from, SenderIP: netip.MustParseAddr(sender), TargetIP: netip.MustParseAddr(target),
	}
	header := link.Header{Destination: broadcast, Source: from, Type: link.TypeARP}
	return link.Ethernet{}.Append(nil, header, packet.AppendTo(nil))
}

// record has a request sent every 1.5 s of virtual time, the second of them lost,
// and returns the capture.
func record(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := segment.New(segment.Options{})
		w, err := pcap.NewWriter(&file, pcap.LinkTypeEthernet)
		if err != nil {
			t.Fatal(err)
		}
		s.Record(w)
		a := s.Port(macA)
		for i, target := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
			s.SetConditions(segment.Conditions{Loss: float64(i % 2)})
			if _, err := a.WriteFrames([][]byte{request(macA, "192.0.2.10", target)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1500 * time.Millisecond)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return file.Bytes()
}

// The record is of what was sent, when it was sent, lost or not.
func TestRecord(t *testing.T) {
	r, err := pcap.NewReader(bytes.NewReader(record(t)))
	if err != nil {
		t.Fatal(err)
	}
	// Virtual time begins at midnight UTC, 1 January 2000 (testing/synctest).
	at := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	for _, target := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		seen, frame, err := r.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if want := request(macA, "192.0.2.10", target); !seen.Equal(at) || !bytes.Equal(frame, want) {
			t.Errorf("at %v %x,\nwant at %v %x", seen, frame, at, want)
		}
		at = at.Add(1500 * time.Millisecond)
	}
	if _, _, err := r.ReadFrame(); err != io.EOF {
		t.Errorf("after the last frame: %v, want EOF", err)
	}
}

func TestTsharkOpensTheRecord(t *testing.T) {
	tshark := testns.Program(t, "tshark")
	name := filepath.Join(t.TempDir(), "segment.pcap")
	if err := os.WriteFile(name, record(t), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", name, "-T", "fields", "-e", "frame.time_delta", "-e", "arp.dst.proto_ipv4").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "0.000000000\t192.0.2.1\n1.500000000\t192.0.2.2\n1.500000000\t192.0.2.3\n"
	if string(out) != want {
		t.Errorf("tshark prints\n%s\nwant\n%s", out, want)
	}
}

type brokenRecorder struct{ calls int }

var errBroken = errors.New("broken")

func (b *brokenRecorder) WriteFrame(time.Time, []byte) error {
	b.calls++
	return errBroken
}

// A recorder that fails is not called again, and the network goes on.
func TestRecordErrors(t *testing.T) {
	s := segment.New(segment.Options{})
	a, b := s.Port(macA), s.Port(macB)
	var broken brokenRecorder
	s.Record(&broken)
	send(t, a, macB, 1, 2)
	if got := b.Stats().Received; got != 2 || broken.calls != 1 {
		t.Errorf("%d frames arrived, %d calls of the recorder; want 2 and 1", got, broken.calls)
	}
	if err := s.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close: %v, want the error of the recorder", err)
	}
}
