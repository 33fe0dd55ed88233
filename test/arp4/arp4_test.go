package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is that of the repository.
const root = "../.."

// TestTable: every row of docs/arp4.md names tests that there are, and has one
// mutation, whose text is in its file and whose tests are the row's.
func TestTable(t *testing.T) {
	rows, err := readTable(root)
	if err != nil {
		t.Fatal(err)
	}
	mutations, err := readMutations(root)
	if err != nil {
		t.Fatal(err)
	}
	declared := make(map[string][]string) // by directory
	for _, r := range rows {
		for _, test := range r.tests {
			if declared[test.dir] == nil {
				declared[test.dir] = testsIn(t, test.dir)
			}
			if !slices.Contains(declared[test.dir], test.top()) {
				t.Errorf("row %s: there is no %v", r.name, test)
			}
		}
		if n := count(mutations, func(m mutation) bool { return m.row == r.name }); n != 1 {
			t.Errorf("row %s has %d mutations, want one", r.name, n)
		}
	}
	for _, m := range mutations {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == m.row })
		if i < 0 {
			t.Errorf("a mutation of row %s, which is not in the table", m.row)
			continue
		}
		if len(m.fails) == 0 {
			t.Errorf("row %s: no test has to fail", m.row)
		}
		for _, test := range m.fails {
			if !slices.Contains(rows[i].tests, test) {
				t.Errorf("row %s: %v has to fail, but is not in the table", m.row, test)
			}
		}
		if strings.HasSuffix(m.file, "_test.go") {
			t.Errorf("row %s: %s is a test", m.row, m.file)
		}
		if _, err := newSchemata(root, []mutation{m}); err != nil {
			t.Error(err)
		}
	}
}

func count[T any](all []T, f func(T) bool) (n int) {
	for _, v := range all {
		if f(v) {
			n++
		}
	}
	return n
}

// testsIn returns the tests that are declared in a directory.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{}
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

func TestParseTableRefuses(t *testing.T) {
	const head = tableHeader + "\n| --- | --- | --- | --- | --- |\n"
	for _, tt := range []struct{ name, text, want string }{
		{"no table", "# Title\n", "no row"},
		{"four cells", head + "| a | b | c | `host.TestAge` |\n", "4 cells"},
		{"an empty cell", head + "| a | b |  | `host.TestAge` | kernel |\n", "empty cell"},
		{"no test", head + "| a | b | c | all of them | kernel |\n", "names no test"},
		{"a test without a package", head + "| a | b | c | `TestAge` | kernel |\n", "want a test such as"},
		{"an unknown referee", head + "| a | b | c | `host.TestAge` | somebody |\n", `referee "somebody"`},
		{"a referee beside none", head + "| a | b | c | `host.TestAge` | kernel, own code |\n", "no referee beside"},
		{"twice", head + strings.Repeat("| a | b | c | `host.TestAge` | kernel |\n", 2), "line 4: row a is there twice"},
	} {
		if rows, err := parseTable(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, %v, want %q", tt.name, rows, err, tt.want)
		}
	}
	rows, err := parseTable("| x | y |\n\n" + head + "| a | b | c | `host.TestAge/not_used`, `test/e2e.TestHostAge` | kernel, ping |\n\n| other | table |\n")
	if err != nil || len(rows) != 1 || len(rows[0].tests) != 2 || rows[0].tests[1] != (testName{"test/e2e", "TestHostAge"}) {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestParseMutationsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"file a":              "line 1: \"file a\" before the first row",
		"row a\nfails TestA":  "line 2",
		"row a\n\n# b\nbreak": "line 4",
	} {
		if m, err := parseMutations(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", text, m, err, want)
		}
	}
}

func TestParseOutcome(t *testing.T) {
	const failed = `{"Action":"fail","Test":"TestA"}`
	for _, tt := range []struct{ name, out, want string }{
		{"an assertion", `{"Action":"output","Test":"TestA","Output":"a_test.go:1: got 2\n"}` + failed, ""},
		{"a panic", `{"Action":"output","Output":"panic: test timed out after 1s\n"}` + failed, "panic: test timed out"},
		{"a deadlock", `{"Action":"output","Output":"fatal error: all goroutines are asleep\n"}` + failed, "fatal error"},
		{"no program", `{"Action":"output","Test":"TestA","Output":"    a_test.go:1: building isat: exit status 1\n"}` + failed, "does not compile"},
		{"nonsense", "go: error", "reading the output"},
	} {
		o, err := parseOutcome([]byte(tt.out))
		if tt.want == "" && (err != nil || o.action["TestA"] != "fail") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %+v, %v, want %q", tt.name, o, err, tt.want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		tests []testName
		want  string
	}{
		{[]testName{{"host", "TestA"}}, "^TestA$"},
		{[]testName{{"host", "TestA/x_(1)/y"}, {"host", "TestB"}}, `^TestA$/^x_\(1\)$/^y$|^TestB$`},
	} {
		if got := pattern(tt.tests); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.tests, got, tt.want)
		}
	}
}
