package lladdr

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// Addresses of the lengths in use.
var (
	none       = Addr{}
	arcnet     = MustParse("1f")
	ethernet   = MustParse("02:00:00:00:00:01")
	zero6      = From6([6]byte{})
	eui64      = MustParse("02:00:00:ff:fe:00:00:01")
	infiniband = MustParse("80:00:00:48:fe:80:00:00:00:00:00:00:02:00:00:00:00:00:00:01")
)

func TestParse(t *testing.T) {
	longest := strings.Repeat("ab:", MaxLen-1) + "ab"
	for _, tt := range []struct {
		in   string
		want []byte
		text string // of the result; "": the same as in
	}{
		{"02:00:00:00:00:01", []byte{2, 0, 0, 0, 0, 1}, ""},
		{"02-00-00-00-00-0A", []byte{2, 0, 0, 0, 0, 10}, "02:00:00:00:00:0a"},
		{"2:0:0:0:0:1", []byte{2, 0, 0, 0, 0, 1}, "02:00:00:00:00:01"}, // as arp(8) takes it
		{"FF:ff:Ff:fF:a:B", []byte{255, 255, 255, 255, 10, 11}, "ff:ff:ff:ff:0a:0b"},
		{"0", []byte{0}, "00"}, // an ARCnet address
		{"1f", []byte{0x1f}, ""},
		{longest, bytes.Repeat([]byte{0xab}, MaxLen), ""},
	} {
		got, err := Parse(tt.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.in, err)
			continue
		}
		if !bytes.Equal(got.AppendBytes(nil), tt.want) {
			t.Errorf("Parse(%q) has the bytes %x, want %x", tt.in, got.AppendBytes(nil), tt.want)
		}
		text := tt.text
		if text == "" {
			text = tt.in
		}
		if got.String() != text {
			t.Errorf("Parse(%q) is written %q, want %q", tt.in, got, text)
		}
	}
}

func TestParseError(t *testing.T) {
	const malformed = "want bytes in hexadecimal"
	for in, want := range map[string]string{
		"":                             malformed,
		":":                            malformed,
		"02:":                          malformed,
		":02":                          malformed,
		"02::01":                       malformed,
		"02:00-00":                     malformed, // one separator, not two
		"02-00:00":                     malformed,
		"020000000001":                 malformed,
		"0200.0000.0001":               malformed, // Cisco's form, which neither arp(8) nor ip(8) takes
		"02:000:00":                    malformed,
		"02:0g:00":                     malformed,
		"02:00 ":                       malformed,
		" 02:00":                       malformed,
		"0x2:00":                       malformed,
		"02:\x00":                      malformed,
		"０2:00":                        malformed, // full-width digit
		strings.Repeat("ab:", 20):      malformed,
		strings.Repeat("a:", 20) + "a": "longer than 20 bytes",
	} {
		got, err := Parse(in)
		if err == nil || got != none || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %q", in, got, err, want)
		}
	}
}

func TestMustParse(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustParse("eth0")
}

func TestFromSlice(t *testing.T) {
	for n := range MaxLen + 2 {
		b := bytes.Repeat([]byte{0xa5}, n)
		a, ok := FromSlice(b)
		if n > MaxLen {
			if ok || a != none {
				t.Errorf("%d bytes: %v, %v", n, a, ok)
			}
			continue
		}
		if !ok || a.Len() != n || !bytes.Equal(a.AppendBytes(nil), b) {
			t.Errorf("%d bytes: %v, %v", n, a, ok)
		}
		if n > 0 {
			if b[0] = 0; a.AppendBytes(nil)[0] != 0xa5 {
				t.Error("the address shares the slice")
			}
		}
	}
	if a, ok := FromSlice(nil); !ok || a != none {
		t.Errorf("nil: %v, %v", a, ok)
	}
}

func TestProperties(t *testing.T) {
	for _, tt := range []struct {
		a                                 Addr
		len                               int
		valid, zero, broadcast, multicast bool
	}{
		{none, 0, false, true, false, false},
		{arcnet, 1, true, false, false, false},
		{MustParse("00"), 1, true, true, true, false},   // ARCnet's broadcast
		{MustParse("ff"), 1, true, false, false, false}, // an ordinary node there
		{ethernet, 6, true, false, false, false},
		{zero6, 6, true, true, false, false},
		{Broadcast(), 6, true, false, true, true},
		{MustParse("ff:ff:ff:ff:ff:fe"), 6, true, false, false, true},
		{MustParse("7f:ff:ff:ff:ff:ff"), 6, true, false, false, true},
		{MustParse("01:00:5e:00:00:01"), 6, true, false, false, true},
		{MustParse("ff:ff"), 2, true, false, true, false},
		{eui64, 8, true, false, false, false},
		{infiniband, 20, true, false, false, false},
		{MustParse("01:00:00:00:00:00:00"), 7, true, false, false, false}, // the group bit is of six-byte addresses
	} {
		if tt.a.Len() != tt.len || tt.a.IsValid() != tt.valid || tt.a.IsZero() != tt.zero ||
			tt.a.IsBroadcast() != tt.broadcast || tt.a.IsMulticast() != tt.multicast {
			t.Errorf("%q: length %d, valid %v, zero %v, broadcast %v, multicast %v, want %+v", tt.a,
				tt.a.Len(), tt.a.IsValid(), tt.a.IsZero(), tt.a.IsBroadcast(), tt.a.IsMulticast(), tt)
		}
	}
}

// TestComparable checks that == sees length and bytes, and nothing else: what a
// longer address left in the array must not count.
func TestComparable(t *testing.T) {
	if zero6 == none {
		t.Error("six zero bytes are the zero Addr")
	}
	if MustParse("02:00") == MustParse("02") {
		t.Error("addresses of different length are equal")
	}
	a := infiniband
	if err := a.UnmarshalText([]byte("02:00:00:00:00:01")); err != nil || a != ethernet {
		t.Errorf("%v over a longer one is %v, %v", ethernet, a, err)
	}
	if m := map[Addr]int{ethernet: 1}; m[From6([6]byte{2, 0, 0, 0, 0, 1})] != 1 {
		t.Error("no map key")
	}
}

func TestAs6(t *testing.T) {
	if b, ok := ethernet.As6(); !ok || b != [6]byte{2, 0, 0, 0, 0, 1} {
		t.Errorf("%x, %v", b, ok)
	}
	for _, a := range []Addr{none, arcnet, eui64, infiniband} {
		if b, ok := a.As6(); ok || b != [6]byte{} {
			t.Errorf("%v: %x, %v, want zeros and false", a, b, ok)
		}
	}
}

func TestHardwareAddr(t *testing.T) {
	if hw := none.HardwareAddr(); hw != nil {
		t.Errorf("of the zero Addr: %v", hw)
	}
	hw := ethernet.HardwareAddr()
	if !bytes.Equal(hw, []byte{2, 0, 0, 0, 0, 1}) {
		t.Errorf("%v", hw)
	}
	if hw[0] = 4; ethernet.AppendBytes(nil)[0] != 2 {
		t.Error("no copy")
	}
}

func TestCompare(t *testing.T) {
	sorted := []Addr{none, MustParse("00"), arcnet, MustParse("ff"), MustParse("00:00"), zero6, ethernet, Broadcast(), eui64, infiniband}
	for i, a := range sorted {
		for j, b := range sorted {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%q.Compare(%q) = %d, want %d", a, b, got, want)
			}
		}
	}
	shuffled := slices.Clone(sorted)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if slices.SortFunc(shuffled, Addr.Compare); !slices.Equal(shuffled, sorted) {
		t.Errorf("sorted: %v", shuffled)
	}
}

func TestText(t *testing.T) {
	type body struct {
		MAC   Addr
		Other map[Addr]int `json:",omitempty"`
	}
	for _, tt := range []struct {
		value body
		text  string
	}{
		{body{}, `{"MAC":""}`},
		{body{MAC: ethernet}, `{"MAC":"02:00:00:00:00:01"}`},
		{body{MAC: arcnet, Other: map[Addr]int{Broadcast(): 1}}, `{"MAC":"1f","Other":{"ff:ff:ff:ff:ff:ff":1}}`},
	} {
		text, err := json.Marshal(tt.value)
		if err != nil || string(text) != tt.text {
			t.Errorf("%s, %v, want %s", text, err, tt.text)
		}
		var back body
		if err := json.Unmarshal(text, &back); err != nil || back.MAC != tt.value.MAC || len(back.Other) != len(tt.value.Other) {
			t.Errorf("%s read is %+v, %v", text, back, err)
		}
	}
	a := ethernet
	if err := a.UnmarshalText([]byte("02:")); err == nil || a != ethernet {
		t.Errorf("%v, %v, want an error and no change", a, err)
	}
	if err := a.UnmarshalText(nil); err != nil || a != none {
		t.Errorf("empty text: %v, %v", a, err)
	}
}

func TestAppend(t *testing.T) {
	if got := string(ethernet.AppendTo([]byte("mac "))); got != "mac 02:00:00:00:00:01" {
		t.Errorf("AppendTo: %q", got)
	}
	if got := ethernet.AppendBytes([]byte{9}); !bytes.Equal(got, []byte{9, 2, 0, 0, 0, 0, 1}) {
		t.Errorf("AppendBytes: %x", got)
	}
	if got := len(infiniband.AppendTo(nil)); got != maxTextLen {
		t.Errorf("the longest text has %d characters, want %d", got, maxTextLen)
	}
}

func TestSize(t *testing.T) {
	if got := unsafe.Sizeof(Addr{}); got != 24 {
		t.Errorf("an Addr has %d bytes, its comment says 24", got)
	}
}

// TestAgainstNet compares with package net where both take a text.
func TestAgainstNet(t *testing.T) {
	for _, a := range []Addr{ethernet, Broadcast(), zero6, eui64, infiniband} {
		hw, err := net.ParseMAC(a.String())
		if err != nil || !bytes.Equal(hw, a.HardwareAddr()) || hw.String() != a.String() {
			t.Errorf("%v: net reads %v, %v", a, hw, err)
		}
	}
}
