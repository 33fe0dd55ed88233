//go:build linux

package guard_test

import (
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

// nft runs nft(8) in a namespace and returns what it printed.
func nft(t *testing.T, ns *testns.NS, arguments ...string) (string, error) {
	t.Helper()
	program := testns.Program(t, "nft")
	var out []byte
	err := ns.Do(func() (err error) {
		out, err = exec.Command(program, arguments...).CombinedOutput()
		return err
	})
	return string(out), err
}

// ruleset returns the rules without what differs from run to run.
func ruleset(t *testing.T, ns *testns.NS) string {
	t.Helper()
	out, err := nft(t, ns, "list", "ruleset")
	if err != nil {
		t.Fatalf("nft list ruleset: %v\n%s", err, out)
	}
	return normalize(out)
}

// normalize takes out of nft's output what differs from run to run.
func normalize(out string) string {
	out = regexp.MustCompile(` expires \w+`).ReplaceAllString(out, "")
	return regexp.MustCompile(`# progname .*`).ReplaceAllString(out, "# progname ...")
}

const guardedRuleset = `table arp isat { # progname ...
	flags owner

	set guarded {
		type ifname
		timeout 3s
		elements = { "e0" }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		iifname @guarded counter packets 0 bytes 0 drop
	}

	chain output {
		type filter hook output priority filter; policy accept;
		oifname @guarded counter packets 0 bytes 0 drop
	}
}
`

func TestRulesetAsNftShowsIt(t *testing.T) {
	ns := testns.New(t)
	g := open(t, ns)
	refresh(t, g, "e0")
	if diff := cmp.Diff(guardedRuleset, ruleset(t, ns)); diff != "" {
		t.Errorf("nft list ruleset (-want +got):\n%s", diff)
	}
	g.Close()
	if got := ruleset(t, ns); got != "" {
		t.Errorf("after Close there is\n%s", got)
	}
}

// Root can neither flush nor change a table that another process owns.
func TestOthersCannotTouchTheTable(t *testing.T) {
	ns := testns.New(t)
	g := open(t, ns)
	refresh(t, g, "e0")
	if out, err := nft(t, ns, "flush", "ruleset"); err != nil {
		t.Errorf("nft flush ruleset: %v\n%s", err, out)
	}
	for _, command := range []string{
		"delete table arp isat",
		"flush table arp isat",
		"flush set arp isat guarded",
		"delete chain arp isat input",
		"add rule arp isat input accept",
		"add table arp isat { flags dormant; }",
	} {
		out, err := nft(t, ns, strings.Fields(command)...)
		if err == nil || !strings.Contains(out, "Operation not permitted") {
			t.Errorf("nft %s: %v\n%s", command, err, out)
		}
	}
	refresh(t, g, "e0")
	if diff := cmp.Diff(guardedRuleset, ruleset(t, ns)); diff != "" {
		t.Errorf("nft list ruleset (-want +got):\n%s", diff)
	}
}

func TestOpenBesideATableWithoutOwner(t *testing.T) {
	ns := testns.New(t)
	if out, err := nft(t, ns, "add", "table", "arp", "isat"); err != nil {
		t.Fatalf("nft add table: %v\n%s", err, out)
	}
	var taken *guard.TakenError
	err := ns.Do(func() error {
		_, err := guard.Open()
		return err
	})
	if !errors.As(err, &taken) || taken.Port != 0 {
		t.Fatalf("Open: %v, want a TakenError without owner", err)
	}
	remedy := "nft delete table arp isat"
	if !strings.Contains(err.Error(), remedy) {
		t.Errorf("the error %q does not name the remedy %q", err, remedy)
	}
	if out, err := nft(t, ns, strings.Fields(remedy)[1:]...); err != nil {
		t.Fatalf("%s: %v\n%s", remedy, err, out)
	}
	open(t, ns)
}
