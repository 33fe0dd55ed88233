package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

// TestGolden runs the cases in testdata, one a file: isat.toml is parsed and
// `parsed` is what comes of it, the sections in words or the problems. Where
// there are `present`, the names of interfaces, `warnings` is what they lead
// to; where there is new.toml, `diff` is what it changes.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := make(map[string]string)
	for _, f := range archive.Files {
		in[f.Name] = string(f.Data)
	}
	got := map[string]string{}
	c, err := Parse("isat.toml", []byte(in["isat.toml"]))
	got["parsed"] = words(c, err)
	if names, ok := in["present"]; ok {
		got["warnings"] = joined(c.Warnings("isat.toml", strings.Fields(names)))
	}
	if text, ok := in["new.toml"]; ok {
		new, err := Parse("new.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got["diff"] = joined(Diff(c, new))
	}
	for name := range in {
		if _, ok := got[name]; !ok && name != "isat.toml" && name != "present" && name != "new.toml" {
			t.Errorf("%s: nothing to compare it with", name)
		}
	}
	if *update {
		for i, f := range archive.Files {
			if text, ok := got[f.Name]; ok {
				archive.Files[i].Data = []byte(text)
			}
			delete(got, f.Name)
		}
		for name, text := range got {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, text := range got {
		if diff := cmp.Diff(in[name], text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// words returns the sections of c, one setting a line, or the problems.
func words(c Config, err error) string {
	if err != nil {
		var ps Problems
		if !errors.As(err, &ps) {
			return fmt.Sprintf("not Problems: %v\n", err)
		}
		return ps.Error() + "\n"
	}
	var b strings.Builder
	for _, p := range c.parts() {
		fmt.Fprintln(&b, p.name)
		for _, s := range p.settings {
			fmt.Fprintf(&b, "\t%s = %s\n", s.key, s.value)
		}
	}
	return b.String()
}

// joined returns each value on a line of its own.
func joined[T any](values []T) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintln(&b, v)
	}
	return b.String()
}
