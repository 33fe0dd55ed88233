package config

import (
	"fmt"
	"path"
	"slices"
)

// Warnings returns what is doubtful in c, a valid configuration from the named
// file, on a host with the interfaces present: none of it keeps the daemon from
// starting. An interface that is absent is waited for.
func (c Config) Warnings(file string, present []string) Problems {
	var ps Problems
	warn := func(line int, format string, args ...any) {
		ps = append(ps, Problem{File: file, Line: line, Column: 1, Text: fmt.Sprintf(format, args...)})
	}
	for _, i := range c.Interfaces {
		switch {
		case i.Datapath == TUN: // the daemon makes it
		case i.IsPattern():
			matches := func(name string) bool { ok, _ := path.Match(i.Name, name); return ok }
			if !slices.ContainsFunc(present, matches) {
				warn(i.Line, "no interface matches %s now; isat will wait for one", i.Name)
			}
		case !slices.Contains(present, i.Name):
			warn(i.Line, "interface %s does not exist now; isat will wait for it", i.Name)
		}
		if !i.DAD && i.Down != DownAddress {
			warn(i.Line, "down = %q has no effect on %s, which has dad = false", i.Down, i.Name)
		}
		if !i.DAD && i.Reprobe != ReprobeAnnounce {
			warn(i.Line, "reprobe = %q has no effect on %s, which has dad = false", i.Reprobe, i.Name)
		}
	}
	for _, e := range c.Entries {
		if _, ok := c.Match(e.Interface); e.Interface != "" && !ok {
			warn(e.Line, "no [[interface]] is about %s; the entry waits until `isat take` takes it over", e.Interface)
		}
	}
	for _, p := range c.Proxies {
		i, ok := c.Match(p.Interface)
		switch {
		case !ok:
			warn(p.Line, "no [[interface]] is about %s; the rule waits until `isat take` takes it over", p.Interface)
		case i.Datapath == Observe:
			warn(p.Line, "%s is only observed, so the rule answers nobody", p.Interface)
		}
	}
	ps.sort()
	return ps
}
