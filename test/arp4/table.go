package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// row is a row of a table in docs/arp4.md.
type row struct {
	name     string // in mutations.txt
	says     string // arp(4)
	isat     string
	tests    []testName
	referees []string
}

// ownCode is the referee of rows that only isat's own code judges.
const ownCode = "own code"

// referees are those that a row may name.
var referees = []string{"kernel", "tshark", "arping", "ping", "net-tools", "scapy", ownCode}

// testName is a test: a directory of the repository, and the name as go test
// prints it, subtests after slashes.
type testName struct{ dir, name string }

func (t testName) String() string { return t.dir + "." + t.name }

// top returns the name of the function.
func (t testName) top() string { top, _, _ := strings.Cut(t.name, "/"); return top }

// parseTest reads a name such as host.TestAge/not_used.
func parseTest(s string) (testName, error) {
	dir, name, ok := strings.Cut(s, ".Test")
	if !ok || dir == "" {
		return testName{}, fmt.Errorf("%q: want a test such as host.TestAge", s)
	}
	return testName{dir, "Test" + name}, nil
}

// tableHeader begins each table of rows.
const tableHeader = "| row | arp(4) | isat | tests | referee |"

// code matches what stands as code in Markdown.
var code = regexp.MustCompile("`([^`]+)`")

// readTable reads docs/arp4.md.
func readTable(root string) ([]row, error) {
	file := filepath.Join(root, "docs", "arp4.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the table: %w", err)
	}
	rows, err := parseTable(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return rows, nil
}

// parseTable reads the tables with the header of the rows, and no other.
func parseTable(text string) ([]row, error) {
	var rows []row
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == tableHeader:
			inside = true
			continue
		case !strings.HasPrefix(line, "|"):
			inside = false
		}
		if !inside || strings.HasPrefix(line, "| ---") {
			continue
		}
		r, err := parseRow(line)
		if err == nil && slices.ContainsFunc(rows, func(other row) bool { return other.name == r.name }) {
			err = fmt.Errorf("row %s is there twice", r.name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no row under %q", tableHeader)
	}
	return rows, nil
}

func parseRow(line string) (row, error) {
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	if len(cells) != 5 {
		return row{}, fmt.Errorf("%d cells, want 5", len(cells))
	}
	r := row{name: cells[0], says: cells[1], isat: cells[2], referees: strings.Split(cells[4], ", ")}
	for _, cell := range cells {
		if strings.TrimSpace(cell) == "" {
			return row{}, fmt.Errorf("row %s has an empty cell", r.name)
		}
	}
	for _, m := range code.FindAllStringSubmatch(cells[3], -1) {
		t, err := parseTest(m[1])
		if err != nil {
			return row{}, fmt.Errorf("row %s: %w", r.name, err)
		}
		r.tests = append(r.tests, t)
	}
	if len(r.tests) == 0 {
		return row{}, fmt.Errorf("row %s names no test", r.name)
	}
	for _, referee := range r.referees {
		if !slices.Contains(referees, referee) {
			return row{}, fmt.Errorf("row %s: referee %q, want one of %s", r.name, referee, strings.Join(referees, ", "))
		}
	}
	if len(r.referees) > 1 && slices.Contains(r.referees, ownCode) {
		return row{}, fmt.Errorf("row %s: %s is no referee beside another", r.name, ownCode)
	}
	return r, nil
}
