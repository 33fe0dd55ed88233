package ioctl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/lladdr"
)

var (
	ip9  = netip.MustParseAddr("192.0.2.9")
	mac9 = lladdr.MustParse("02:00:00:00:00:09")
)

// at puts fields at offsets of a struct of n zero bytes: the layout as a C compiler
// has it.
func at(n int, fields map[int][]byte) []byte {
	b := make([]byte, n)
	for offset, f := range fields {
		copy(b[offset:], f)
	}
	return b
}

func u16(v uint16) []byte { return binary.NativeEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func TestARPReqLayout(t *testing.T) {
	r := ARPReq{Family: AFInet, IP: ip9, Hardware: 1, MAC: [14]byte{2, 0, 0, 0, 0, 9}, Flags: 0x86, Netmask: hostMask}
	if err := r.SetName("eth0"); err != nil {
		t.Fatal(err)
	}
	want := at(68, map[int][]byte{
		0: u16(2), 4: {192, 0, 2, 9}, 16: u16(1), 18: {2, 0, 0, 0, 0, 9}, 32: u32(0x86),
		36: u16(2), 40: {255, 255, 255, 255}, 52: []byte("eth0"),
	})
	if got := r.AppendTo(nil); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
	if back, err := ParseARPReq(want); err != nil || back != r {
		t.Errorf("%+v, %v, want %+v", back, err, r)
	}
}

func TestXARPReqLayout(t *testing.T) {
	r := XARPReq{Family: AFInet, IP: ip9, Hardware: SockaddrDL{Index: 7, Type: Ethernet}, Flags: Authority | Permanent}
	if err := r.Hardware.Fill("bge0", mac9); err != nil {
		t.Fatal(err)
	}
	want := at(512, map[int][]byte{
		0: u16(2), 4: {192, 0, 2, 9}, 256: u16(25), 258: u16(7), 260: {6}, 261: {4}, 262: {6}, 263: {0},
		264: []byte("bge0"), 268: {2, 0, 0, 0, 0, 9}, 508: u32(0x24),
	})
	if got := r.AppendTo(nil); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
	if back, err := ParseXARPReq(want); err != nil || back != r {
		t.Errorf("%+v, %v, want %+v", back, err, r)
	}
}

func TestWrongSizes(t *testing.T) {
	for _, n := range []int{0, 1, 67, 69, 511, 513} {
		if _, err := ParseARPReq(make([]byte, n)); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("arpreq of %d bytes: %v", n, err)
		}
		if _, err := ParseXARPReq(make([]byte, n)); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("xarpreq of %d bytes: %v", n, err)
		}
	}
}

func TestSockaddrDL(t *testing.T) {
	long := strings.Repeat("n", 31)
	var s SockaddrDL
	if err := s.Fill(long, mac9); err != nil {
		t.Fatal(err)
	}
	if name, err := s.Name(); name != long || err != nil {
		t.Errorf("a name of 31 bytes: %q, %v", name, err)
	}
	if a, err := s.Addr(); a != mac9 || err != nil {
		t.Errorf("the address behind it: %v, %v", a, err)
	}
	if err := s.Fill(long+"n", mac9); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("filling in a name of 32 bytes: %v", err)
	}
	s.NameLen = 32
	if _, err := s.Name(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a name of 32 bytes: %v", err)
	}
	for _, lengths := range [][2]uint8{{31, 214}, {255, 255}, {0, 245}, {0, 21}} {
		s.NameLen, s.AddrLen = lengths[0], lengths[1]
		if a, err := s.Addr(); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("nlen %d, alen %d: %v, %v", s.NameLen, s.AddrLen, a, err)
		}
	}
}

func TestNameWithoutEnd(t *testing.T) {
	r := ARPReq{Dev: [IFNAMSIZ]byte([]byte("0123456789abcdef"))}
	if name, err := r.Name(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%q, %v", name, err)
	}
	if err := r.SetName("0123456789abcdef"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("setting it: %v", err)
	}
	if err := r.SetName("0123456789abcde"); err != nil {
		t.Error(err)
	}
}

// Linux' 0x20 is not ATF_AUTHORITY, and 0x40 is nothing there.
func TestLinuxFlags(t *testing.T) {
	none, all := netip.MustParseAddr("0.0.0.0"), hostMask
	tests := []struct {
		name string
		bits uint32
		mask netip.Addr
		want Flags
		err  error
	}{
		{"perm", 0x06, none, Permanent | Complete, nil},
		{"pub", 0x0c, none, Permanent | Published, nil},
		{"pub netmask of one address", 0x2c, all, Permanent | Published, nil},
		{"pub netmask of a network", 0x2c, netip.MustParseAddr("255.255.255.0"), 0, syscall.EINVAL},
		{"pub netmask of everything", 0x2c, none, 0, syscall.EINVAL},
		{"netmask without pub", 0x24, all, 0, syscall.EINVAL},
		{"dontpub without pub", 0x44, all, 0, syscall.EINVAL},
		{"dontpub", 0x4c, all, Permanent, nil},
		{"trailers", 0x14, none, Permanent | UseTrailers, nil},
		{"others", 0xffffff80, none, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f, err := FlagsOfLinux(tt.bits, tt.mask); f != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%#x, %v, want %#x, %v", f, err, tt.want, tt.err)
			}
		})
	}
	if got := (^Flags(0)).Linux(); got != 0x0f {
		t.Errorf("all flags are %#x in Linux, want 0xf", got)
	}
}

func TestCommands(t *testing.T) {
	tests := []struct {
		c       Command
		name    string
		number  uint32
		size    int
		op      Operation
		changes bool
	}{
		{SIOCSARP, "SIOCSARP", 0x8955, 68, Set, true},
		{SIOCGARP, "SIOCGARP", 0x8954, 68, Get, false},
		{SIOCDARP, "SIOCDARP", 0x8953, 68, Delete, true},
		{SIOCSXARP, "SIOCSXARP", 0x800069a6, 512, Set, true},
		{SIOCGXARP, "SIOCGXARP", 0xc00069a7, 512, Get, false},
		{SIOCDXARP, "SIOCDXARP", 0x800069a8, 512, Delete, true},
		{Table, "table", 1, 0, List, false},
		{Whose, "whose", 2, 68, List, false},
	}
	for _, tt := range tests {
		size, known := tt.c.Size()
		if uint32(tt.c) != tt.number || tt.c.String() != tt.name || size != tt.size || !known || tt.c.Operation() != tt.op || tt.c.Changes() != tt.changes {
			t.Errorf("%v is %#x, %d bytes, %v, operation %d, changes %v", tt.c, uint32(tt.c), size, known, tt.c.Operation(), tt.c.Changes())
		}
	}
	if _, known := Command(0x8956).Size(); known {
		t.Error("0x8956 is known")
	}
}
