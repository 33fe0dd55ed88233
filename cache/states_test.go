package cache

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/states.md anew")

// statesFile is the table of the machine for readers.
const statesFile = "../docs/states.md"

const statesHead = `# The states of an ARP entry

Package ` + "`cache`" + ` has this table as data; ` + "`go test ./cache -update`" + ` writes this file from it, and
` + "`go test ./cache`" + ` fails if the two differ. A cause without a row in a state changes nothing there.
A source is a section of FreeBSD's rules (arp(4) and if_ether.c, as the comments in the code
cite them), RFC 826, or "isat" where the rule is our own.

| state | means |
| --- | --- |
| none | there is no entry |
| incomplete | no link-layer address yet; one request a second while there is demand |
| reachable | validated less than max_age ago |
| verify | usable, but max_age is near: asked for again if it is in use |
| down | maxtries requests had no answer, or nobody may ask; demand is an error, and still makes a request a second |
| permanent | set by the administrator; nothing on the wire changes it |

| state | cause | next | actions | source |
| --- | --- | --- | --- | --- |
`

func statesText() string {
	var b strings.Builder
	b.WriteString(statesHead)
	for _, row := range Transitions() {
		var actions []string
		for _, a := range row.Actions {
			if a == Report {
				actions = append(actions, fmt.Sprintf("report `%v`", row.Report))
			} else {
				actions = append(actions, a.String())
			}
		}
		if len(actions) == 0 {
			actions = []string{"-"}
		}
		fmt.Fprintf(&b, "| %v | %v | %v | %s | %s |\n", row.From, row.Cause, row.To, strings.Join(actions, ", "), row.Source)
	}
	return b.String()
}

func TestStatesFile(t *testing.T) {
	want := statesText()
	if *update {
		if err := os.WriteFile(statesFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(statesFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/states.md is not the machine; go test ./cache -update (-machine +file):\n%s", diff)
	}
}
