package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzParse looks for texts that panic, for problems without a line of the
// file, and for readings of one text that differ.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("f", text)
		again, errAgain := Parse("f", text)
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("two readings differ:\n%v\n%v", err, errAgain)
			}
			checkProblems(t, err, bytes.Count(text, []byte("\n"))+1)
			return
		}
		if lines := Diff(c, again); len(lines) > 0 {
			t.Fatalf("two readings differ: %q", lines)
		}
		for _, i := range c.Interfaces {
			if _, ok := c.Match(i.Name); !ok && !i.IsPattern() {
				t.Errorf("Match does not find %q", i.Name)
			}
		}
		if ps := c.Warnings("f", []string{"eth0"}); len(ps) > 0 {
			checkProblems(t, ps, bytes.Count(text, []byte("\n"))+1)
		}
	})
}

func checkProblems(t *testing.T, err error, lines int) {
	var ps Problems
	if !errors.As(err, &ps) || len(ps) == 0 {
		t.Fatalf("want problems, got %#v", err)
	}
	if i := slices.IndexFunc(ps, func(p Problem) bool { return p.Line < 1 || p.Line > lines || p.Column < 1 || p.Text == "" }); i >= 0 {
		t.Fatalf("%+v is not in the file of %d lines", ps[i], lines)
	}
}
