package api_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/isat-project/isat/api"
)

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1200":  20 * time.Minute,
		"0":     0,
		"0.25":  250 * time.Millisecond,
		"-1":    -time.Second,
		"1.5e2": 150 * time.Second,
	} {
		var s api.Seconds
		if err := json.Unmarshal([]byte(text), &s); err != nil || s.Duration() != want {
			t.Errorf("%s: got %v, %v, want %v", text, s, err, want)
		}
	}
	for _, text := range []string{`"5s"`, `1e300`, `9300000000`, `-9300000000`, `true`, `[1]`} {
		var s api.Seconds
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s: read as %v, want an error", text, s)
		}
	}
	for d, want := range map[time.Duration]string{
		20 * time.Minute:          "1200",
		1500 * time.Millisecond:   "1.5",
		1234567 * time.Nanosecond: "0.001235", // to the microsecond
		0:                         "0",
		1<<63 - 1:                 "9223372036.854776",
	} {
		if b, err := json.Marshal(api.Seconds(d)); err != nil || string(b) != want {
			t.Errorf("%v: got %s, %v, want %s", d, b, err, want)
		}
	}
}

func TestPublish(t *testing.T) {
	for text, want := range map[string]api.Publish{
		"false": api.PublishNo, "true": api.PublishYes, `"only"`: api.PublishOnly,
	} {
		var p api.Publish
		if err := json.Unmarshal([]byte(text), &p); err != nil || p != want {
			t.Errorf("%s: got %v, %v", text, p, err)
		}
		if b, err := json.Marshal(want); err != nil || string(b) != text {
			t.Errorf("%v: got %s, %v, want %s", want, b, err, text)
		}
	}
	for _, text := range []string{`"yes"`, `1`, `null`, `[]`, `{}`, `"ONLY"`} {
		var p api.Publish
		if err := p.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s: read as %v, want an error", text, p)
		}
	}
	if _, err := json.Marshal(api.Publish(3)); err == nil {
		t.Error("a value that does not exist has a JSON form")
	}
}

func TestPosition(t *testing.T) {
	for text, want := range map[string]api.Position{
		"5f1e0c2a:17":            {Instance: "5f1e0c2a", Seq: 17},
		"a:0":                    {Instance: "a"},
		"a:b:3":                  {Instance: "a:b", Seq: 3},
		"a:18446744073709551615": {Instance: "a", Seq: 1<<64 - 1},
	} {
		p, err := api.ParsePosition(text)
		if err != nil || p != want || p.String() != text {
			t.Errorf("%s: got %+v, %v, text %q", text, p, err, p)
		}
	}
	for _, text := range []string{"", ":", ":1", "a", "a:", "a:-1", "a:+1", "a:1 ", "17", "a:18446744073709551616"} {
		if p, err := api.ParsePosition(text); err == nil {
			t.Errorf("%q: read as %+v, want an error", text, p)
		}
	}
	if s := (api.Position{}).String(); s != "" {
		t.Errorf("the zero position is %q", s)
	}
}

// INTERFACES section 5 promises these names.
func TestNames(t *testing.T) {
	keys := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		// A decoder keeps the order, a map does not.
		d := json.NewDecoder(strings.NewReader(string(b)))
		var names []string
		d.Token()
		for d.More() {
			name, _ := d.Token()
			names = append(names, name.(string))
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Join(names, " ")
	}
	ip := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"entry", api.Entry{}, "ip mac interface type rt state permanent published publish_only incomplete expires_in flags hold tries authority ipmp_proxy action origin"},
		{"full event", api.Event{"i", 1, time.Now(), "moved", "eth0", ip, "02:00:00:00:00:01", "02:00:00:00:00:02", 1, 6, "m"},
			"instance seq time type interface ip mac old_mac count severity message"},
		{"empty event", api.Event{}, "instance seq time type"},
		{"error", api.Error{Status: 400}, "error errno"},
		{"set", api.SetEntry{IP: ip, MAC: "02:00:00:00:00:01", Interface: "eth0", Temp: true, Pub: api.PublishOnly, Action: "reject"}, "ip mac interface temp pub action"},
		{"shortest set", api.SetEntry{}, "ip mac"},
		{"resolve", api.ResolveRequest{IP: ip, Interface: "eth0", Timeout: 1}, "ip interface timeout"},
		{"announce", api.AnnounceRequest{}, "interface ips"},
		{"probe", api.ProbeRequest{Fast: true}, "interface ips fast"},
		{"slow probe", api.ProbeRequest{}, "interface ips"},
		{"free", api.Probed{Free: true}, "ip free"},
		{"taken", api.Probed{MAC: "02:00:00:00:00:01"}, "ip free mac"},
	} {
		if diff := cmp.Diff(c.want, keys(c.v)); diff != "" {
			t.Errorf("%s: keys differ (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestEventTime(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	b, err := json.Marshal(api.Event{Instance: "a", Seq: 7, Time: at, Type: "added", IP: netip.MustParseAddr("192.0.2.9")})
	want := `{"instance":"a","seq":7,"time":"2026-01-02T03:04:05.6Z","type":"added","ip":"192.0.2.9"}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}
