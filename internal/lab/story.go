package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/isat-project/isat/internal/lab/probe"
)

// Verdict is how a scenario ended.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "PASS"
	Fail Verdict = "FAIL"
	Skip Verdict = "SKIP" // this machine forbids it
)

// Ground is what a scenario was played on.
type Ground string

// The grounds.
const (
	Namespaces Ground = "namespaces" // network namespaces with real kernels
	Segment    Ground = "segment"    // hosts of the engine on a network in memory
	Cable      Ground = "cable"      // hosts of the engine on a hub, for media that Linux has not
)

// Result is a scenario played, or not: the JSON object of `isat lab --json`.
type Result struct {
	Scenario string  `json:"scenario"`
	About    string  `json:"about"`
	Verdict  Verdict `json:"verdict"`
	On       Ground  `json:"on,omitempty"`
	Reason   string  `json:"reason,omitempty"` // of Fail and Skip
	Remedy   string  `json:"remedy,omitempty"` // of Skip
	Seconds  float64 `json:"seconds"`
	Story    []Line  `json:"story"`
}

// good reports whether a run with this result may count as a success.
func (r Result) good(requireAll bool) bool {
	if requireAll {
		return r.Verdict == Pass && r.On != Segment
	}
	return r.Verdict != Fail
}

// Mark tells what kind of line a [Line] is.
type Mark string

// The marks.
const (
	Said  Mark = ""    // what is done next
	Wire  Mark = "arp" // a frame on the wire
	Other Mark = "ip"  // one that is no ARP, where those are told
	Log   Mark = "log" // a diagnostic of isat
	Right Mark = "ok"  // an expectation that held
	Wrong Mark = "BAD" // one that did not
)

// Line is a line of a story.
type Line struct {
	At   float64 `json:"at"` // seconds since the story began
	Mark Mark    `json:"mark,omitempty"`
	Text string  `json:"text"`
}

// Story tells a scenario while it is played: what is done, every ARP frame in
// between, and what came of it. One goroutine uses it.
type Story struct {
	out   io.Writer
	begin time.Time
	lines []Line
	told  int // lines written to out
	wrong []string
	watch watcher // what happens on its own; may be nil
}

// watcher tells a story what happens on its own.
type watcher interface {
	// catchUp adds what happened since the last call.
	catchUp()
}

func newStory(s outline, out io.Writer) *Story {
	fmt.Fprintf(out, "%s: %s\n", s.name, s.about)
	return &Story{out: out, begin: time.Now()}
}

// Say tells what is done next.
func (s *Story) Say(format string, args ...any) { s.now(Said, format, args...) }

// sayVerdict tells the last two lines of `isat explain`: what the rule found that
// decides, and what follows.
func (s *Story) sayVerdict(text string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[max(0, len(lines)-2):] {
		s.Say("    %s", strings.TrimSpace(line))
	}
}

// Expect tells what should be so, and whether it is. A scenario with one that is
// not has failed, and goes on: the rest is worth seeing.
func (s *Story) Expect(so bool, format string, args ...any) {
	if so {
		s.now(Right, format, args...)
		return
	}
	s.now(Wrong, format, args...)
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// expectError expects what somebody is told.
func (s *Story) expectError(got error, want syscall.Errno, who string) {
	if !errors.Is(got, want) {
		s.Expect(false, "%s: %s, want %s", who, errnoText(got), errnoText(want))
		return
	}
	s.Expect(true, "%s: %s", who, errnoText(want))
}

// now adds a line after everything that happened before it.
func (s *Story) now(mark Mark, format string, args ...any) {
	s.gather()
	s.add(time.Now(), mark, fmt.Sprintf(format, args...))
	s.tell()
}

// catchUp tells what happened on its own since the last line.
func (s *Story) catchUp() {
	s.gather()
	s.tell()
}

func (s *Story) gather() {
	if s.watch != nil {
		s.watch.catchUp()
	}
}

// add adds a line without telling it.
func (s *Story) add(at time.Time, mark Mark, text string) {
	s.lines = append(s.lines, Line{At: at.Sub(s.begin).Seconds(), Mark: mark, Text: text})
}

// tell writes the lines not told yet, in the order of their times.
func (s *Story) tell() {
	fresh := s.lines[s.told:]
	slices.SortStableFunc(fresh, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	for _, l := range fresh {
		fmt.Fprintf(s.out, "%12.6f  %-3s  %s\n", l.At, l.Mark, l.Text)
	}
	s.told = len(s.lines)
}

// end completes r with the verdict that follows from the story, unless it has
// one already, and tells it.
func (s *Story) end(r *Result) {
	s.catchUp()
	r.Seconds = time.Since(s.begin).Seconds()
	r.Story = s.lines
	if r.Verdict == "" {
		r.Verdict = Pass
		if len(s.wrong) > 0 {
			r.Verdict, r.Reason = Fail, s.wrong[0]
		}
	}
	switch {
	case r.Verdict == Pass:
		fmt.Fprintf(s.out, "PASS  %.1f s\n\n", r.Seconds)
	case r.Remedy != "":
		fmt.Fprintf(s.out, "%s  %s\n      %s\n\n", r.Verdict, r.Reason, r.Remedy)
	default:
		fmt.Fprintf(s.out, "%s  %s\n\n", r.Verdict, r.Reason)
	}
}

// until waits until cond holds and reports whether it did within the limit. What
// happens meanwhile is told as it happens.
func (s *Story) until(ctx context.Context, limit time.Duration, cond func() bool) bool {
	deadline := time.Now().Add(limit)
	for {
		s.catchUp()
		if cond() {
			return true
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false
		}
		time.Sleep(pollInterval)
	}
}

// pollInterval is how often [Story.until] looks.
const pollInterval = 10 * time.Millisecond

// pass lets time pass.
func (s *Story) pass(ctx context.Context, d time.Duration) {
	s.until(ctx, d, func() bool { return false })
}

// frameText renders a frame as tcpdump(8) words it, with the MAC addresses of the
// frame itself: those in the packet may lie.
func frameText(f probe.Frame) string {
	if where := f.Where; where != "" {
		f.Where = ""
		return frameText(f) + " " + where
	}
	switch {
	case f.Err != nil:
		return fmt.Sprintf("malformed: %v", f.Err)
	case f.Header.Destination.IsBroadcast():
		return fmt.Sprintf("%v (from %v)", f.Packet, f.Header.Source)
	}
	return fmt.Sprintf("%v (from %v to %v)", f.Packet, f.Header.Source, f.Header.Destination)
}

func writeJSON(w io.Writer, r Result) error {
	if r.Story == nil {
		r.Story = []Line{}
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("writing the result of %s: %w", r.Scenario, err)
	}
	return nil
}

// failed makes the result of an error that ended a scenario early.
func (r *Result) failed(err error) {
	var refused *refusal
	if errors.As(err, &refused) {
		r.Verdict, r.Reason, r.Remedy = Skip, refused.reason, refused.remedy
		return
	}
	r.Verdict, r.Reason = Fail, err.Error()
}
