package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/mib"
)

// Load reads the file at path. The error is a [Problems] if the file could be
// read, else it wraps that of the system.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, text)
}

// Parse reads the configuration in text; file is its name in messages. The error
// is a [Problems] with everything that is wrong, or with the first error of
// syntax alone. A Config that comes with an error is not to be used.
func Parse(file string, text []byte) (Config, error) {
	r := &reader{file: file, mib: mib.New(), claims: make(map[claim]*place)}
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		r.syntax(err)
		return Config{}, r.problems
	}
	root := &table{reader: r, values: values, place: survey(text)}
	c := r.config(root)
	r.check(c)
	if len(r.problems) > 0 {
		r.problems.sort()
		return Config{}, r.problems
	}
	return c, nil
}

// reader reads one file.
type reader struct {
	file     string
	mib      *mib.Tree // a scratch tree that knows which values may be set
	claims   map[claim]*place
	problems Problems
}

// claim is something that may stand in a file only once.
type claim struct {
	kind  string // "interface"
	value string // "eth0"
}

func (r *reader) problem(at *place, text string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: at.line, Column: at.column, Text: text})
}

// syntax notes the error of toml.Unmarshal.
func (r *reader) syntax(err error) {
	at := &place{line: 1, column: 1}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		at.line, at.column = d.Position()
	}
	r.problem(at, err.Error())
}

// once notes a problem if value was claimed before as the same kind of thing.
func (r *reader) once(at *place, kind, value string) {
	c := claim{kind, value}
	if first := r.claims[c]; first != nil {
		r.problem(at, fmt.Sprintf("%s %s is here a second time, the first is in line %d", kind, value, first.line))
		return
	}
	r.claims[c] = at
}

func (r *reader) config(root *table) Config {
	c := Default()
	root.section("daemon", func(t *table) { daemon(t, &c.Daemon) })
	root.sysctl("sysctl", &c.Sysctl, func(name string, v int64) error { return r.node(name, "", v) })
	root.sections("interface", func(t *table) { c.Interfaces = append(c.Interfaces, r.iface(t)) })
	root.sections("arp", func(t *table) { c.Entries = append(c.Entries, r.entry(t)) })
	root.sections("dad", func(t *table) { c.Policies = append(c.Policies, r.policy(t)) })
	root.sections("proxy", func(t *table) { c.Proxies = append(c.Proxies, r.proxy(t)) })
	root.sections("ipmp", func(t *table) { c.Groups = append(c.Groups, r.group(t)) })
	root.sections("hook", func(t *table) { c.Hooks = append(c.Hooks, r.hook(t)) })
	root.end()
	return c
}

func daemon(t *table, d *Daemon) {
	text(t, "socket", "a path", &d.Socket, parseSocket)
	choice(t, "read", &d.Read, ReadAll, ReadGroup)
	text(t, "socket-group", "the name of a group", &d.SocketGroup, parseNotEmpty)
	t.file("runtime-dir", &d.RuntimeDir)
	t.file("state-dir", &d.StateDir)
	text(t, "http", "host:port", &d.HTTP, parseListen)
}

func (r *reader) iface(t *table) Interface {
	i := DefaultInterface("")
	t.need("name")
	if text(t, "name", "an interface", &i.Name, parsePattern) {
		r.once(t.at("name"), "interface", i.Name)
	}
	i.Line = t.at("name").line
	choice(t, "datapath", &i.Datapath, Kernel, TUN, Observe)
	choice(t, "arp", &i.ARP, On, Static, Off)
	t.bool("dad", &i.DAD)
	choice(t, "down", &i.Down, DownAddress, DownInterface)
	choice(t, "reprobe", &i.Reprobe, ReprobeAnnounce, ReprobeStrict)
	t.bool("verify-moves", &i.VerifyMoves)
	choice(t, "accel", &i.Accel, AccelNone, AccelXDP)
	t.sysctl("sysctl", &i.Sysctl, func(name string, v int64) error { return r.node(name, i.Name, v) })
	r.tun(t, &i)
	r.refuse(t, interfaceToCome(i))
	return i
}

// node checks the value of a node of the MIB.
func (r *reader) node(name, ifname string, v int64) error {
	if err := CheckNode(name, v); err != nil {
		return err
	}
	return r.mib.Set(name, ifname, v)
}

// tunKeys are the keys of [[interface]] for datapath = "tun" only.
var tunKeys = []string{"port", "medium", "mac", "mtu", "addresses", "gateway"}

func (r *reader) tun(t *table, i *Interface) {
	text(t, "port", "packet:IFNAME, tap:IFNAME or cable:PATH", &i.Port, parsePort)
	choice(t, "medium", &i.Medium, Ethernet, TokenRing, ARCnet)
	t.mac("mac", &i.MAC)
	t.int("mtu", &i.MTU, 68, 65535) // RFC 791 section 3.1: any link carries 68 bytes
	set(t, "addresses", "an address with its network's length", &i.Addresses, parseHostPrefix)
	text(t, "gateway", "an IPv4 address", &i.Gateway, parseHost)
	if i.Datapath == TUN {
		t.need("port", "addresses")
		if i.IsPattern() {
			t.problem("name", `a TUN device is made, so it needs a name, not a pattern`)
		}
		switch medium := i.Medium.Framing(); {
		case !i.MAC.IsValid():
		case i.MAC.Len() != medium.AddrLen():
			t.problem("mac", "%v: %s addresses have %d bytes", i.MAC, i.Medium, medium.AddrLen())
		case medium.IsGroup(i.MAC):
			t.problem("mac", "%v is a multicast address", i.MAC)
		}
		kind, _, _ := strings.Cut(i.Port, ":")
		switch {
		case i.Port == "":
		case kind != "cable" && i.Medium != Ethernet:
			t.problem("medium", "%s runs over cable: only; interfaces of Linux are %s", i.Medium, Ethernet)
		case kind != "packet" && !i.MAC.IsValid():
			t.problem("port", "%s has no address of its own: mac is missing", i.Port)
		}
		r.gateway(t, i)
		r.own(t, "addresses", i.Addresses)
		return
	}
	for _, key := range tunKeys {
		if t.has(key) {
			t.problem(key, `only with datapath = "tun"`)
		}
	}
}

// gateway notes a problem unless the gateway is another host in a network of the
// addresses: nobody else can be asked for its link-layer address.
func (r *reader) gateway(t *table, i *Interface) {
	if !i.Gateway.IsValid() || len(i.Addresses) == 0 {
		return
	}
	in := func(p netip.Prefix) bool { return p.Contains(i.Gateway) && p.Addr() != i.Gateway }
	if !slices.ContainsFunc(i.Addresses, in) {
		t.problem("gateway", "%v is no other host of a network in addresses", i.Gateway)
	}
}

// own claims own addresses, which are listed under key.
func (r *reader) own(t *table, key string, list []netip.Prefix) {
	for _, p := range list {
		r.once(t.at(key), "address", p.Addr().String())
	}
}

func (r *reader) entry(t *table) Entry {
	e := Entry{Line: t.at("host").line}
	t.need("host", "ether")
	hostOK := text(t, "host", "an IPv4 address", &e.Host, parseHost)
	auto := false
	text(t, "ether", "a link-layer address", &e.Ether, func(s string) (lladdr.Addr, error) {
		auto = s == "auto"
		return parseMACOrAuto(s)
	})
	text(t, "interface", "an interface", &e.Interface, parseIfname)
	t.bool("temp", &e.Temp)
	publish(t, "pub", &e.Pub)
	choice(t, "action", &e.Action, Forward, Reject, Blackhole)
	if auto && e.Pub == PubNo {
		t.problem("ether", `"auto" only with pub`)
	}
	if hostOK {
		r.once(t.at("host"), "host", e.name())
	}
	return e
}

func (r *reader) proxy(t *table) Proxy {
	p := Proxy{Line: t.at("prefix").line}
	t.need("prefix", "interface")
	prefixOK := text(t, "prefix", "a network", &p.Prefix, parseHostsNetwork)
	ifOK := text(t, "interface", "an interface", &p.Interface, parseIfname)
	text(t, "ether", "a link-layer address", &p.Ether, parseMACOrAuto)
	set(t, "deny-from", "a network", &p.DenyFrom, parseNetwork)
	if prefixOK && ifOK {
		r.once(t.at("prefix"), "proxy prefix", p.name())
	}
	return p
}

// publish stores false, true or "only".
func publish(t *table, key string, dst *Publish) {
	t.known = append(t.known, key)
	switch v := t.values[key].(type) {
	case nil: // absent
	case bool:
		if v {
			*dst = PubYes
		}
	case string:
		if v != string(PubOnly) {
			t.problem(key, `%q: want true, false or "only"`, v)
		}
		*dst = PubOnly
	default:
		t.problem(key, `want true, false or "only", not %s`, typeName(v))
	}
}
