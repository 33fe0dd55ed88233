package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/isat-project/isat/lladdr"
)

// Diff says in words what replacing old by new changes, one change a line, in
// the order of the sections. It is empty if nothing changes. Both must come from
// [Parse] without an error, or from [Default].
func Diff(old, new Config) []string {
	var lines []string
	was, is := old.parts(), new.parts()
	before, after := byName(was), byName(is)
	for _, p := range was {
		if n, ok := after[p.name]; ok {
			lines = append(lines, p.diff(n)...)
		} else {
			lines = append(lines, p.name+": removed")
		}
	}
	for _, p := range is {
		if _, ok := before[p.name]; !ok {
			lines = append(lines, p.name+": added")
		}
	}
	return lines
}

// part is one section of a configuration as words.
type part struct {
	name     string // unique in its configuration: "interface eth0"
	settings []setting
	note     string // appended to every change
}

type setting struct{ key, value string }

func byName(parts []part) map[string]part {
	m := make(map[string]part, len(parts))
	for _, p := range parts {
		m[p.name] = p
	}
	return m
}

// value returns the value of key in p, "default" if it has none.
func (p part) value(key string) string {
	for _, s := range p.settings {
		if s.key == key {
			return s.value
		}
	}
	return "default"
}

func (p part) diff(new part) []string {
	var lines []string
	for _, key := range p.keys(new) {
		if was, is := p.value(key), new.value(key); was != is {
			lines = append(lines, fmt.Sprintf("%s: %s: %s -> %s%s", p.name, key, was, is, p.note))
		}
	}
	return lines
}

// keys returns the keys of p, and those that only new has after them.
func (p part) keys(new part) []string {
	var keys []string
	for _, s := range slices.Concat(p.settings, new.settings) {
		if !slices.Contains(keys, s.key) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// parts returns the sections of c. The order of patterns is one of them, because
// the first that matches counts, and so is that of [[dad]].
func (c Config) parts() []part {
	parts := []part{
		{name: "daemon", settings: c.Daemon.settings(), note: " (at the next start)"},
		{name: "sysctl", settings: nodes("", c.Sysctl)},
	}
	var patterns []string
	for _, i := range c.Interfaces {
		parts = append(parts, part{name: "interface " + i.Name, settings: i.settings()})
		if i.IsPattern() {
			patterns = append(patterns, i.Name)
		}
	}
	if len(patterns) > 1 {
		parts = append(parts, part{name: "patterns", settings: []setting{{"order", strings.Join(patterns, " ")}}})
	}
	for _, e := range c.Entries {
		parts = append(parts, part{name: "arp " + e.name(), settings: e.settings()})
	}
	var policies []string
	for _, p := range c.Policies {
		parts = append(parts, part{name: "dad " + p.name(), settings: p.settings()})
		policies = append(policies, p.name())
	}
	if len(policies) > 1 {
		parts = append(parts, part{name: "dad", settings: []setting{{"order", strings.Join(policies, ", ")}}})
	}
	for _, p := range c.Proxies {
		parts = append(parts, part{name: "proxy " + p.name(), settings: p.settings()})
	}
	return parts
}

func (d Daemon) settings() []setting {
	return []setting{
		{"socket", d.Socket},
		{"read", string(d.Read)},
		{"socket-group", d.SocketGroup},
		{"runtime-dir", d.RuntimeDir},
		{"state-dir", d.StateDir},
		{"http", orNone(d.HTTP)},
	}
}

func (i Interface) settings() []setting {
	s := []setting{
		{"datapath", string(i.Datapath)},
		{"arp", string(i.ARP)},
		{"dad", fmt.Sprint(i.DAD)},
		{"down", string(i.Down)},
		{"reprobe", string(i.Reprobe)},
		{"verify-moves", fmt.Sprint(i.VerifyMoves)},
		{"accel", orNone(string(i.Accel))},
	}
	if i.Datapath == TUN {
		s = append(s,
			setting{"port", i.Port},
			setting{"medium", string(i.Medium)},
			setting{"mac", orNone(i.MAC.String())},
			setting{"mtu", fmt.Sprint(i.MTU)},
			setting{"addresses", strings.Trim(fmt.Sprint(i.Addresses), "[]")},
			setting{"gateway", gateway(i.Gateway)},
		)
	}
	return append(s, nodes("sysctl ", i.Sysctl)...)
}

// name is what tells the entry from others: host, interface, and whether it is
// published only, since such a one may be beside an ordinary one.
func (e Entry) name() string {
	name := e.Host.String()
	if e.Interface != "" {
		name += " on " + e.Interface
	}
	if e.Pub == PubOnly {
		name += ", published only"
	}
	return name
}

// name is what tells the rule from others: prefix and interface.
func (p Proxy) name() string { return p.Prefix.String() + " on " + p.Interface }

func (p Proxy) settings() []setting {
	return []setting{{"ether", orAuto(p.Ether)}, {"deny-from", orNone(strings.Trim(fmt.Sprint(p.DenyFrom), "[]"))}}
}

func (e Entry) settings() []setting {
	return []setting{
		{"ether", orAuto(e.Ether)},
		{"temp", fmt.Sprint(e.Temp)},
		{"pub", orNone(string(e.Pub))},
		{"action", orNone(string(e.Action))},
	}
}

// nodes returns values of the MIB in the order of the names.
func nodes(prefix string, values map[string]int64) []setting {
	var s []setting
	for _, name := range slices.Sorted(maps.Keys(values)) {
		s = append(s, setting{prefix + name, fmt.Sprint(values[name])})
	}
	return s
}

func gateway(a netip.Addr) string {
	if !a.IsValid() {
		return orNone("")
	}
	return a.String()
}

func orAuto(a lladdr.Addr) string {
	if !a.IsValid() {
		return "auto"
	}
	return a.String()
}

func orDefault(s string) string {
	if s == "" {
		return "default"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
