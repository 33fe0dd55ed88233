package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/link/cable"
	"github.com/isat-project/isat/link/pcap"
)

// Two hosts of their own talk on a cable that records, and a stranger talks to
// one of them in frames that scapy makes, of forms that isat itself never sends.
// What isat sends is judged by tshark, which reads all of the recording as ARP and
// IP without a complaint.
//
//	┌ namespace a ─────────────┐      ┌ namespace b ─────────────┐
//	│ isat0 (TUN)  isat ───────┐      ┌──── isat   isat0 (TUN)   │
//	│ 192.0.2.1                │      │ 192.0.2.2                │
//	└──────────────────────────┴ hub ─┴──────────────────────────┘
//	                              │ 192.0.2.9, the stranger
func TestMedia(t *testing.T) {
	for _, tt := range []medium{ethernetMedium(), tokenRingMedium(), arcnetMedium()} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			need(t, "tshark", "ping")
			dir, err := os.MkdirTemp("", "media") // the path of a socket is short
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			n := NewNet(t)
			a, b := n.Host("a"), n.Host("b")
			path, recording := filepath.Join(dir, "hub"), filepath.Join(dir, "hub.pcap")
			hub := a.start(exec.Command(program(t), "cable", path, "--medium", tt.name, "--pcap", recording))
			t.Cleanup(func() { hub.End(t, syscall.SIGTERM) })
			await(t, "the hub is there", func() bool { _, err := os.Stat(path); return err == nil })
			da := StartISAT(t, a, tt.config(path, 0, isatIP))
			StartISAT(t, b, tt.config(path, 1, peerIP))
			// A request that comes while it is probed has no reply: the announcement is one.
			await(t, "the address is verified", func() bool {
				return regexp.MustCompile(`address 192\.0\.2\.1/24 (announcing|verified)\n`).MatchString(da.Tool("status").Stdout)
			})
			await(t, "they reach each other", func() bool { return b.Run("ping", "-c", "1", "-W", "1", isatIP).Code == 0 })
			s := plugIn(t, path)
			// With the two headers these are packets of the lengths of exception frames
			// on ARCnet, of the longest that needs no fragments there, of the MTU, and
			// beyond it.
			for _, size := range []string{"56", "222", "223", "224", "476", "1472", "5000"} {
				a.Must("ping", "-c", "1", "-s", size, peerIP)
			}
			for i, frame := range scapy(t, tt.frames...) {
				mark := s.mark()
				s.write(frame)
				await(t, fmt.Sprintf("an answer to frame %d comes: %s", i, tt.frames[i]), func() bool { return s.answered(mark, tt.answer) })
			}
			if out := da.Tool("arp", "-an").Stdout; !regexp.MustCompile(tt.line).MatchString(out) {
				t.Errorf("isat arp -an says\n%swithout %s", out, tt.line)
			}

			status, err := da.API.Status(t.Context())
			if err != nil || len(status.Interfaces) != 1 || status.Interfaces[0].Packets["sent"] < 7 || status.Interfaces[0].Packets["delivered"] < 7 {
				t.Errorf("the status is %+v, %v; want counters of seven pings at least", status, err)
			}
			if hub.End(t, syscall.SIGTERM); hub.err != nil { // what it has heard is in the file now
				t.Errorf("the hub: %v", hub.err)
			}
			for _, row := range read(t, recording, `(_ws.malformed || _ws.expert) && !icmp.resp_not_found || !(arp || ip)`, "frame.number", "_ws.expert.message", "_ws.col.Info") {
				t.Errorf("tshark complains of frame %s", strings.Join(row, ": "))
			}
			for _, filter := range append(tt.sees, `icmp.type == 8 && ip.src == 192.0.2.1 && ip.dst == 192.0.2.2`, `icmp.type == 0 && ip.src == 192.0.2.2`) {
				if len(read(t, recording, filter, "frame.number")) == 0 {
					t.Errorf("tshark sees no frame with %s", filter)
				}
			}
			if tt.fragments != nil {
				tt.fragments(t, s.record(t))
			}
		})
	}
}

// medium is what a medium has of its own.
type medium struct {
	name   string
	macs   [2]string // of isat and its peer
	frames []string  // of the stranger, for scapy; each is answered
	answer []byte    // how the frames of answers begin
	line   string    // of arp(8) about the stranger, a regular expression
	sees   []string  // display filters that frames match
	// fragments looks at the frames as they were on the wire: the recording has
	// whole packets.
	fragments func(t *testing.T, recording string)
}

// config is that of a host with the i-th address.
func (m medium) config(path string, i int, address string) string {
	return fmt.Sprintf("[[interface]]\nname = \"isat0\"\ndatapath = \"tun\"\nport = \"cable:%s\"\nmedium = %q\nmac = %q\naddresses = [\"%s/24\"]\n",
		path, m.name, m.macs[i], address)
}

// Of scapy: an ARP request and an echo request of the stranger for isat.
const (
	scapyLLC  = `LLC(dsap=0xaa, ssap=0xaa, ctrl=3)/SNAP(OUI=0, code=%s)`
	scapyARP  = `Raw(body(%d, 0x800, 6, 4, 1, "020000000009", "c0000209", "000000000000", "c0000201"))`
	scapyEcho = `IP(src="192.0.2.9", dst="192.0.2.1")/ICMP(id=9, seq=1)/Raw(b"x"*%d)`
)

func snap(etherType string) string { return fmt.Sprintf(scapyLLC, etherType) }

// IEEE 802 frames with SNAP are understood, with either hardware type; what
// answers them is Ethernet II.
func ethernetMedium() medium {
	const dot3 = `Dot3(src="02:00:00:00:00:09", dst=%s)/`
	return medium{
		name: "ethernet", macs: [2]string{isatMAC, peerMAC},
		frames: []string{
			fmt.Sprintf(dot3, "ALL") + snap("0x806") + "/" + fmt.Sprintf(scapyARP, 1),
			fmt.Sprintf(dot3, "ALL") + snap("0x806") + "/" + fmt.Sprintf(scapyARP, 6),
			fmt.Sprintf(dot3, "ISAT") + snap("0x800") + "/" + fmt.Sprintf(scapyEcho, 40),
		},
		answer: []byte("\x02\x00\x00\x00\x00\x09\x02\x00\x00\x00\x00\x01\x08"),
		line:   `\(192\.0\.2\.9\) at 02:00:00:00:00:09 on isat0 expires in \d+ seconds \[ethernet\]\n`,
		sees: []string{
			`eth.type == 0x0806 && arp.opcode == 1 && arp.hw.type == 1 && arp.hw.size == 6 && arp.src.proto_ipv4 == 192.0.2.2 && arp.dst.proto_ipv4 == 192.0.2.1 && eth.dst == ff:ff:ff:ff:ff:ff`,
			`eth.type == 0x0806 && arp.opcode == 2 && arp.hw.type == 1 && arp.src.proto_ipv4 == 192.0.2.1 && arp.dst.proto_ipv4 == 192.0.2.9 && eth.dst == 02:00:00:00:00:09`,
			`eth.type == 0x0800 && icmp.type == 0 && ip.dst == 192.0.2.9`,
			`llc && arp.hw.type == 6`, `llc && icmp.type == 8`, // of the stranger
		},
	}
}

// The stranger is behind bridge 1, between ring 1 and ring 2: its requests are
// spread by all bridges, and what answers them goes back along the route.
func tokenRingMedium() medium {
	const (
		explorer = `bytes.fromhex("1040" + "ffffffffffff" + "820000000009" + "c610" + "0011" + "0020") + bytes(`
		direct   = `bytes.fromhex("1040" + "020000000001" + "820000000009" + "0610" + "0011" + "0020") + bytes(`
		back     = `tr.sr == 1 && tr.rif_bytes == 6 && tr.direction == 128 && tr.broadcast == 0 && tr.rif == "001-1-002" && tr.src == 02:00:00:00:00:01 && tr.dst == 02:00:00:00:00:09 && `
	)
	return medium{
		name: "token-ring", macs: [2]string{isatMAC, peerMAC},
		frames: []string{
			explorer + snap("0x806") + "/" + fmt.Sprintf(scapyARP, 6) + ")",
			explorer + snap("0x806") + "/" + fmt.Sprintf(scapyARP, 1) + ")",
			direct + snap("0x800") + "/" + fmt.Sprintf(scapyEcho, 40) + ")",
		},
		answer: []byte("\x10\x40\x02\x00\x00\x00\x00\x09\x82\x00\x00\x00\x00\x01\x06\x90\x00\x11\x00\x20"),
		line:   `\(192\.0\.2\.9\) at 2\.0\.0\.0\.0\.9 on isat0 expires in \d+ seconds \[token-ring\] rt=690:11:20\n`,
		sees: []string{
			`tr.ac == 0x10 && tr.fc == 0x40 && tr.sr == 0 && tr.dst == ff:ff:ff:ff:ff:ff && arp.opcode == 1 && arp.hw.type == 6 && arp.src.proto_ipv4 == 192.0.2.2 && arp.dst.proto_ipv4 == 192.0.2.1`,
			`tr.sr == 0 && arp.opcode == 2 && arp.hw.type == 6 && arp.src.proto_ipv4 == 192.0.2.1 && arp.dst.proto_ipv4 == 192.0.2.2`,
			back + `arp.opcode == 2 && arp.hw.type == 6 && arp.src.proto_ipv4 == 192.0.2.1`,
			back + `icmp.type == 0 && ip.src == 192.0.2.1 && ip.dst == 192.0.2.9`,
		},
	}
}

// The stranger sends frames of RFC 1051, and an echo request in two fragments of
// RFC 1201.
func arcnetMedium() medium {
	const packet = `bytes(` + scapyEcho + `)`
	return medium{
		name: "arcnet", macs: [2]string{"1f", "20"},
		frames: []string{
			// RFC 1051: protocol 241 is ARP, 240 IP, and nothing more is in the header.
			`bytes.fromhex("0900f1") + body(7, 0x800, 1, 4, 1, "09", "c0000209", "00", "c0000201")`,
			fmt.Sprintf(`bytes.fromhex("091ff0") + `+packet, 40),
			fmt.Sprintf(`bytes.fromhex("091fd400") + b"\0\1" + `+packet, 40),
		},
		answer: []byte("\x1f\x09"),
		line:   `\(192\.0\.2\.9\) at 9 on isat0 expires in \d+ seconds\n`,
		sees: []string{
			`arcnet.protID == 213 && arcnet.dst == 0 && arcnet.split_flag == 0 && arp.opcode == 1 && arp.hw.type == 7 && arp.hw.size == 1 && arp.src.hw == 20 && arp.src.proto_ipv4 == 192.0.2.2 && arp.dst.proto_ipv4 == 192.0.2.1`,
			`arcnet.protID == 213 && arcnet.src == 0x1f && arcnet.dst == 0x09 && arp.opcode == 2 && arp.src.proto_ipv4 == 192.0.2.1`,
			`arcnet.protID == 212 && arcnet.dst == 0x09 && icmp.type == 0`,
			`arcnet.exception_flag == 0xff && icmp && ip.len == 250`,
			`arcnet.exception_flag == 0xff && icmp && ip.len == 252`,
			`arcnet.protID == 240 && icmp.type == 8`, `arcnet.protID == 241 && arp`, // of the stranger
		},
		fragments: arcnetFragments,
	}
}

// arcnetFragments looks at what isat sends of longer pings as it was on the wire:
// packets of two fragments, with split flags 1 and 2, and of three, with 3, 2 and
// 4 (RFC 1201 section 2). Those of a packet have one sequence number. What is in a
// fragment is no packet: tshark is not asked for it.
func arcnetFragments(t *testing.T, recording string) {
	sequences := func(flags string) string {
		var numbers []string
		for _, row := range read(t, recording, fmt.Sprintf("arcnet.src == 0x1f && arcnet.split_flag in {%s}", flags), "arcnet.sequence") {
			numbers = append(numbers, row[0])
		}
		return strings.Join(numbers, " ")
	}
	for begin, end := range map[string]string{"1, 3": "2", "3": "4"} {
		if got, want := sequences(end), sequences(begin); got != want || want == "" {
			t.Errorf("fragments with split flag %s have sequence numbers %q, those with %s have %q", begin, want, end, got)
		}
	}
	if all := read(t, recording, "_ws.malformed || _ws.expert", "frame.number", "_ws.expert.message"); len(all) > 0 {
		t.Errorf("tshark complains: %v", all)
	}
}

// read is what tshark reads in a recording; of ARCnet fragments, their headers.
func read(t *testing.T, recording, filter string, fields ...string) (rows [][]string) {
	t.Helper()
	args := []string{"-n", "-r", recording, "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f", "-Y", filter}
	if strings.HasSuffix(recording, wireName) {
		args = append(args, "--disable-protocol", "ip", "--disable-protocol", "arp")
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("tshark", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// plug is a port of a cable whose frames the test writes itself. What others say
// is kept.
type plug struct {
	t    *testing.T
	port *cable.Port

	mu    sync.Mutex
	heard [][]byte
}

func plugIn(t *testing.T, path string) *plug {
	t.Helper()
	port, err := cable.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &plug{t: t, port: port}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for frames := make([][]byte, 64); ; {
			n, err := port.ReadFrames(frames)
			p.mu.Lock()
			for _, f := range frames[:n] {
				p.heard = append(p.heard, bytes.Clone(f))
			}
			p.mu.Unlock()
			if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	t.Cleanup(func() { port.Close(); <-done })
	return p
}

func (p *plug) mark() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.heard) }

// write sends a frame.
func (p *plug) write(frame []byte) {
	p.t.Helper()
	if n, err := p.port.WriteFrames([][]byte{frame}); n != 1 || err != nil {
		p.t.Fatalf("writing a frame: %d, %v", n, err)
	}
}

// answered reports whether a frame that begins so was heard since a mark.
func (p *plug) answered(mark int, prefix []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.heard[mark:] {
		if bytes.HasPrefix(f, prefix) {
			return true
		}
	}
	return false
}

// wireName is the name of a recording of ARCnet with the frames of the wire.
const wireName = "wire.pcap"

// record writes what was heard to a file and returns its name.
func (p *plug) record(t *testing.T) string {
	t.Helper()
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkTypeARCnet)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.heard {
		err = errors.Join(err, w.WriteFrame(time.Now(), f))
	}
	name := filepath.Join(t.TempDir(), wireName)
	if err := errors.Join(err, os.WriteFile(name, file.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return name
}
