package e2e

import (
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/isat-project/isat/internal/testns"
)

// python is Debian's, which has python3-scapy; the first in PATH may be another.
const python = "/usr/bin/python3"

// scapyProgram reads an expression a line and writes the bytes of the frame it
// makes as hexadecimal digits. The expressions have these words besides scapy's:
//
//	arp(dst=, src=, op=, hwsrc=, psrc=, hwdst=, pdst= ...)  a frame of ARP, by
//	    default the request of ASKER, who is nobody, for the address of isat
//	ether(payload, dst=, src=, type=)  a frame with that payload
//	body(hrd, pro, hln, pln, op, hwsrc, psrc, hwdst, pdst)  a packet of ARP with
//	    addresses of any length, in hexadecimal digits, and any lengths in it
const scapyProgram = `
import struct, sys
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Dot1Q, Dot3, Ether, LLC, SNAP
from scapy.packet import Padding, Raw
ISAT, PEER, ASKER = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:0a"
ALL, ZERO = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"

def packet(op=1, hwsrc=ASKER, psrc="192.0.2.10", hwdst=ZERO, pdst="192.0.2.1", **more):
    return ARP(op=op, hwsrc=hwsrc, psrc=psrc, hwdst=hwdst, pdst=pdst, **more)

def arp(dst=ALL, src=ASKER, **more):
    return Ether(dst=dst, src=src)/packet(**more)

def ether(payload, dst=ALL, src=ASKER, type=0x0806):
    return Ether(dst=dst, src=src, type=type)/Raw(payload)

def body(hrd, pro, hln, pln, op, *addresses):
    return struct.pack("!HHBBH", hrd, pro, hln, pln, op) + b"".join(map(bytes.fromhex, addresses))

for line in sys.stdin:
    print(bytes(eval(line)).hex())
`

// scapy makes frames of Python expressions such as Ether(...)/ARP(...). One
// process makes all: starting it takes most of the time.
func scapy(t testing.TB, expressions ...string) [][]byte {
	t.Helper()
	if _, err := os.Stat(python); err != nil {
		testns.Missing(t, "there is no %s: %v", python, err)
	}
	if out, err := exec.Command(python, "-c", "import scapy").CombinedOutput(); err != nil {
		testns.Missing(t, "there is no scapy: %v\n%s", err, out)
	}
	var stderr strings.Builder
	cmd := exec.Command(python, "-c", scapyProgram)
	cmd.Stdin = strings.NewReader(strings.Join(expressions, "\n") + "\n")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) != len(expressions) {
		t.Fatalf("scapy made %d of %d frames: %v\n%s", len(lines), len(expressions), err, &stderr)
	}
	var frames [][]byte
	for _, line := range lines {
		frame, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	return frames
}
