package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/isat-project/isat/event"
)

// This file is about what the manual of the whole program promises and this
// version does not do yet. Such a key is read like any other, so that its form
// is known to be right, and then refused unless it has its default value:
// nobody shall believe in a protection that is not there.

// toCome is a key together with whether the file asks for more than there is.
type toCome struct {
	key   string
	asked bool
}

func interfaceToCome(i Interface) []toCome {
	return []toCome{
		{"verify-moves", i.VerifyMoves},
		{"accel", i.Accel != AccelNone},
	}
}

// CheckNode returns why a value that the MIB takes does nothing here, with
// EOPNOTSUPP.
func CheckNode(name string, v int64) error {
	if name == "net.link.ether.inet.useloopback" && v == 0 {
		return fmt.Errorf("setting %s to 0: Linux routes own addresses through lo before isat sees a packet: %w", name, syscall.EOPNOTSUPP)
	}
	return nil
}

// refuse notes a problem for each key of t that asks for what is to come.
func (r *reader) refuse(t *table, keys []toCome) {
	for _, k := range keys {
		if k.asked {
			t.problem(k.key, "%s is not supported by this version", show(t.values[k.key]))
		}
	}
}

func show(value any) string {
	if s, ok := value.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(value)
}

// refuseSection notes that a section as a whole is to come.
func (r *reader) refuseSection(t *table) {
	r.problem(t.place, fmt.Sprintf("[[%s]] is not supported by this version", t.name))
}

func (r *reader) group(t *table) Group {
	g := defaultGroup()
	g.Line = t.at("name").line
	t.need("name", "interfaces", "addresses")
	if text(t, "name", "an interface", &g.Name, parseIfname) {
		r.once(t.at("name"), "interface", g.Name)
	}
	set(t, "interfaces", "an interface", &g.Interfaces, parseIfname)
	set(t, "standby", "an interface", &g.Standby, parseIfname)
	set(t, "addresses", "an address with its network's length", &g.Addresses, parseHostPrefix)
	t.duration("failure-detection-time", &g.FailureDetection)
	t.bool("failback", &g.Failback)
	t.bool("transitive-probing", &g.TransitiveProbing)
	t.bool("return-addresses", &g.ReturnAddresses)
	set(t, "targets", "an IPv4 address", &g.Targets, parseHost)
	for _, name := range g.Interfaces {
		r.once(t.at("interfaces"), "group member", name)
	}
	for _, name := range g.Standby {
		r.once(t.at("standby"), "group member", name)
	}
	r.own(t, "addresses", g.Addresses)
	t.section("test-addresses", func(sub *table) { r.testAddresses(sub, &g) })
	r.refuseSection(t)
	return g
}

func (r *reader) testAddresses(t *table, g *Group) {
	g.TestAddresses = make(map[string]netip.Addr)
	for _, name := range append(g.Interfaces[:len(g.Interfaces):len(g.Interfaces)], g.Standby...) {
		var a netip.Addr
		if text(t, name, "an IPv4 address", &a, parseHost) {
			r.once(t.at(name), "address", a.String())
			g.TestAddresses[name] = a
		}
	}
}

func (r *reader) hook(t *table) Hook {
	h := Hook{Line: t.place.line}
	t.need("events")
	set(t, "events", "an event", &h.Events, func(s string) (string, error) {
		var e event.Type
		return s, e.UnmarshalText([]byte(s))
	})
	if list(t, "exec", "a program or an argument", &h.Exec, func(s string) (string, error) { return s, nil }) {
		if len(h.Exec) == 0 || !strings.HasPrefix(h.Exec[0], "/") {
			t.problem("exec", "want the absolute path of a program first")
		}
	}
	text(t, "webhook", "a URL", &h.Webhook, func(s string) (string, error) {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return "", fmt.Errorf("%q: want a URL that begins with https:// or http://", s)
		}
		return s, nil
	})
	t.oneOf("exec", "webhook")
	r.refuseSection(t)
	return h
}
