package getopt

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	grammar := Grammar{Short: "andfsSi:", Long: []string{"libxo:", "help"}}
	for _, test := range []struct {
		mode  Mode
		args  string // words
		want  string // options, '|', operands, '|', error
		about string
	}{
		{POSIX, "", "||", ""},
		{POSIX, "-a", "a||", ""},
		{POSIX, "-ani eth0", "a n i=eth0||", "combined, the argument apart"},
		{POSIX, "-anieth0", "a n i=eth0||", "combined, the argument at once"},
		{POSIX, "-i -n", "i=-n||", "an argument may look like an option"},
		{POSIX, "-i=eth0", "i==eth0||", "short options know no '='"},
		{POSIX, "host -n", "|host -n|", "POSIX: the first operand ends the options"},
		{GNU, "host -n", "n|host|", ""},
		{GNU, "-s host -i eth0 mac", "s i=eth0|host mac|", ""},
		{GNU, "a -- -n b", "|a -n b|", ""},
		{POSIX, "-n -- -a", "n|-a|", ""},
		{POSIX, "-", "|-|", "standard input"},
		{GNU, "- -a", "a|-|", ""},
		{POSIX, "--libxo json -a", "libxo=json a||", ""},
		{POSIX, "--libxo=json,pretty", "libxo=json,pretty||", ""},
		{POSIX, "--libxo=", "libxo=||", ""},
		{POSIX, "--help", "help||", ""},
		{POSIX, "--help=1", "||option doesn't take an argument -- help", ""},
		{POSIX, "--libxo", "||option requires an argument -- libxo", ""},
		{POSIX, "--lib json", "||unrecognized option -- lib", "no abbreviations"},
		{POSIX, "-n -x", "n||illegal option -- x", ""},
		{POSIX, "-:", "||illegal option -- :", ""},
		{POSIX, "-ax", "a||illegal option -- x", ""},
		{POSIX, "-i", "||option requires an argument -- i", ""},
		{POSIX, "-a -ni", "a n||option requires an argument -- i", ""},
	} {
		grammar.Mode = test.mode
		options, operands, err := grammar.Parse(strings.Fields(test.args))
		words := make([]string, len(options))
		for i, o := range options {
			words[i] = o.Name
			if o.Value != "" || o.Name == "libxo" {
				words[i] += "=" + o.Value
			}
		}
		got := strings.Join(words, " ") + "|" + strings.Join(operands, " ") + "|"
		if err != nil {
			got += fmt.Sprint(err)
		}
		if got != test.want {
			t.Errorf("mode %d %q: %s, want %s (%s)", test.mode, test.args, got, test.want, test.about)
		}
	}
}

// Nothing comes out that did not go in, whatever the line, and nothing panics.
func FuzzParse(f *testing.F) {
	f.Add("-ani eth0 host", true)
	f.Add("--libxo=json -- -a", false)
	f.Fuzz(func(t *testing.T, line string, gnu bool) {
		g := Grammar{Short: "andfsSi:", Long: []string{"libxo:", "help"}}
		if gnu {
			g.Mode = GNU
		}
		args := strings.Fields(line)
		options, operands, err := g.Parse(args)
		if err != nil {
			return
		}
		letters := 0
		for _, o := range options {
			letters += len(strings.TrimSuffix(o.Name, "libxo")) + len(o.Value)
		}
		for _, o := range operands {
			letters += len(o)
		}
		if letters > len(line) {
			t.Errorf("%q: %v %q are more than there was", line, options, operands)
		}
		if len(operands) > len(args) {
			t.Errorf("%q: %d operands of %d words", line, len(operands), len(args))
		}
	})
}
