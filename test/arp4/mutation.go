package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutation breaks the line that implements a row.
type mutation struct {
	row      string
	file     string // below the root
	old, new string // old occurs once in the file
	fails    []testName
}

// readMutations reads test/arp4/mutations.txt.
func readMutations(root string) ([]mutation, error) {
	file := filepath.Join(root, "test", "arp4", "mutations.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the mutations: %w", err)
	}
	mutations, err := parseMutations(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return mutations, nil
}

// parseMutations reads paragraphs of these lines; those that begin with # are
// comments:
//
//	row NAME
//	file PATH
//	- a line, or a part of one, as it is
//	+ the same broken
//	fails TEST ...
//
// Several lines with - or + are a text of several lines.
func parseMutations(text string) ([]mutation, error) {
	var mutations []mutation
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "row" {
			mutations = append(mutations, mutation{row: rest})
			continue
		}
		if len(mutations) == 0 {
			return nil, fmt.Errorf("line %d: %q before the first row", i+1, line)
		}
		m := &mutations[len(mutations)-1]
		switch word {
		case "file":
			m.file = rest
		case "-":
			m.old = appendLine(m.old, rest)
		case "+":
			m.new = appendLine(m.new, rest)
		case "fails":
			for _, name := range strings.Fields(rest) {
				t, err := parseTest(name)
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", i+1, err)
				}
				m.fails = append(m.fails, t)
			}
		default:
			return nil, fmt.Errorf("line %d: %q: want row, file, -, + or fails", i+1, line)
		}
	}
	return mutations, nil
}

func appendLine(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

// change returns the text of the file with the mutation.
func (m mutation) change(text []byte) ([]byte, error) {
	if m.old == "" || m.old == m.new {
		return nil, errors.New("the mutation changes nothing")
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return nil, fmt.Errorf("it has %d times, want once:\n%s", n, m.old)
	}
	return []byte(strings.Replace(string(text), m.old, m.new, 1)), nil
}
