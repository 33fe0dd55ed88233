// Arp4 checks docs/arp4.md, the table of what arp(4) says and the tests that show
// it: each named test passes, and one at least of every row fails when the line that
// implements the row is broken.
//
//	go run ./test/arp4 [-mutations] [ROW ...]
//
// For every row, or those named, it runs the row's tests as they are, and those
// that its mutation in mutations.txt names with the mutation. All mutations are
// compiled in at once, and each run has one of them or none ([schemata]); "go test
// -overlay" lays them over the source, so no file of the tree is touched. A test
// counts as failed by an assertion alone: not if it panics or hangs. Run it as
// root, so that no test is skipped.
//
// With -mutations, which is for where "go test ./..." has passed, the only tests
// that are run as they are too are those of the mutations, and subtests: of these
// the source does not tell whether there are any of that name.
//
// "go test ./test/arp4" checks the table and the mutations without running any.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	onlyMutations := flag.Bool("mutations", false, "run as they are only the tests that a mutation names, and subtests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, ".", *onlyMutations, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "arp4:", err)
		os.Exit(1)
	}
}

// check runs the rows with these names, all if there are none, of the repository
// at root.
func check(ctx context.Context, root string, onlyMutations bool, names []string) error {
	rows, err := readTable(root)
	if err != nil {
		return err
	}
	mutations, err := readMutations(root)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		for _, name := range names {
			if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
				return fmt.Errorf("%s: no such row", name)
			}
		}
		rows = slices.DeleteFunc(rows, func(r row) bool { return !slices.Contains(names, r.name) })
		mutations = slices.DeleteFunc(mutations, func(m mutation) bool { return !slices.Contains(names, m.row) })
	}
	dir, err := os.MkdirTemp("", "arp4")
	if err != nil {
		return fmt.Errorf("making a directory for the mutated files: %w", err)
	}
	defer os.RemoveAll(dir)
	// With -mutations "go test ./..." has shown the rest.
	mutated := make(map[testName]bool)
	for _, m := range mutations {
		for _, t := range m.fails {
			mutated[t] = true
		}
	}
	wanted := func(t testName) bool { return !onlyMutations || mutated[t] || t.name != t.top() }
	var tests []testName
	for _, row := range rows {
		tests = append(tests, row.tests...)
	}
	dirs, _ := byDir(slices.DeleteFunc(tests, func(t testName) bool { return !wanted(t) }))
	start := time.Now()
	r, err := newRunner(ctx, root, dir, mutations, dirs)
	if err != nil {
		return err
	}
	fmt.Printf("compiled with %d mutations, %.1f s\n", len(mutations), time.Since(start).Seconds())
	failed := r.passing(ctx, rows, wanted)
	failed += r.mutated(ctx, mutations)
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d failures in %d rows", failed, len(rows))
	}
	fmt.Printf("arp4: %d rows hold\n", len(rows))
	return nil
}
