package pcap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/pcap"
)

// request is the frame "who-has 192.0.2.1 tell 192.0.2.2", without padding.
var request = []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02\x08\x06" +
	"\x00\x01\x08\x00\x06\x04\x00\x01" +
	"\x02\x00\x00\x00\x00\x02\xc0\x00\x02\x02" + "\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x01")

// seen is a time that microseconds cannot hold.
var seen = time.Date(2026, time.March, 4, 5, 6, 7, 123456789, time.UTC)

type record struct {
	Time  time.Time
	Frame []byte
}

// write makes a capture of records.
func write(t *testing.T, records ...record) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.WriteFrame(r.Time, r.Frame); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

// read reads a capture to its end.
func read(r io.Reader) (linktype uint32, records []record, err error) {
	c, err := pcap.NewReader(r)
	if err != nil {
		return 0, nil, err
	}
	for {
		t, frame, err := c.ReadFrame()
		if err == io.EOF {
			return c.LinkType(), records, nil
		}
		if err != nil {
			return c.LinkType(), records, err
		}
		records = append(records, record{t, bytes.Clone(frame)})
	}
}

func TestRoundTrip(t *testing.T) {
	want := []record{
		{seen, request},
		{seen.Add(time.Nanosecond), bytes.Repeat([]byte{7}, 1514)},
		{time.Unix(0, 0), []byte{}},
		{time.Unix(1<<32-1, 999_999_999), request[:20]},
	}
	linktype, got, err := read(bytes.NewReader(write(t, want...)))
	if err != nil || linktype != pcap.LinkTypeEthernet {
		t.Errorf("link type %d, error %v", linktype, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestLongFrameIsCut(t *testing.T) {
	file := write(t, record{seen, make([]byte, pcap.SnapLen+5)}, record{seen, request})
	_, got, err := read(bytes.NewReader(file))
	if err != nil || len(got) != 2 || len(got[0].Frame) != pcap.SnapLen {
		t.Fatalf("%d records, error %v", len(got), err)
	}
	// pcap-savefile(5): the last field of a record is the length on the wire.
	if n := binary.LittleEndian.Uint32(file[24+12:]); n != pcap.SnapLen+5 {
		t.Errorf("length on the wire %d, want %d", n, pcap.SnapLen+5)
	}
}

func TestTimeOutOfRange(t *testing.T) {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{time.Unix(-1, 0), time.Unix(1<<32, 0)} {
		if err := w.WriteFrame(at, request); err == nil {
			t.Errorf("a frame of %v was written", at)
		}
	}
	if err := w.WriteFrame(seen, request); err != nil {
		t.Errorf("a good frame after that: %v", err)
	}
	if _, got, err := read(&file); err != nil || len(got) != 1 {
		t.Errorf("%d records, error %v; want the good one", len(got), err)
	}
}

// failing takes some bytes and then fails, like a full disk.
type failing struct{ room int }

var errFull = errors.New("full")

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.room {
		n := f.room
		f.room = 0
		return n, errFull
	}
	f.room -= len(b)
	return len(b), nil
}

func TestWriteErrors(t *testing.T) {
	if _, err := pcap.NewWriter(&failing{room: 23}, pcap.LinkTypeEthernet); !errors.Is(err, errFull) {
		t.Errorf("NewWriter: %v, want the error of the writer", err)
	}
	f := &failing{room: 24 + 20}
	w, err := pcap.NewWriter(f, pcap.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFrame(seen, request); !errors.Is(err, errFull) {
		t.Errorf("WriteFrame: %v, want the error of the writer", err)
	}
	f.room = 1000 // there is room again, but half a record stands before it
	if err := w.WriteFrame(seen, request); !errors.Is(err, errFull) {
		t.Errorf("WriteFrame after a failed one: %v, want the first error", err)
	}
	if f.room != 1000 {
		t.Error("a record was written after half a record")
	}
}

// Records of concurrent writers are whole.
func TestConcurrentWriters(t *testing.T) {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 100
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				if err := w.WriteFrame(seen, bytes.Repeat([]byte{byte(i)}, 60+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	_, got, err := read(&file)
	if err != nil || len(got) != writers*each {
		t.Fatalf("%d records, error %v", len(got), err)
	}
	for _, r := range got {
		if want := bytes.Repeat(r.Frame[:1], 60+int(r.Frame[0])); !bytes.Equal(r.Frame, want) {
			t.Fatalf("a record has the bytes %x", r.Frame)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	w, err := pcap.NewWriter(io.Discard, pcap.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { w.WriteFrame(seen, request) }); got != 0 {
		t.Errorf("%v allocations a frame, want 0", got)
	}
}

// Files of other programs: both byte orders, and microseconds.
func TestReaderTakesOtherForms(t *testing.T) {
	for _, test := range []struct {
		name  string
		order binary.AppendByteOrder
		magic uint32
		want  time.Time
	}{
		{"little endian, microseconds", binary.LittleEndian, 0xa1b2c3d4, time.Unix(1000, 7000)},
		{"big endian, microseconds", binary.BigEndian, 0xa1b2c3d4, time.Unix(1000, 7000)},
		{"little endian, nanoseconds", binary.LittleEndian, 0xa1b23c4d, time.Unix(1000, 7)},
		{"big endian, nanoseconds", binary.BigEndian, 0xa1b23c4d, time.Unix(1000, 7)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var file []byte
			file = test.order.AppendUint32(file, test.magic)
			file = test.order.AppendUint16(file, 2)
			file = test.order.AppendUint16(file, 4)
			// The link type has the flag and length of a frame check sequence.
			for _, v := range []uint32{0, 0, 65535, 0x4400_0006, 1000, 7, 3, 60} {
				file = test.order.AppendUint32(file, v)
			}
			linktype, got, err := read(bytes.NewReader(append(file, "abc"...)))
			if err != nil || linktype != pcap.LinkTypeIEEE8025 {
				t.Errorf("link type %d, error %v", linktype, err)
			}
			if diff := cmp.Diff([]record{{test.want, []byte("abc")}}, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReaderErrors(t *testing.T) {
	good := write(t, record{seen, request})
	with := func(offset int, b byte) []byte {
		damaged := bytes.Clone(good)
		damaged[offset] = b
		return damaged
	}
	for _, test := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, pcap.ErrFormat},
		{"short header", good[:23], pcap.ErrFormat},
		{"other magic", with(0, 0), pcap.ErrFormat},
		{"pcapng", append([]byte{0x0a, 0x0d, 0x0d, 0x0a}, good[4:]...), pcap.ErrFormat},
		{"version 3", with(4, 3), pcap.ErrFormat},
		{"length out of range", with(24+11, 0x80), pcap.ErrFormat},
		{"ends in the header of a frame", good[:24+15], io.ErrUnexpectedEOF},
		{"ends after the header of a frame", good[:24+16], io.ErrUnexpectedEOF},
		{"ends in a frame", good[:len(good)-1], io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got, err := read(bytes.NewReader(test.file)); !errors.Is(err, test.want) || len(got) != 0 {
				t.Errorf("%d records, error %v; want %v", len(got), err, test.want)
			}
		})
	}
	if _, err := pcap.NewReader(io.MultiReader(bytes.NewReader(good[:10]), brokenReader{})); !errors.Is(err, errFull) {
		t.Errorf("error %v, want the one of the reader", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errFull }

func FuzzReader(f *testing.F) {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkTypeEthernet)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	w.WriteFrame(seen, request)
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, records, err := read(bytes.NewReader(b))
		if err != nil && !errors.Is(err, pcap.ErrFormat) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v is none of those documented", err)
		}
		if size := 24 + 16*len(records); len(records) > 0 && size > len(b) {
			t.Errorf("%d records out of %d bytes", len(records), len(b))
		}
	})
}

// The programs that people open captures with are the referees.
func TestOtherProgramsOpenIt(t *testing.T) {
	name := filepath.Join(t.TempDir(), "capture.pcap")
	file := write(t, record{seen, request}, record{seen.Add(time.Second), request})
	if err := os.WriteFile(name, file, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		program string
		args    []string
		want    string // a line of the output begins with
	}{
		{"tcpdump", []string{"-nn", "-tt", "--nano", "-r", name}, fmt.Sprintf("%d.123456789 ARP, Request who-has 192.0.2.1 tell 192.0.2.2", seen.Unix())},
		{"tshark", []string{"-r", name, "-T", "fields", "-e", "frame.time_epoch", "-e", "arp.src.proto_ipv4"}, fmt.Sprintf("%d.123456789\t192.0.2.2", seen.Unix())},
	} {
		t.Run(test.program, func(t *testing.T) {
			out, err := exec.Command(testns.Program(t, test.program), test.args...).Output()
			if err != nil {
				t.Fatalf("%s: %v", test.program, err)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(lines) != 2 || !strings.HasPrefix(lines[0], test.want) {
				t.Errorf("%s prints\n%s\nwant 2 lines, the first %q", test.program, out, test.want)
			}
		})
	}
}
