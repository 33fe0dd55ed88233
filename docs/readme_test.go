// Package docs_test keeps the documents true: their programs are those of the
// examples, their configurations are valid, their commands exist, and their links
// lead somewhere.
package docs_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/cli"
)

// documents returns the Markdown files of the repository with their text.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no documents: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(text)
		}
	}
	return texts
}

// blocks returns the fenced blocks of a language in a text.
func blocks(text, language string) []string {
	var found []string
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// The program of the README is that of the example of package host, which go test
// compiles and runs.
func TestProgramIsExample(t *testing.T) {
	programs := blocks(documents(t)["../README.md"], "go")
	if len(programs) != 1 {
		t.Fatalf("README.md has %d Go programs, want 1", len(programs))
	}
	example, err := os.ReadFile("../host/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	gotImports, got := function(t, "README.md", programs[0], "main")
	wantImports, want := function(t, "host/example_test.go", string(example), "ExampleHost")
	if diff := cmp.Diff(wantImports, gotImports); diff != "" {
		t.Errorf("imports of the README (-example +README):\n%s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("program of the README (-example +README):\n%s", diff)
	}
}

// function returns the imports of a program and the body of one of its functions,
// comments included, but the expected output of an example.
func function(t *testing.T, file, text, name string) (imports []string, body string) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		imports = append(imports, spec.Path.Value)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
			var b bytes.Buffer
			if err := printer.Fprint(&b, fset, &printer.CommentedNode{Node: fn.Body, Comments: f.Comments}); err != nil {
				t.Fatal(err)
			}
			body, _, _ = strings.Cut(strings.TrimSuffix(b.String(), "}"), "// Output:")
			return imports, strings.TrimSpace(body)
		}
	}
	t.Fatalf("%s: no function %s", file, name)
	return nil, ""
}

func TestConfigurationsAreValid(t *testing.T) {
	n := 0
	for file, text := range documents(t) {
		for _, toml := range blocks(text, "toml") {
			n++
			path := filepath.Join(t.TempDir(), "isat.toml")
			if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, status := isat("check", "--config", path); status != 0 {
				t.Errorf("%s: isat check: exit status %d\n%s\n%s", file, status, out, toml)
			}
		}
	}
	if n == 0 {
		t.Error("no document has a configuration")
	}
}

// isat runs the command line of isat in this process and returns what it prints
// and its exit status.
func isat(args ...string) (string, int) {
	var out bytes.Buffer
	status := cli.Main(context.Background(), cli.Programs{}, append([]string{"isat"}, args...), strings.NewReader(""), &out, &out)
	return out.String(), status
}

// commandLine matches `isat COMMAND` where it stands in a block or as code.
var commandLine = regexp.MustCompile("(?m)(?:^    (?:\\$ )?|`)(?:sudo )?(?:go run \\./cmd/)?isat ([a-z]+)\\b")

func TestCommandsExist(t *testing.T) {
	var seen []string
	for file, text := range documents(t) {
		for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
			name := m[1]
			if slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
			if out, status := isat(name, "--help"); status != 0 {
				t.Errorf("%s: %q: isat %s --help: exit status %d\n%s", file, m[0], name, status, out)
			}
		}
	}
	for _, name := range []string{"lab", "run", "restore", "arp", "events", "sysctl", "status", "stats", "check"} {
		if !slices.Contains(seen, name) {
			t.Errorf("no document shows isat %s", name)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	texts := documents(t)
	for file, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := file
			if target != "" {
				to = filepath.Join(filepath.Dir(file), target)
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s: link to %s: %v", file, m[1], err)
					continue
				}
			}
			if anchor != "" && !slices.Contains(anchors(texts[to]), anchor) {
				t.Errorf("%s: link to %s: no such heading", file, m[1])
			}
		}
	}
}

// anchors returns the names that headings of a document have in links.
func anchors(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			names = append(names, strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-"))
		}
	}
	return names
}

// What is in the documents' directory is found from the README.
func TestReadmeNamesDocuments(t *testing.T) {
	texts := documents(t)
	for file := range texts {
		if strings.HasPrefix(file, "../") || strings.HasPrefix(file, "decisions/") {
			continue
		}
		if !strings.Contains(texts["../README.md"], "(docs/"+file+")") {
			t.Errorf("README.md has no link to docs/%s", file)
		}
	}
}

// Every package has a row in the layout, or one of those above it has.
func TestLayoutNamesPackages(t *testing.T) {
	text := documents(t)["../CONTRIBUTING.md"]
	named := func(dir string) bool {
		for ; dir != "."; dir = filepath.Dir(dir) {
			if strings.Contains(text, "`"+filepath.ToSlash(dir)+"`") {
				return true
			}
		}
		return false
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".."):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		dir, err := filepath.Rel("..", filepath.Dir(path))
		if err == nil && !named(dir) {
			t.Errorf("CONTRIBUTING.md: the layout has no row for package %s", dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
