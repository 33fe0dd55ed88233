package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/internal/lab/probe"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/link/pcap"
)

// playKernel plays a scenario with the plain kernel in the daemon's place.
func playKernel(t *testing.T, name string, patience time.Duration) (Result, string) {
	t.Helper()
	testns.Require(t)
	var text strings.Builder
	o := Options{Once: true, Scenarios: []string{name}, Stdout: io.Discard, patience: patience}
	s := o.chosen()[0]
	story := newStory(s, &text)
	r := o.playOne(context.Background(), s, story, t.TempDir())
	story.end(&r)
	return r, text.String()
}

// TestKernelPasses shows that the lab sees right what is right.
func TestKernelPasses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"resolve", "down", "crash", "hang"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, story := playKernel(t, name, 0)
			if r.Verdict != Pass {
				t.Errorf("verdict %s: %s\n%s", r.Verdict, r.Reason, story)
			}
		})
	}
}

// TestDaemon plays every scenario with isat's daemon, as a user without rights if
// that can be had.
func TestDaemon(t *testing.T) {
	t.Parallel()
	requireLab(t)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, ok := runLabWith(t, ordinaryUser(), []string{daemonEnv + "=1"}, "--once", "--require", "all", name)
			if !ok {
				t.Errorf("failed\n%s%s", stdout, stderr)
			}
		})
	}
}

// TestRecording plays a scenario and reads its frames back.
func TestRecording(t *testing.T) {
	t.Parallel()
	requireLab(t)
	dir := t.TempDir()
	stdout, stderr, ok := runLab(t, nil, "--once", "--pcap", dir, "resolve")
	if !ok {
		t.Fatalf("failed\n%s%s", stdout, stderr)
	}
	f, err := os.Open(filepath.Join(dir, "resolve.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for ; ; frames++ {
		at, b, err := r.ReadFrame()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if f := probe.ParseFrame(at, b); f.Err != nil {
			t.Errorf("frame %d: %v", frames, f.Err)
		}
	}
	if want := strings.Count(stdout, "  arp  "); frames != want || frames < 6 {
		t.Errorf("%d frames recorded, %d told, want three exchanges at least", frames, want)
	}
}

// TestConfiguration checks what the daemon of the lab is given.
func TestConfiguration(t *testing.T) {
	c, err := config.Parse("isat.toml", []byte(fmt.Sprintf(configuration, "/tmp/s", "/tmp/run", "/tmp/state", "eth0")))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Interfaces) != 1 || c.Interfaces[0].Name != "eth0" || c.Interfaces[0].Datapath != config.Kernel || c.Daemon.Socket != "/tmp/s" {
		t.Errorf("configured %+v", c)
	}
}

// TestKernelFails shows that the lab sees what is missing: the kernel's ARP has no
// diagnostics and no max_age.
func TestKernelFails(t *testing.T) {
	t.Parallel()
	for name, reason := range map[string]string{
		"age":       "the kernel has no such limit",
		"move":      "0 diagnostics of the move",
		"impostor":  "isat says so",
		"permanent": "isat refuses, and says so",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, story := playKernel(t, name, time.Second)
			if r.Verdict != Fail || !strings.Contains(r.Reason, reason) {
				t.Errorf("verdict %s: %s, want a failure: %s\n%s", r.Verdict, r.Reason, reason, story)
			}
		})
	}
}
