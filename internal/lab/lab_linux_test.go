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
	o := Options{Once: true, Scenarios: []string{name}, Stdout: io.Discard, patience: patience, noTUN: true}
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
	for form, dad := range map[string]bool{configuration: false, detecting: true} {
		c, err := config.Parse("isat.toml", []byte(fmt.Sprintf(form, "/tmp/s", "/tmp/run", "/tmp/state", "eth0")))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Interfaces) != 1 || c.Interfaces[0].Name != "eth0" || c.Interfaces[0].Datapath != config.Kernel || c.Interfaces[0].DAD != dad || c.Daemon.Socket != "/tmp/s" {
			t.Errorf("configured %+v", c)
		}
	}
}

// TestKernelFails shows that the lab sees what is missing: the kernel's ARP has no
// diagnostics and no max_age, and neither detects nor announces.
func TestKernelFails(t *testing.T) {
	t.Parallel()
	for name, reason := range map[string]string{
		"age":       "the kernel has no such limit",
		"move":      "0 diagnostics of the move",
		"impostor":  "isat says so",
		"permanent": "isat refuses, and says so",
		"duplicate": "isat asks whether somebody has it before it uses it, and says who",
		"defend":    "isat says so",
		"recover":   "isat finds out that bob has it",
		"vip":       "isat announces 192.0.2.100",
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

// TestKernelSeen plays what the plain kernel says that it does, and does not: the
// lab goes by what it sees.
func TestKernelSeen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		patience time.Duration
		right    []string
		wrong    []string
	}{
		{
			"proxy", time.Second,
			[]string{"alice gets no answer from 192.0.2.60", "the rule does not answer a probe"},
			[]string{"alice gets an answer from 192.0.2.60", "alice gets an answer from 192.0.2.70", "the published 192.0.2.61 is taken"},
		},
		{
			"proxyall", time.Second,
			[]string{"alice gets no answer from 192.0.2.200", "bob has answered, not isat"},
			[]string{"alice gets an answer from 192.0.2.200", "carol gets an answer from 192.0.2.9", "isat has answered"},
		},
		{
			"errors", 0,
			[]string{"a silent host, TCP: EHOSTUNREACH", "a silent router, UDP with IP_RECVERR: EHOSTUNREACH", "a silent host, connected UDP: no error"},
			[]string{"a silent host, isat resolve", "a silent router, isat resolve"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, story := playKernel(t, tt.name, tt.patience)
			if r.Verdict != Fail {
				t.Errorf("verdict %s", r.Verdict)
			}
			for mark, texts := range map[string][]string{"ok   ": tt.right, "BAD  ": tt.wrong} {
				for _, text := range texts {
					if !strings.Contains(story, mark+text) {
						t.Errorf("the story lacks %q", mark+text)
					}
				}
			}
			if t.Failed() {
				t.Log(story)
			}
		})
	}
}

// TestErrorsTUN plays errors where /dev/net/tun can be opened: what a host of its
// own says is in the story, and exact.
func TestErrorsTUN(t *testing.T) {
	t.Parallel()
	requireLab(t)
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		testns.Missing(t, "no TUN device can be made here: %v", err)
	} else {
		f.Close()
	}
	stdout, stderr, ok := runLabWith(t, nil, []string{daemonEnv + "=1"}, "--once", "--require", "all", "errors")
	if !ok {
		t.Fatalf("failed\n%s%s", stdout, stderr)
	}
	for _, way := range []string{"TCP", "connected UDP", "UDP with IP_RECVERR", "isat resolve"} {
		for _, want := range []string{
			"ok   a silent host, on the TUN host, " + way + ": EHOSTDOWN,",
			"ok   a silent router, on the TUN host, " + way + ": EHOSTUNREACH,",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("the story lacks %q\n%s", want, stdout)
			}
		}
	}
}
