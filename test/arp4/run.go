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
	"path"
	"path/filepath"
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

// runner runs tests of the repository at root that are compiled with schemata.
type runner struct {
	root    string
	dir     string // absolute; for what is compiled
	overlay string
}

// newRunner compiles the tests of the directories with the mutations, in dir.
func newRunner(ctx context.Context, root, dir string, mutations []mutation, dirs []string) (runner, error) {
	s, err := newSchemata(root, mutations)
	if err != nil {
		return runner{}, err
	}
	r := runner{root: root, dir: dir}
	if r.overlay, err = s.overlay(root, dir); err != nil {
		return r, fmt.Errorf("writing the mutated source: %w", err)
	}
	args := []string{"test", "-c", "-vet=off", "-overlay", r.overlay, "-o", dir + string(filepath.Separator)}
	for _, d := range dirs {
		args = append(args, "./"+d)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return r, fmt.Errorf("compiling the tests with the mutations (with one row as argument there is one in them): %w\n%s", err, out)
	}
	return r, nil
}

// outcome is what became of the tests of one run.
type outcome struct {
	action map[string]string // pass, fail or skip, by the test's name
	output string
}

// test runs tests of one directory with the mutation of a row, or without one if
// it is "".
func (r runner) test(ctx context.Context, row, dir string, tests []testName) (outcome, error) {
	binary := filepath.Join(r.dir, path.Base(dir)+".test")
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", binary, "-test.v=test2json", "-test.timeout=3m", "-test.run="+pattern(tests))
	cmd.Dir = filepath.Join(r.root, filepath.FromSlash(dir))
	cmd.Env = append(os.Environ(), overlayVariable+"="+r.overlay, chosenVariable+"="+row)
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

// pattern returns what -run takes for the tests.
func pattern(tests []testName) string {
	var patterns []string
	for _, t := range tests {
		parts := strings.Split(t.name, "/")
		for i, part := range parts {
			parts[i] = "^" + regexp.QuoteMeta(part) + "$"
		}
		patterns = append(patterns, strings.Join(parts, "/"))
	}
	return strings.Join(patterns, "|")
}

// parseOutcome reads what test2json writes (see "go doc test2json"). Not to have
// come to an assertion is an error: a program that does not compile, a panic, a
// deadlock, a timeout.
func parseOutcome(out []byte) (outcome, error) {
	o := outcome{action: make(map[string]string)}
	var text strings.Builder
	var fault error
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var e struct{ Action, Test, Output string }
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return o, fmt.Errorf("reading the output of the tests: %w", err)
		}
		switch e.Action {
		case "output":
			text.WriteString(e.Output)
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

// passing runs tests of the rows without a mutation, those that wanted chooses, and
// returns the number of rows of which one does not pass.
func (r runner) passing(ctx context.Context, rows []row, wanted func(testName) bool) (failed int) {
	var all []testName
	for _, row := range rows {
		for _, t := range row.tests {
			if wanted(t) {
				all = append(all, t)
			}
		}
	}
	passed := make(map[testName]bool)
	dirs, in := byDir(all)
	for _, dir := range dirs {
		start := time.Now()
		o, err := r.test(ctx, "", dir, in[dir])
		fmt.Printf("%s: %d tests without a mutation, %.1f s\n", dir, len(in[dir]), time.Since(start).Seconds())
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
			if wanted(t) && !passed[t] {
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
	dirs, in := byDir(m.fails)
	for _, dir := range dirs {
		o, err := r.test(ctx, m.row, dir, in[dir])
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
