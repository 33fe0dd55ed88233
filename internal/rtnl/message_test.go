//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var ip4 = netip.AddrFrom4([4]byte{192, 0, 2, 9})

func TestSeedsDecode(t *testing.T) {
	for typ, check := range map[uint16]func(Change) bool{
		unix.RTM_NEWNEIGH: func(c Change) bool { return c.(NeighbourChange).Neighbour.IP == ip4 },
		unix.RTM_NEWLINK:  func(c Change) bool { return c.(LinkChange).Link.Name == "e0" && c.(LinkChange).Link.IPv4 != nil },
		unix.RTM_NEWADDR:  func(c Change) bool { return c.(AddrChange).Addr.Broadcast == ip4 },
		unix.RTM_NEWROUTE: func(c Change) bool { return len(c.(RouteChange).Route.Hops) == 2 },
	} {
		h, payload, rest, ok := nextMessage(seed(typ).b)
		if !ok || len(rest) != 0 {
			t.Fatalf("type %d: not one message", typ)
		}
		if c := parseChange(h, payload); c == nil || !check(c) {
			t.Errorf("type %d: %+v", typ, c)
		}
	}
}

func TestNextMessage(t *testing.T) {
	whole := seed(unix.RTM_NEWNEIGH).b
	zero := append([]byte(nil), whole...)
	binary.NativeEndian.PutUint32(zero, 0)
	long := append([]byte(nil), whole...)
	binary.NativeEndian.PutUint32(long, 1<<32-1)
	for name, test := range map[string]struct {
		b  []byte
		ok bool
	}{
		"whole": {whole, true}, "with another": {append(whole[:len(whole):len(whole)], whole...), true},
		"empty": {nil, false}, "half a header": {whole[:8], false}, "cut": {whole[:len(whole)-1], false},
		"length 0": {zero, false}, "length too long": {long, false},
	} {
		_, payload, _, ok := nextMessage(test.b)
		if ok != test.ok || ok && len(payload) != len(whole)-unix.NLMSG_HDRLEN {
			t.Errorf("%s: ok=%v with %d bytes of payload", name, ok, len(payload))
		}
	}
}

// TestParseError has the two forms of an error: with the request it is about,
// and with its header only (NLM_F_CAPPED).
func TestParseError(t *testing.T) {
	request := seed(unix.RTM_NEWNEIGH).b
	code := binary.NativeEndian.AppendUint32(nil, uint32(0xffffffff-uint32(syscall.EINVAL)+1))
	var tlvs builder
	tlvs.string(unix.NLMSGERR_ATTR_MSG, "no good")
	tlvs.uint32(unix.NLMSGERR_ATTR_OFFS, 16)
	for name, test := range map[string]struct {
		payload []byte
		flags   uint16
		done    bool
		want    Error
	}{
		"plain":  {append(code[:4:4], request...), 0, false, Error{Errno: syscall.EINVAL}},
		"full":   {append(append(code[:4:4], request...), tlvs.b...), unix.NLM_F_ACK_TLVS, false, Error{syscall.EINVAL, "no good", 16}},
		"capped": {append(append(code[:4:4], request[:16]...), tlvs.b...), unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED, false, Error{syscall.EINVAL, "no good", 16}},
		"done":   {append(code[:4:4], tlvs.b...), unix.NLM_F_ACK_TLVS, true, Error{syscall.EINVAL, "no good", 16}},
	} {
		err := parseError(test.payload, test.flags, test.done)
		var e *Error
		if !errors.As(err, &e) || *e != test.want || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %+v, want %+v", name, err, test.want)
		}
	}
	if err := parseError(make([]byte, 4), 0, false); err != nil {
		t.Errorf("acknowledgement: %v", err)
	}
	if err := parseError(nil, 0, false); !errors.Is(err, errMalformed) {
		t.Errorf("no code: %v", err)
	}
	if err := parseError(nil, 0, true); err != nil {
		t.Errorf("done without a status: %v", err)
	}
}

// TestFilters runs the filters in the interpreter of x/net.
func TestFilters(t *testing.T) {
	message := func(typ uint16, family byte, pid uint32, kind byte) []byte {
		m := &builder{}
		m.begin(typ, 0, 0)
		binary.NativeEndian.PutUint32(m.b[12:], pid)
		m.b = append(m.b, family, 0, 0, 0, 0, 0, 0, kind)
		m.end()
		return m.b
	}
	for _, test := range []struct {
		name           string
		typ            uint16
		family         byte
		pid            uint32
		misses, change bool
		kind           byte // of a route
	}{
		{"miss", unix.RTM_GETNEIGH, unix.AF_INET, 0, true, false, 0},
		{"miss of IPv6", unix.RTM_GETNEIGH, unix.AF_INET6, 0, false, false, 0},
		{"neighbour", unix.RTM_NEWNEIGH, unix.AF_INET, 0, false, true, 0},
		{"neighbour of another", unix.RTM_NEWNEIGH, unix.AF_INET, 0x01020305, false, true, 0},
		{"own neighbour", unix.RTM_NEWNEIGH, unix.AF_INET, 0x01020304, false, false, 0},
		{"other own neighbour", unix.RTM_DELNEIGH, unix.AF_INET, 7, false, false, 0},
		{"neighbour gone", unix.RTM_DELNEIGH, unix.AF_INET, 0, false, true, 0},
		{"neighbour of IPv6", unix.RTM_NEWNEIGH, unix.AF_INET6, 0, false, false, 0},
		{"bridge FDB", unix.RTM_NEWNEIGH, unix.AF_BRIDGE, 0, false, false, 0},
		{"link", unix.RTM_NEWLINK, unix.AF_UNSPEC, 0, false, true, 0},
		{"own link", unix.RTM_NEWLINK, unix.AF_UNSPEC, 7, false, true, 0},
		{"link gone", unix.RTM_DELLINK, unix.AF_UNSPEC, 0, false, true, 0},
		{"bridge port", unix.RTM_NEWLINK, unix.AF_BRIDGE, 0, false, false, 0},
		{"bridge port gone", unix.RTM_DELLINK, unix.AF_BRIDGE, 0, false, false, 0},
		{"address", unix.RTM_NEWADDR, unix.AF_INET, 7, false, true, 0},
		{"address of IPv6", unix.RTM_DELADDR, unix.AF_INET6, 0, false, false, 0},
		{"route", unix.RTM_DELROUTE, unix.AF_INET, 0, false, false, unix.RTN_UNICAST},
		{"local route", unix.RTM_NEWROUTE, unix.AF_INET, 0, false, true, unix.RTN_LOCAL},
		{"local route gone", unix.RTM_DELROUTE, unix.AF_INET, 0, false, true, unix.RTN_LOCAL},
		{"setting", unix.RTM_NEWNETCONF, unix.AF_INET, 0, false, true, 0},
	} {
		for filter, want := range map[string]bool{"misses": test.misses, "changes": test.change} {
			program := missFilter()
			if filter == "changes" {
				program = changeFilter([]uint32{7, 0x01020304})
			}
			vm, err := bpf.NewVM(program)
			if err != nil {
				t.Fatal(err)
			}
			n, err := vm.Run(message(test.typ, test.family, test.pid, test.kind))
			if err != nil || n > 0 != want {
				t.Errorf("%s lets %s pass: %v, want %v (%v)", filter, test.name, n > 0, want, err)
			}
		}
	}
	if _, err := bpf.Assemble(changeFilter(make([]uint32, maxOwn))); err != nil {
		t.Errorf("with as many own port ids as may be: %v", err)
	}
}
