package link_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/pcap"
	"github.com/isat-project/isat/lladdr"
)

// ipPacket is an IPv4 packet of the length from 192.0.2.5 to 192.0.2.6.
func ipPacket(length int) []byte {
	b := make([]byte, length)
	copy(b, []byte{0x45, 0, byte(length >> 8), byte(length), 8: 64, 9: 253, 12: 192, 0, 2, 5, 192, 0, 2, 6}) // 253: RFC 3692
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20]))
	return b
}

// checksum is that of RFC 1071, of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}

// tshark reads the frames of each medium as what they are: the referee of the
// framings. It complains of nothing.
func TestTshark(t *testing.T) {
	program := testns.Program(t, "tshark")
	for _, test := range []struct {
		name      string
		framing   link.Framing
		linkType  uint32
		from, to  string
		route     string
		ipLengths []int
		fields    []string // shown of each frame
		arp       string   // what they are of the ARP frame,
		ip        string   // and of each IP frame
	}{
		{"ethernet", link.Ethernet{}, pcap.LinkTypeEthernet, "02:00:00:00:00:05", "02:00:00:00:00:06", "", []int{20, 1500},
			[]string{"eth.src", "eth.dst"}, "02:00:00:00:00:05\tff:ff:ff:ff:ff:ff", "02:00:00:00:00:05\t02:00:00:00:00:06"},
		{"token-ring", link.TokenRing{}, pcap.LinkTypeIEEE8025, "02:00:00:00:00:05", "02:00:00:00:00:06", "", []int{20, 1500, 17914},
			[]string{"tr.ac", "tr.fc", "tr.src", "tr.dst", "tr.sr"}, "0x10\t0x40\t02:00:00:00:00:05\tff:ff:ff:ff:ff:ff\t0", "0x10\t0x40\t02:00:00:00:00:05\t02:00:00:00:00:06\t0"},
		{"token-ring with a route", link.TokenRing{}, pcap.LinkTypeIEEE8025, "02:00:00:00:00:05", "02:00:00:00:00:06", "\x06\x90\x00\x11\x00\x20", []int{20},
			[]string{"tr.sr", "tr.rif_bytes", "tr.direction", "tr.rif"}, "1\t6\t128\t001-1-002", "1\t6\t128\t001-1-002"},
		{"arcnet", link.ARCnet{}, pcap.LinkTypeARCnet, "05", "06", "", []int{20, 249, 250, 251, 252, 253, 504, 1500},
			[]string{"arcnet.src", "arcnet.dst", "arcnet.split_flag"}, "0x05\t0x00\t0", "0x05\t0x06\t0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, to := lladdr.MustParse(test.from), lladdr.MustParse(test.to)
			h := link.Header{Source: from, Destination: test.framing.Broadcast(), Type: link.TypeARP}
			if test.route != "" {
				h.Route = route(t, test.route)
			}
			request := arp.Packet{
				HardwareType: test.framing.HardwareType(), ProtocolType: arp.ProtocolIPv4, Operation: arp.Request,
				SenderHW: from, SenderIP: netip.MustParseAddr("192.0.2.5"), TargetIP: netip.MustParseAddr("192.0.2.6"),
			}
			target, _ := lladdr.FromSlice(make([]byte, from.Len()))
			request.TargetHW = target
			frames := [][]byte{test.framing.Append(nil, h, request.AppendTo(nil))}
			want := "arp\t\t192.0.2.5\t\t\t" + test.arp + "\n"
			h.Destination, h.Type = to, link.TypeIPv4
			for _, length := range test.ipLengths {
				frames = append(frames, test.framing.Append(nil, h, ipPacket(length)))
				want += "ipv4\t192.0.2.5\t\t\t\t" + test.ip + "\n"
			}

			// What tshark finds wrong would be in the last two fields of the first five.
			args := []string{"-o", "ip.check_checksum:TRUE", "-r", recording(t, test.linkType, frames), "-T", "fields", "-E", "occurrence=f"}
			for _, field := range append([]string{"_ws.col.Protocol", "ip.src", "arp.src.proto_ipv4", "_ws.malformed", "_ws.expert"}, test.fields...) {
				args = append(args, "-e", field)
			}
			out, err := exec.Command(program, args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, strings.ToLower(string(out))); diff != "" {
				t.Errorf("what tshark reads (-want +got):\n%s", diff)
			}
		})
	}
}

// A route reads as tcpdump prints it, but for its spaces.
func TestTcpdumpPrintsTheRoute(t *testing.T) {
	h := header
	h.Route = route(t, longest)
	name := recording(t, pcap.LinkTypeIEEE8025, [][]byte{link.TokenRing{}.Append(nil, h, ipPacket(20))})
	out, err := exec.Command(testns.Program(t, "tcpdump"), "-nn", "-e", "-r", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(h.Route.String(), "=", " = ", 1); !strings.Contains(string(out), want) {
		t.Errorf("tcpdump prints %s without %q", out, want)
	}
}

// recording writes frames to a file and returns its name.
func recording(t *testing.T, linkType uint32, frames [][]byte) string {
	t.Helper()
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, linkType)
	if err != nil {
		t.Fatal(err)
	}
	for i, frame := range frames {
		if err := w.WriteFrame(time.Unix(int64(i), 0), frame); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "recording.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
