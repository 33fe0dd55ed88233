package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// workers is how many mutations are tried at a time.
const workers = 2

// overlayVariable names the file for -overlay to tests that build isat themselves
// (test/e2e).
const overlayVariable = "ISAT_TEST_OVERLAY"

// runner runs tests of the repository at root.
type runner struct {
	root string
	dir  string // for mutated files
}

// outcome is what became of the tests of one go test.
type outcome struct {
	action map[string]string // pass, fail or skip, by the test's name
	output string
}

// goTest runs tests of one directory, with an overlay unless it is "".
func (r runner) goTest(ctx context.Context, overlay, dir string, tests []testName) (outcome, error) {
	// Vetting and optimizing take longer than most of these tests.
	args := []string{"test", "-json", "-count=1", "-vet=off", "-gcflags=-N -l", "-timeout=3m", "-run", pattern(tests)}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+dir)...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), overlayVariable+"="+overlay)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return outcome{}, fmt.Errorf("go %s: %w", strings.Join(cmd.Args[1:], " "), err)
	}
	o, err := parseOutcome(out)
	if err != nil {
		return o, fmt.Errorf("%s: %w\n%s%s", dir, err, o.output, &stderr)
	}
	return o, nil
}

// pattern returns what -run takes for the tests: their functions, and their
// subtests if all of them are subtests.
func pattern(tests []testName) string {
	var tops, subs []string
	for _, t := range tests {
		top, sub, _ := strings.Cut(t.name, "/")
		if !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
		subs = append(subs, regexp.QuoteMeta(sub))
	}
	p := "^(" + strings.Join(tops, "|") + ")$"
	if !slices.Contains(subs, "") {
		p += "/^(" + strings.Join(subs, "|") + ")$"
	}
	return p
}

// parseOutcome reads what go test -json writes (see "go doc test2json"). Not to
// have come to an assertion is an error: a package that does not compile, a panic,
// a deadlock, a timeout.
func parseOutcome(out []byte) (outcome, error) {
	o := outcome{action: make(map[string]string)}
	var text strings.Builder
	var fault error
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var e struct{ Action, Test, Output string }
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return o, fmt.Errorf("reading the output of go test: %w", err)
		}
		switch e.Action {
		case "output", "build-output":
			text.WriteString(e.Output)
		case "build-fail":
			fault = errors.New("it does not compile")
		case "pass", "fail", "skip":
			if e.Test != "" {
				o.action[e.Test] = e.Action
			}
		}
	}
	o.output = text.String()
	for line := range strings.Lines(o.output) {
		switch {
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			fault = errors.New("it did not come to an assertion: " + strings.TrimSpace(line))
		case strings.Contains(line, "building isat: "): // by test/e2e
			fault = errors.New("it does not compile")
		}
	}
	return o, fault
}

// byDir groups tests by directory, in order.
func byDir(tests []testName) (dirs []string, in map[string][]testName) {
	in = make(map[string][]testName)
	for _, t := range tests {
		if !slices.Contains(dirs, t.dir) {
			dirs = append(dirs, t.dir)
		}
		if !slices.Contains(in[t.dir], t) {
			in[t.dir] = append(in[t.dir], t)
		}
	}
	return dirs, in
}

// passing runs all tests of the rows as they are and returns the number of rows
// of which one does not pass.
func (r runner) passing(ctx context.Context, rows []row) (failed int) {
	var all []testName
	for _, row := range rows {
		all = append(all, row.tests...)
	}
	passed := make(map[testName]bool)
	dirs, in := byDir(all)
	for _, dir := range dirs {
		start := time.Now()
		o, err := r.goTest(ctx, "", dir, in[dir])
		fmt.Printf("%s: %d tests as they are, %.1f s\n", dir, len(in[dir]), time.Since(start).Seconds())
		if err != nil {
			fmt.Println(err)
		}
		shown := false
		for _, t := range in[dir] {
			passed[t] = err == nil && o.action[t.name] == "pass"
			if !passed[t] && !shown && err == nil {
				fmt.Print(o.output)
				shown = true
			}
		}
	}
	for _, row := range rows {
		for _, t := range row.tests {
			if !passed[t] {
				fmt.Printf("FAIL %s: %v does not pass\n", row.name, t)
				failed++
				break
			}
		}
	}
	return failed
}

// mutated tries the mutations and returns the number of those that a test of
// theirs survives.
func (r runner) mutated(ctx context.Context, mutations []mutation) (failed int) {
	var mu sync.Mutex
	next := make(chan mutation)
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for m := range next {
				start := time.Now()
				err := r.mutate(ctx, m)
				mu.Lock()
				if err != nil {
					fmt.Printf("FAIL %s: %v\n", m.row, err)
					failed++
				} else {
					fmt.Printf("ok   %s: %v fails when %s is broken, %.1f s\n", m.row, m.fails, m.file, time.Since(start).Seconds())
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range mutations {
		if ctx.Err() != nil {
			break
		}
		next <- m
	}
	close(next)
	done.Wait()
	return failed
}

// mutate runs the tests of a mutation with it. All have to fail.
func (r runner) mutate(ctx context.Context, m mutation) error {
	overlay, err := m.overlay(r.root, r.dir)
	if err != nil {
		return err
	}
	dirs, in := byDir(m.fails)
	for _, dir := range dirs {
		o, err := r.goTest(ctx, overlay, dir, in[dir])
		if err != nil {
			return err
		}
		for _, t := range in[dir] {
			if action := o.action[t.name]; action != "fail" {
				return fmt.Errorf("with the mutation of %s the result of %v is %q, want fail\n%s", m.file, t, action, o.output)
			}
		}
	}
	return nil
}
