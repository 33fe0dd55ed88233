package ioctl

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"
)

func TestRequestLayout(t *testing.T) {
	r := Request{Command: SIOCGARP, Family: AFInet, Arg: make([]byte, ARPReqLen)}
	got := r.AppendTo(nil)
	want := slices.Concat([]byte("ISA1"), u32(0x8954), u32(2), u32(68), r.Arg)
	if !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
}

func TestParseRequest(t *testing.T) {
	packet := func(magic string, cmd, length uint32, arg int) []byte {
		return slices.Concat([]byte(magic), u32(cmd), u32(2), u32(length), make([]byte, arg))
	}
	tests := []struct {
		name   string
		packet []byte
		fits   bool
		err    error
	}{
		{"whole", packet("ISA1", 0x8954, 68, 68), true, nil},
		{"privilege only", packet("ISA1", 0x8954, 0, 0), true, nil},
		{"empty", nil, false, syscall.EINVAL},
		{"part of the header", packet("ISA1", 0x8954, 0, 0)[:15], false, syscall.EINVAL},
		{"other magic", packet("ISA2", 0x8954, 68, 68), false, syscall.EINVAL},
		{"other command", packet("ISA1", 0x8956, 68, 68), false, syscall.EINVAL},
		{"part of the struct", packet("ISA1", 0x8954, 68, 67), false, nil},
		{"struct of another command", packet("ISA1", 0x8954, 512, 512), false, nil},
		{"length that overflows", packet("ISA1", 0x8954, 0xffffffff, 68), false, nil},
		{"length 0 and a struct", packet("ISA1", 0x8954, 0, 68), false, nil},
		{"table with a struct", packet("ISA1", 1, 68, 68), false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r, err := ParseRequest(tt.packet); r.Fits != tt.fits || !errors.Is(err, tt.err) {
				t.Errorf("%+v, %v, want fits %v, %v", r, err, tt.fits, tt.err)
			}
		})
	}
}

func TestParseAnswer(t *testing.T) {
	packet := func(magic string, errno, length uint32, arg int) []byte {
		return slices.Concat([]byte(magic), u32(errno), u32(length), make([]byte, arg))
	}
	tests := []struct {
		name   string
		packet []byte
		err    error
	}{
		{"done", packet("ISA1", 0, 0, 0), nil},
		{"refused", packet("ISA1", 6, 0, 0), nil},
		{"struct", packet("ISA1", 0, 68, 68), nil},
		{"empty", nil, syscall.EPROTO},
		{"part of the header", packet("ISA1", 0, 0, 0)[:11], syscall.EPROTO},
		{"other magic", packet("HTTP", 0, 0, 0), syscall.EPROTO},
		{"negative errno", packet("ISA1", 0xffffffff, 0, 0), syscall.EPROTO},
		{"part of the struct", packet("ISA1", 0, 68, 67), syscall.EPROTO},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAnswer(tt.packet)
			if !errors.Is(err, tt.err) {
				t.Fatalf("%+v, %v, want %v", a, err, tt.err)
			}
			if err == nil && !bytes.Equal(a.AppendTo(nil), tt.packet) {
				t.Errorf("%+v is % x, was % x", a, a.AppendTo(nil), tt.packet)
			}
		})
	}
}

// FuzzRequest parses what clients send. What is taken is the same when it is
// written again.
func FuzzRequest(f *testing.F) {
	f.Add(Request{Command: SIOCGARP, Family: AFInet, Arg: make([]byte, ARPReqLen)}.AppendTo(nil))
	f.Add(Request{Command: SIOCSXARP, Family: AFInet, Arg: make([]byte, XARPReqLen)}.AppendTo(nil))
	f.Add([]byte("ISA1"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, err := ParseRequest(packet)
		if err != nil || !r.Fits {
			return
		}
		if again := r.AppendTo(nil); !bytes.Equal(again, packet) {
			t.Fatalf("% x became % x", packet, again)
		}
		if x, err := ParseXARPReq(r.Arg); err == nil {
			_, _ = x.Hardware.Name()
			_, _ = x.Hardware.Addr()
			if back, err := ParseXARPReq(x.AppendTo(nil)); err != nil || back != x {
				t.Fatalf("%+v became %+v, %v", x, back, err)
			}
		}
		if a, err := ParseARPReq(r.Arg); err == nil {
			_, _ = a.Name()
			if back, err := ParseARPReq(a.AppendTo(nil)); err != nil || back.IP != a.IP || back.MAC != a.MAC || back.Dev != a.Dev || back.Flags != a.Flags {
				t.Fatalf("%+v became %+v, %v", a, back, err)
			}
		}
	})
}
