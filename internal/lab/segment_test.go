package lab

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

// TestSegment plays in memory what needs no kernel, and skips the rest with the
// reason and the remedy.
func TestSegment(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	o := Options{Once: true, JSON: true, Stdout: &out}
	ok, err := o.playSegment(context.Background(), &refusal{"not here", "go there"})
	if err != nil || !ok {
		t.Errorf("ok %v, error %v", ok, err)
	}
	skipped := 0
	for d := json.NewDecoder(strings.NewReader(out.String())); d.More(); {
		var r Result
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Scenario == mediaName && (r.Verdict == Pass && r.On == Cable || r.Verdict == Skip && runtime.GOOS != "linux"):
		case r.Verdict == Skip:
			skipped++
			if r.Reason != "not here" || r.Remedy != "go there" || r.On != "" {
				t.Errorf("%s: skipped with %q, %q on %q", r.Scenario, r.Reason, r.Remedy, r.On)
			}
		case r.Verdict != Pass || r.On != Segment:
			t.Errorf("%s: %s on %s: %s", r.Scenario, r.Verdict, r.On, r.Reason)
		}
		for _, l := range r.Story {
			t.Logf("%s %12.6f  %-3s  %s", r.Scenario, l.At, l.Mark, l.Text)
		}
	}
	if skipped != 2 {
		t.Errorf("%d skipped, want crash and hang", skipped)
	}
}

// TestSegmentIsNotAll shows that --require all wants real kernels.
func TestSegmentIsNotAll(t *testing.T) {
	o := Options{Once: true, RequireAll: true, Scenarios: []string{"resolve"}, Stdout: &strings.Builder{}}
	ok, err := o.playSegment(context.Background(), &refusal{"not here", "go there"})
	if err != nil || ok {
		t.Errorf("ok %v, error %v, want a failure without an error", ok, err)
	}
}
