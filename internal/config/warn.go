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
	warn := ps.noter(file)
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
	}
	ps = append(ps, c.Ineffective(file)...)
	ps.sort()
	return ps
}

// Ineffective returns what c, a valid configuration from the named file, says
// without effect, whichever interfaces the host has.
func (c Config) Ineffective(file string) Problems {
	var ps Problems
	warn := ps.noter(file)
	for _, i := range c.Interfaces {
		if !i.DAD && i.Down != DownAddress {
			warn(i.Line, "down = %q has no effect on %s, which has dad = false", i.Down, i.Name)
		}
		if !i.DAD && i.Reprobe != ReprobeAnnounce {
			warn(i.Line, "reprobe = %q has no effect on %s, which has dad = false", i.Reprobe, i.Name)
		}
	}
	if !slices.ContainsFunc(c.Interfaces, Interface.watches) {
		for _, p := range c.Policies {
			warn(p.Line, "no [[interface]] watches its own addresses (dad = true); the policy waits until `isat take` takes another over")
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

// watches reports whether a policy can be about own addresses of i.
func (i Interface) watches() bool { return i.DAD && i.ARP != Off && i.Datapath != Observe }

// noter returns a function that notes a doubt.
func (ps *Problems) noter(file string) func(line int, format string, args ...any) {
	return func(line int, format string, args ...any) {
		*ps = append(*ps, Problem{File: file, Line: line, Column: 1, Text: fmt.Sprintf(format, args...)})
	}
}
