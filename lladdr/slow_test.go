package lladdr

import (
	"bytes"
	"encoding/hex"
	"net"
	"regexp"
	"strings"
	"testing"
)

// slowForm is the grammar of [Parse], lengths apart.
var slowForm = regexp.MustCompile(`^[0-9A-Fa-f]{1,2}((:[0-9A-Fa-f]{1,2})*|(-[0-9A-Fa-f]{1,2})*)$`)

// slowParse is Parse again, by the shortest way to say it.
func slowParse(s string) (b []byte, ok bool) {
	if !slowForm.MatchString(s) {
		return nil, false
	}
	for _, digits := range strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' }) {
		if len(digits) == 1 {
			digits = "0" + digits
		}
		v, err := hex.DecodeString(digits)
		if err != nil {
			return nil, false
		}
		b = append(b, v...)
	}
	return b, len(b) <= MaxLen
}

// slowString is String again, on package net, which writes the same form.
func slowString(b []byte) string { return net.HardwareAddr(b).String() }

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{
		"02:00:00:00:00:01", "2:0:0:0:0:1", "02-00-00-00-00-01", "FF:fF", "0", "",
		"02:00-00", "02::01", ":", "02:", "02:000", "0200.0000.0001", "\x00:\xff", "02:00\n",
		strings.Repeat("ab:", 19) + "ab", strings.Repeat("ab:", 20) + "ab", strings.Repeat("a-", 300),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		want, ok := slowParse(s)
		if (err == nil) != ok {
			t.Fatalf("Parse(%q): %v, but the reference says %v", s, err, ok)
		}
		if !ok {
			if a != (Addr{}) {
				t.Errorf("Parse(%q) fails with %v", s, a)
			}
			return
		}
		if got := a.AppendBytes(nil); !bytes.Equal(got, want) {
			t.Errorf("Parse(%q) has the bytes %x, want %x", s, got, want)
		}
		text := a.String()
		if text != slowString(want) {
			t.Errorf("%x is written %q, want %q", want, text, slowString(want))
		}
		if again, err := Parse(text); err != nil || again != a {
			t.Errorf("%q is %v, its text %q is %v, %v", s, a, text, again, err)
		}
		if again, ok := FromSlice(want); !ok || again != a {
			t.Errorf("FromSlice(%x) = %v, %v, want %v", want, again, ok, a)
		}
	})
}
