// Arp4 checks docs/arp4.md, the table of what arp(4) says and the tests that show
// it: each named test passes, and fails when the line that it covers is broken.
//
//	go run ./test/arp4 [-mutations] [ROW ...]
//
// For every row, or those named, it runs the row's tests as they are, and those
// that its mutation in mutations.txt names with the mutation. A mutation is laid
// over the source by "go test -overlay": no file of the tree is touched. A test
// counts as failed by an assertion alone: not if the mutated package does not
// compile, panics or hangs. Run it as root, so that no test is skipped. With
// -mutations the tests are not run as they are.
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
)

func main() {
	onlyMutations := flag.Bool("mutations", false, "do not run the tests as they are")
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
	r := runner{root: root, dir: dir}
	failed := 0
	if !onlyMutations {
		failed += r.passing(ctx, rows)
	}
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
