package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// chosenVariable names to programs with schemata the row whose mutation they have;
// with another value, or none, they do what the source says.
const chosenVariable = "ISAT_TEST_MUTANT"

// chosenFile is added to each package with schemata. Names with two underscores are
// in no source.
const chosenFile = `package %s

import "os"

var mutant__ = os.Getenv("` + chosenVariable + `")

func choose__[T any](original T, row string, mutated T) T {
	if mutant__ == row {
		return mutated
	}
	return original
}
`

// schemata is source with all mutations in it, of which the program has the one
// that it is told when it starts ("mutant schemata": Untch, Offutt and Harrold,
// ISSTA 1993). A package is compiled once for all its mutations; each is tried
// alone all the same. A mutated function stands beside the original under a name
// of its own, and a third calls the chosen one; of a variable the initial value is
// chosen. The lines of the original stay where they are.
type schemata struct {
	files map[string][]byte // by path below the root; some are not in the tree
}

// newSchemata puts the mutations of the repository at root in its source.
func newSchemata(root string, mutations []mutation) (schemata, error) {
	s := schemata{make(map[string][]byte)}
	in := make(map[string][]mutation)
	for _, m := range mutations {
		in[m.file] = append(in[m.file], m)
	}
	for file, mutations := range in {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return s, fmt.Errorf("row %s: %w", mutations[0].row, err)
		}
		f, err := parseSource(file, text)
		if err != nil {
			return s, fmt.Errorf("row %s: %w", mutations[0].row, err)
		}
		for _, m := range mutations {
			if err := f.add(m); err != nil {
				return s, fmt.Errorf("row %s: %s: %w", m.row, file, err)
			}
		}
		s.files[file] = f.combined()
		dir := filepath.ToSlash(filepath.Dir(file))
		s.files[dir+"/mutant__.go"] = fmt.Appendf(nil, chosenFile, f.ast.Name.Name)
	}
	return s, nil
}

// overlay writes the files below dir and returns the name of the file for -overlay
// of the go command (see "go help build").
func (s schemata) overlay(root, dir string) (string, error) {
	replace := make(map[string]string)
	for file, text := range s.files {
		original, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, strings.ReplaceAll(file, "/", "__"))
		if err := os.WriteFile(replace[original], text, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}

// source is a file that gets mutations.
type source struct {
	name     string
	text     []byte
	ast      *ast.File
	edits    []edit
	mutated  map[*ast.FuncDecl][]string // the rows with a mutation of it
	appended bytes.Buffer
}

// edit replaces a part of the text.
type edit struct {
	from, to int // offsets
	by       string
}

func parseSource(name string, text []byte) (*source, error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parsing: %w", err)
	}
	return &source{name: name, text: text, ast: f, mutated: make(map[*ast.FuncDecl][]string)}, nil
}

// offset returns where a position is in the text: the file is the only one of its
// set, which begins at 1.
func offset(p token.Pos) int { return int(p) - 1 }

// of returns the text of a node.
func (s *source) of(n ast.Node) string { return string(s.text[offset(n.Pos()):offset(n.End())]) }

// add puts a mutation beside what it changes.
func (s *source) add(m mutation) error {
	text, err := m.change(s.text)
	if err != nil {
		return err
	}
	other, err := parseSource(s.name, text)
	if err != nil {
		return err
	}
	if len(other.ast.Decls) != len(s.ast.Decls) {
		return errors.New("the mutation adds or takes away a declaration")
	}
	changed := false
	for i, d := range s.ast.Decls {
		mutated := other.ast.Decls[i]
		if s.of(d) == other.of(mutated) {
			continue
		}
		changed = true
		if err := s.addDecl(m.row, d, other, mutated); err != nil {
			return err
		}
	}
	if !changed {
		return errors.New("the mutation changes no declaration")
	}
	return nil
}

// addDecl adds the mutated form of one declaration.
func (s *source) addDecl(row string, d ast.Decl, other *source, mutated ast.Decl) error {
	if f, ok := d.(*ast.FuncDecl); ok {
		g, ok := mutated.(*ast.FuncDecl)
		if !ok || s.header(f) != other.header(g) {
			return errors.New("the mutation changes more of a function than its body")
		}
		if f.Name.Name == "init" {
			return errors.New("init cannot be mutated")
		}
		s.mutated[f] = append(s.mutated[f], row)
		text := other.of(g)
		name := offset(g.Name.Pos()) - offset(g.Pos())
		fmt.Fprintf(&s.appended, "\n%s%s%s\n", text[:name], variant(f, row), text[name+len(g.Name.Name):])
		return nil
	}
	vars, ok := d.(*ast.GenDecl)
	mutatedVars, ok2 := mutated.(*ast.GenDecl)
	if !ok || !ok2 || vars.Tok != token.VAR || len(vars.Specs) != len(mutatedVars.Specs) {
		return errors.New("only functions and the initial values of variables can be chosen when a program starts")
	}
	for i, spec := range vars.Specs {
		v, w := spec.(*ast.ValueSpec), mutatedVars.Specs[i].(*ast.ValueSpec)
		if s.of(v) == other.of(w) {
			continue
		}
		if len(v.Values) != 1 || len(w.Values) != 1 {
			return errors.New("a mutated variable has to have one initial value of its own")
		}
		of := "" // the type, where it is written
		if v.Type != nil {
			of = "[" + s.of(v.Type) + "]"
		}
		s.edits = append(s.edits,
			edit{offset(v.Values[0].Pos()), offset(v.Values[0].Pos()), "choose__" + of + "("},
			edit{offset(v.Values[0].End()), offset(v.Values[0].End()), fmt.Sprintf(", %q, %s)", row, other.of(w.Values[0]))})
	}
	return nil
}

// header returns a function's text up to its body.
func (s *source) header(f *ast.FuncDecl) string {
	return string(s.text[offset(f.Pos()):offset(f.Body.Pos())])
}

// variant names a form of a function: of a row, or "" for the original.
func variant(f *ast.FuncDecl, row string) string {
	return f.Name.Name + "__" + strings.ReplaceAll(row, "-", "_")
}

// combined returns the text with all mutations that were added.
func (s *source) combined() []byte {
	var out bytes.Buffer
	for _, d := range s.ast.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && len(s.mutated[f]) > 0 {
			s.edits = append(s.edits, edit{offset(f.Name.Pos()), offset(f.Name.End()), variant(f, "")})
			s.dispatch(f)
		}
	}
	slices.SortStableFunc(s.edits, func(a, b edit) int { return a.from - b.from })
	at := 0
	for _, e := range s.edits {
		out.Write(s.text[at:e.from])
		out.WriteString(e.by)
		at = e.to
	}
	out.Write(s.text[at:])
	out.Write(s.appended.Bytes())
	return out.Bytes()
}

// dispatch appends the function that calls the chosen form of f.
func (s *source) dispatch(f *ast.FuncDecl) {
	receiver, callee, types, typeArgs, results, call := "", "", "", "", "", "return "
	if f.Recv != nil {
		receiver, callee = "(self__ "+s.of(f.Recv.List[0].Type)+") ", "self__."
	}
	if f.Type.TypeParams != nil {
		types = s.of(f.Type.TypeParams)
		var names []string
		for _, field := range f.Type.TypeParams.List {
			for _, name := range field.Names {
				names = append(names, name.Name)
			}
		}
		typeArgs = "[" + strings.Join(names, ", ") + "]"
	}
	if f.Type.Results == nil {
		call = ""
	} else {
		results = s.of(f.Type.Results)
	}
	var params, args []string
	for _, field := range f.Type.Params.List {
		for range max(1, len(field.Names)) {
			name := fmt.Sprintf("arg%d__", len(params))
			params = append(params, name+" "+s.of(field.Type))
			if _, ok := field.Type.(*ast.Ellipsis); ok {
				name += "..."
			}
			args = append(args, name)
		}
	}
	call += callee + "%s" + typeArgs + "(" + strings.Join(args, ", ") + ")\n"
	out := &s.appended
	fmt.Fprintf(out, "\nfunc %s%s%s(%s) %s {\n\tswitch mutant__ {\n", receiver, f.Name.Name, types, strings.Join(params, ", "), results)
	for _, row := range s.mutated[f] {
		fmt.Fprintf(out, "\tcase %q:\n\t\t"+call, row, variant(f, row))
		if f.Type.Results == nil {
			out.WriteString("\t\treturn\n")
		}
	}
	fmt.Fprintf(out, "\t}\n\t"+call+"}\n", variant(f, ""))
}
