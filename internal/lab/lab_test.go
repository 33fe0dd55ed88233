package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

func TestUnknownScenario(t *testing.T) {
	_, err := Run(context.Background(), Options{Once: true, Scenarios: []string{"resolve", "fly"}})
	if want := `no scenario "fly": there are resolve, age, down, move, impostor, permanent, crash, hang, errors, proxy, proxyall, duplicate, defend, recover, vip, media`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestChosen(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Once: true}, strings.Join(Names(), " ")},
		{Options{Once: true, Scenarios: []string{"hang", "age"}}, "age hang"},
		{Options{}, ""},
		{Options{Scenarios: []string{"down"}}, "down"},
	} {
		var got []string
		for _, s := range c.o.chosen() {
			got = append(got, s.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: chosen %v, want %s", c.o, got, c.want)
		}
	}
}

// TestPlaySums checks what makes a run good, and what it says.
func TestPlaySums(t *testing.T) {
	refused := &refusal{"not here", "go there"}
	for _, c := range []struct {
		name       string
		err        error
		on         Ground
		expect     bool
		requireAll bool
		ok         bool
		text       string
	}{
		{"passed", nil, Namespaces, true, true, true, "1 passed, 0 failed, 0 skipped"},
		{"expectation failed", nil, Namespaces, false, false, false, "FAIL  it works\n"},
		{"error", errors.New("broken"), Namespaces, true, false, false, "FAIL  broken\n"},
		{"skipped", fmt.Errorf("x: %w", refused), "", true, false, true, "SKIP  not here\n      go there\n"},
		{"skipped, all required", refused, "", true, true, false, "0 passed, 0 failed, 1 skipped"},
		{"in memory", nil, Segment, true, false, true, "1 passed"},
		{"on a cable, all required", nil, Cable, true, true, true, "1 passed"},
		{"in memory, all required", nil, Segment, true, true, false, "1 passed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			o := Options{Once: true, RequireAll: c.requireAll, Scenarios: []string{"resolve"}, Stdout: &out}
			ok, err := o.play(context.Background(), func(_ context.Context, s outline, story *Story) Result {
				r := Result{Scenario: s.name, On: c.on}
				story.Expect(c.expect, "it works")
				if c.err != nil {
					r.failed(c.err)
				}
				return r
			})
			if ok != c.ok || err != nil || !strings.Contains(out.String(), c.text) {
				t.Errorf("ok %v, %v, want %v and %q in\n%s", ok, err, c.ok, c.text, &out)
			}
		})
	}
}

// TestStoryOrder tells frames that came before a line before it, whenever they
// are fetched.
func TestStoryOrder(t *testing.T) {
	var out bytes.Buffer
	s := newStory(outline{"test", "a story"}, &out)
	mac := lladdr.MustParse("02:00:00:00:00:09")
	frame := probe.Frame{
		Time:   s.begin.Add(-time.Millisecond),
		Header: link.Header{Source: mac, Destination: lladdr.Broadcast()},
		Packet: arp.Packet{Operation: arp.Request, SenderHW: mac},
	}
	first := true
	s.watch = &watch{story: s, look: func() ([]probe.Frame, []logLine) {
		if !first {
			return nil, nil
		}
		first = false
		earlier := frame
		earlier.Time = frame.Time.Add(-time.Millisecond)
		return []probe.Frame{frame, earlier}, []logLine{{frame.Time.Add(-time.Second), "arp: hello"}}
	}}
	s.Say("something")
	s.begin = s.begin.Add(-10 * time.Second) // the next line is 10 s later
	s.Expect(true, "done")
	var marks []string
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); len(fields) > 1 {
			marks = append(marks, fields[1])
		}
	}
	if got, want := strings.Join(marks, " "), "a log arp arp something ok"; got != want {
		t.Errorf("told in the order %q, want %q\n%s", got, want, &out)
	}
}

func TestDiagnostic(t *testing.T) {
	const text = "arp: 192.0.2.9 moved from 02:00:00:00:00:09 to 02:00:00:00:00:99 on eth0"
	for line, want := range map[string]string{
		text: text,
		`time=2026-11-21T19:00:00Z level=INFO msg="` + text + `" interface=eth0`:        text,
		`{"level":"INFO","msg":"` + text + `"}`:                                         text,
		"eth0: taken over":                                                              "",
		"eth0 has duplicate address 192.0.2.9 (in use by 02:00:00:00:00:09); disabled.": "eth0 has duplicate address 192.0.2.9 (in use by 02:00:00:00:00:09); disabled.",
		`{"level":"WARN","msg":"Recovered address 192.0.2.9 on eth0."}`:                 "Recovered address 192.0.2.9 on eth0.",
		"Node 02:00:00:00:00:66 is using our IP address 192.0.2.1 on eth0.":             "Node 02:00:00:00:00:66 is using our IP address 192.0.2.1 on eth0.",
	} {
		got, ok := diagnostic(line)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", line, got, ok, want)
		}
	}
}

func TestLogBook(t *testing.T) {
	var also bytes.Buffer
	l := &logBook{also: &also}
	fmt.Fprint(l, "one\narp: t")
	if d := l.diagnostics(); len(d) != 0 {
		t.Errorf("an unfinished line was given: %v", d)
	}
	fmt.Fprint(l, "wo\nthree\n")
	if d := l.diagnostics(); len(d) != 1 || d[0].text != "arp: two" {
		t.Errorf("diagnostics %v, want one", d)
	}
	if d := l.diagnostics(); len(d) != 0 {
		t.Errorf("given twice: %v", d)
	}
	if got := strings.Join(l.tail(2), " "); got != "arp: two three" || l.last() != "three" {
		t.Errorf("tail %q, last %q", got, l.last())
	}
	if also.String() != "one\narp: two\nthree\n" {
		t.Errorf("passed on %q", also.String())
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 replies", 1: "1 reply", 2: "2 replies"} {
		if got := count(n, "reply"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := count(2, "request"); got != "2 requests" {
		t.Errorf("%q", got)
	}
}
