package event

import (
	"encoding/json"
	"testing"
)

func TestParsePosition(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Position
		ok   bool
	}{
		{"5f1e0c2a:17", Position{"5f1e0c2a", 17}, true},
		{"a:0", Position{"a", 0}, true},
		{"a:b:3", Position{"a:b", 3}, true}, // the last colon counts
		{"a:18446744073709551615", Position{"a", 1<<64 - 1}, true},
		{in: "a:18446744073709551616"},
		{in: ""},
		{in: ":"},
		{in: ":17"},
		{in: "17"},
		{in: "a:"},
		{in: "a:-1"},
		{in: "a:+1"},
		{in: "a:0x1"},
		{in: "a: 1"},
	} {
		got, err := ParsePosition(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("ParsePosition(%q) = %+v, %v", tt.in, got, err)
		}
	}
}

func TestPositionText(t *testing.T) {
	type body struct{ Since Position }
	in := body{Position{"5f1e0c2a", 17}}
	text, err := json.Marshal(in)
	if want := `{"Since":"5f1e0c2a:17"}`; err != nil || string(text) != want {
		t.Fatalf("%s, %v, want %s", text, err, want)
	}
	var out body
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%+v, %v, want %+v", out, err, in)
	}
	if err := json.Unmarshal([]byte(`{"Since":"17"}`), &out); err == nil || out != in {
		t.Errorf("error %v, value %+v: want an error and no change", err, out)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"5f1e0c2a:17", "a:b:3", ":1", "a:", "a:007", "\xff:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		if again, err := ParsePosition(p.String()); err != nil || again != p {
			t.Errorf("%q is %+v, but its text %q is %+v, %v", s, p, p.String(), again, err)
		}
	})
}
