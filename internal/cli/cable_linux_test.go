package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/arcnet"
	"github.com/isat-project/isat/link/cable"
	"github.com/isat-project/isat/lladdr"
)

// lines hands out what is written to it, line by line.
type lines chan string

func (l lines) Write(b []byte) (int, error) { l <- string(b); return len(b), nil }

// A hub passes frames, records them as tshark reads them, and tells of it.
func TestCable(t *testing.T) {
	tshark := testns.Program(t, "tshark")
	for _, test := range []struct {
		medium   string
		framing  link.Framing
		from, to string
		frames   int // that a packet of 1500 bytes has
	}{
		{"ethernet", link.Ethernet{}, "02:00:00:00:00:05", "02:00:00:00:00:06", 1},
		{"token-ring", link.TokenRing{}, "02:00:00:00:00:05", "02:00:00:00:00:06", 1},
		{"arcnet", link.ARCnet{}, "05", "06", 3},
	} {
		t.Run(test.medium, func(t *testing.T) {
			dir := t.TempDir()
			path, recording := filepath.Join(dir, "hub"), filepath.Join(dir, "hub.pcap")
			out := make(lines, 10)
			var stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			status := make(chan int, 1)
			go func() {
				status <- Main(ctx, Programs{}, []string{"isat", "cable", path, "--pcap", recording, "--medium", test.medium}, nil, out, &stderr)
			}()
			if got, want := <-out, fmt.Sprintf("hosts join with port = %q\n", "cable:"+path); got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
			a, err := cable.Dial(path)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b, err := cable.Dial(path)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()

			packet := make([]byte, 1500)
			copy(packet, []byte{0x45, 0, 1500 >> 8, 1500 & 0xff, 8: 64, 9: 253, 10: 0xf1, 0x04, 192, 0, 2, 5, 192, 0, 2, 6})
			h := link.Header{Source: lladdr.MustParse(test.from), Destination: lladdr.MustParse(test.to), Type: link.TypeIPv4}
			write := a.WriteFrames
			if test.framing == (link.ARCnet{}) {
				write = arcnet.NewPort(a, 1500).WriteFrames
			}
			// The hub may not have taken the other port yet: it hears one of them.
			heard := make(chan error, 1)
			go func() {
				_, err := b.ReadFrames(make([][]byte, 1))
				heard <- err
			}()
			frame := test.framing.Append(nil, h, packet)
			packets := 0
			for done := false; !done; packets++ {
				if n, err := write([][]byte{frame}); n != 1 || err != nil {
					t.Fatalf("%d packets written, error %v", n, err)
				}
				select {
				case err := <-heard:
					if err != nil {
						t.Errorf("the other port reads: %v", err)
					}
					done = true
				case <-time.After(10 * time.Millisecond):
				}
			}
			size := int64(24 + packets*(16+len(frame))) // pcap-savefile(5)
			for info, err := os.Stat(recording); err != nil || info.Size() < size; info, err = os.Stat(recording) {
				if ctx.Err() != nil {
					t.Fatalf("a recording of %d bytes, want %d", info.Size(), size)
				}
				time.Sleep(time.Millisecond)
			}
			cancel()
			want := fmt.Sprintf("%d frames, 0 lost on the way to slow hosts, 0 too long, 0 hosts too many\n", packets*test.frames)
			if got := <-out; got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
			if s := <-status; s != statusDone || stderr.Len() > 0 {
				t.Errorf("exit status %d, errors %q", s, stderr.String())
			}
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("the socket at the end: %v", err)
			}
			seen, err := exec.Command(tshark, "-r", recording, "-T", "fields", "-e", "ip.src", "-e", "ip.len", "-e", "_ws.expert").Output()
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Repeat("192.0.2.5\t1500\t\n", packets); string(seen) != want {
				t.Errorf("tshark sees\n%swant\n%s", seen, want)
			}
		})
	}
}

// A recording that fails is told once, and the cable goes on.
func TestCableRecordingFails(t *testing.T) {
	var log bytes.Buffer
	record, err := recorder(&full{room: 24}, "ethernet", slog.New(newLineHandler(&log, slog.LevelInfo, false)))
	if err != nil {
		t.Fatal(err)
	}
	record(time.Now(), []byte("one"))
	record(time.Now(), []byte("two"))
	if got, want := log.String(), "recording a cable ended err=\"writing to a capture: short write\"\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if _, err := recorder(&full{}, "ethernet", nil); err == nil {
		t.Error("a recording without a header")
	}
}

// full takes the room and then fails.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}
