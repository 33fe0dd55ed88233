package acd

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/dad.md anew")

// dadFile has the tables of this package for readers.
const dadFile = "../docs/dad.md"

// meanings are the states in words; a new one has to be said here too.
var meanings = [numStates]string{
	None:       "there is no such address",
	Probing:    "asked for on the link, or waiting for a link to ask on; neither answered for nor a sender",
	Announcing: "in use; the first announcements are going out",
	Verified:   "in use, and watched",
	Defending:  "in use; claimed by somebody else less than conflict_window ago",
	Reprobing:  "in use; announced and probed beside it, because the link came back",
	Duplicate:  "somebody else's; withdrawn",
	Recovering: "a duplicate that is probed again, in silence",
	Inquiring:  "not ours: somebody wants to know whether it is free",
	Exempt:     "in use, without probing, announcing and watching",
}

func yes(b bool) string {
	if b {
		return "conflict"
	}
	return "-"
}

// tables are the parts of the file that are written, by the names of their marks.
func tables() map[string]string {
	var v, s, tr strings.Builder
	v.WriteString("| verdict | heard | while probing | in use | source |\n| --- | --- | --- | --- | --- |\n")
	for _, i := range []Verdict{Elsewhere, Nameless, Reflection, Claim, RivalProbe, Question, Stale, ThirdParty, Unrelated} {
		row := verdicts[i]
		fmt.Fprintf(&v, "| %s | %s | %s | %s | %s |\n", row.name, row.heard, yes(row.probing), yes(row.used), row.source)
	}
	s.WriteString("| state | means |\n| --- | --- |\n")
	for i, text := range meanings {
		fmt.Fprintf(&s, "| %v | %s |\n", State(i), text)
	}
	tr.WriteString("| state | cause | next | actions | source |\n| --- | --- | --- | --- | --- |\n")
	for _, row := range Transitions() {
		from, actions, reports := list(row.From), make([]string, 0, len(row.Actions)), row.Reports
		if len(row.From) == int(numStates) {
			from = "any"
		}
		for _, a := range row.Actions {
			name := a.String()
			if a == Report {
				name, reports = fmt.Sprintf("report `%v`", reports[0]), reports[1:]
			}
			actions = append(actions, name)
		}
		if len(actions) == 0 {
			actions = []string{"-"}
		}
		fmt.Fprintf(&tr, "| %s | %v | %v | %s | %s |\n", from, row.Cause, row.To, strings.Join(actions, ", "), row.Source)
	}
	return map[string]string{"verdicts": v.String(), "states": s.String(), "transitions": tr.String()}
}

func list(states []State) string {
	var names []string
	for _, s := range states {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

func TestDadFile(t *testing.T) {
	file, err := os.ReadFile(dadFile)
	if err != nil {
		t.Fatal(err)
	}
	want := string(file)
	for name, table := range tables() {
		head, rest, ok := strings.Cut(want, "<!-- "+name+" -->\n")
		_, tail, ok2 := strings.Cut(rest, "<!-- end -->\n")
		if !ok || !ok2 {
			t.Fatalf("docs/dad.md has no marks of the %s", name)
		}
		want = head + "<!-- " + name + " -->\n" + table + "<!-- end -->\n" + tail
	}
	if *update {
		if err := os.WriteFile(dadFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(file)); diff != "" {
		t.Errorf("docs/dad.md is not the package; go test ./acd -update (-package +file):\n%s", diff)
	}
}

// TestMeanings: every state is told in words.
func TestMeanings(t *testing.T) {
	for s, text := range meanings {
		if text == "" {
			t.Errorf("%v has no words", State(s))
		}
	}
}
