package main

import (
	"encoding/json"
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

// apply returns the text of the file with the mutation.
func (m mutation) apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, fmt.Errorf("row %s: %w", m.row, err)
	}
	if m.old == "" || m.old == m.new {
		return nil, fmt.Errorf("row %s: the mutation changes nothing", m.row)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return nil, fmt.Errorf("row %s: %s has %d times, want once:\n%s", m.row, m.file, n, m.old)
	}
	return []byte(strings.Replace(string(text), m.old, m.new, 1)), nil
}

// overlay writes the mutated file below dir and returns the name of the file for
// -overlay of the go command (see "go help build").
func (m mutation) overlay(root, dir string) (string, error) {
	text, err := m.apply(root)
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return "", fmt.Errorf("row %s: %w", m.row, err)
	}
	mutated := filepath.Join(dir, m.row+".go")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutated}})
	if err != nil {
		return "", fmt.Errorf("row %s: %w", m.row, err)
	}
	name := filepath.Join(dir, m.row+".json")
	if err := os.WriteFile(mutated, text, 0o600); err != nil {
		return "", fmt.Errorf("row %s: %w", m.row, err)
	}
	if err := os.WriteFile(name, replace, 0o600); err != nil {
		return "", fmt.Errorf("row %s: %w", m.row, err)
	}
	return name, nil
}
