package lab

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/internal/testns"
)

// playKernel plays a scenario with the plain kernel in the daemon's place.
func playKernel(t *testing.T, name string, patience time.Duration) (Result, string) {
	t.Helper()
	testns.Require(t)
	var text strings.Builder
	o := Options{Once: true, Scenarios: []string{name}, Stdout: io.Discard, patience: patience}
	s := o.chosen()[0]
	story := newStory(s, &text)
	dir := t.TempDir()
	r := o.playOne(context.Background(), s, story, func(host *lan.Host, log *logBook) (daemon, error) {
		return newChild(host, dir, log)
	})
	story.end(&r)
	return r, text.String()
}

// TestKernelPasses shows that the lab sees right what is right.
func TestKernelPasses(t *testing.T) {
	for _, name := range []string{"resolve", "down", "crash", "hang"} {
		t.Run(name, func(t *testing.T) {
			r, story := playKernel(t, name, 0)
			if r.Verdict != Pass {
				t.Errorf("verdict %s: %s\n%s", r.Verdict, r.Reason, story)
			}
			t.Log("\n" + story)
		})
	}
}

// TestKernelFails shows that the lab sees what is missing: the kernel's ARP has no
// diagnostics and no max_age.
func TestKernelFails(t *testing.T) {
	for name, reason := range map[string]string{
		"age":       "the kernel has no such limit",
		"move":      "0 diagnostics of the move",
		"impostor":  "isat says so",
		"permanent": "isat refuses, and says so",
	} {
		t.Run(name, func(t *testing.T) {
			r, story := playKernel(t, name, time.Second)
			if r.Verdict != Fail || !strings.Contains(r.Reason, reason) {
				t.Errorf("verdict %s: %s, want a failure: %s\n%s", r.Verdict, r.Reason, reason, story)
			}
			t.Log("\n" + story)
		})
	}
}
