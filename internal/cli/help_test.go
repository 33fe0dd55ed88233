package cli

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every command has a line of help and, below its text, an example that begins
// with its name. `isat arp` has arp(8)'s usage instead.
func TestHelp(t *testing.T) {
	var g grammar
	parser, err := kong.New(&g, kong.Vars(vars()))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if command.Help == "" || !strings.HasSuffix(command.Help, ".") {
			t.Errorf("isat %s: help %q, want a sentence", command.Name, command.Help)
		}
		if command.Name == "arp" {
			continue
		}
		_, example, ok := strings.Cut(command.Detail, "Example")
		if !ok || !strings.Contains(example, "\n    isat "+command.Name) {
			t.Errorf("isat %s --help has no example of it:\n%s", command.Name, command.Detail)
		}
	}
}
