package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shapes is a program with a function of every shape, each of which prints a line.
const shapes = `package main

import "fmt"

type point struct{ x int }

type box[T any] struct{ v T }

const size = 1

var (
	list  = []int{1, 2, 3}
	table = map[string]int{
		"a": 1,
	}
	total int64 = 10
)

func unnamed(int, string) string      { return "one" }
func (point) receiver() (n int)       { n = 2; return }
func (p *point) set(_ int, y int)     { p.x = y }
func variadic(a, b int, rest ...int) (int, error) { return len(rest), nil }
func (b box[T]) get() T               { return b.v }
func cast[T, U any](v T) (t T, u U)   { return v, u }
func factorial(n int) int {
	if n == 0 {
		return 1
	}
	return n * factorial(n-1)
}

func main() {
	fmt.Println(unnamed(1, ""))
	p := &point{}
	fmt.Println(p.receiver())
	p.set(7, 3)
	fmt.Println(p.x)
	fmt.Println(variadic(1, 2, 3, 4))
	fmt.Println(box[int]{5}.get())
	fmt.Println(cast[int, string](6))
	fmt.Println(factorial(3))
	fmt.Println(list, table["a"], total)
}
`

// shapesOutput is what it prints.
const shapesOutput = "one\n2\n3\n2 <nil>\n5\n6 \n6\n[1 2 3] 1 10\n"

// TestSchemata: the program does what its source says, and with each mutation what
// the mutated source says.
func TestSchemata(t *testing.T) {
	source := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module shapes\n\ngo 1.26\n", "main.go": shapes} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		mutation
		was, is string // of the output
	}{
		{mutation{row: "unnamed", old: `return "one"`, new: `return "two"`}, "one", "two"},
		{mutation{row: "receiver", old: "n = 2", new: "n = 20"}, "\n2\n", "\n20\n"},
		{mutation{row: "set-x", old: "p.x = y", new: "_ = y"}, "\n3\n", "\n0\n"},
		{mutation{row: "variadic", old: "return len(rest), nil", new: "return a + b + len(rest), nil"}, "2 <nil>", "5 <nil>"},
		{mutation{row: "method-of-generic", old: "return b.v", new: "var v T; return v"}, "5", "0"},
		{mutation{row: "generic", old: "return v, u", new: "return t, u"}, "\n6 \n", "\n0 \n"},
		{mutation{row: "recursion", old: "n * factorial(n-1)", new: "n + factorial(n-1)"}, "6\n[", "7\n["},
		{mutation{row: "recursion-ends", old: "return 1\n", new: "return 2\n"}, "6\n[", "12\n["},
		{mutation{row: "list", old: "1, 2, 3}", new: "1, 2}"}, "[1 2 3]", "[1 2]"},
		{mutation{row: "list-again", old: "1, 2, 3}", new: "1, 3}"}, "[1 2 3]", "[1 3]"},
		{mutation{row: "table", old: `"a": 1,`, new: `"a": 9,`}, "1 10", "9 10"},
		{mutation{row: "typed", old: "= 10", new: "= 11"}, "1 10", "1 11"},
	}
	var mutations []mutation
	for i := range tests {
		tests[i].file = "main.go"
		mutations = append(mutations, tests[i].mutation)
	}
	s, err := newSchemata(source, mutations)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay, err := s.overlay(source, dir)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, ".")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, s.files["main.go"])
	}
	run := func(row string) string {
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), chosenVariable+"="+row)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Error(row, err)
		}
		return string(out)
	}
	if got := run(""); got != shapesOutput {
		t.Errorf("without a mutation:\n%s", got)
	}
	for _, tt := range tests {
		if got, want := run(tt.row), strings.Replace(shapesOutput, tt.was, tt.is, 1); got != want || want == shapesOutput {
			t.Errorf("%s: got\n%swant\n%s", tt.row, got, want)
		}
	}
}

// TestSchemataRefuses what cannot be chosen when a program starts.
func TestSchemataRefuses(t *testing.T) {
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "main.go"), []byte(shapes), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"a constant", "size = 1", "size = 2", "only functions and"},
		{"a type", "x int", "x int8", "only functions and"},
		{"a signature", "(int, string) string", "(string, int) string", "more of a function than its body"},
		{"a name", "unnamed(int", "nameless(int", "more of a function than its body"},
		{"no value", "total int64 = 10", "total int64", "one initial value"},
		{"a declaration more", "const size = 1", "const size = 1\nconst other = 2", "takes away a declaration"},
		{"nothing", "package main", "package  main", "no declaration"},
		{"no syntax", "func main() {", "func main() (", "parsing"},
		{"not there", "nowhere", "", "has 0 times, want once"},
		{"twice", "return 1", "return 1", "changes nothing"},
		{"not once", "int", "int8", "times, want once"},
	} {
		_, err := newSchemata(source, []mutation{{row: "r", file: "main.go", old: tt.old, new: tt.new}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
