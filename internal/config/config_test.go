package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/lladdr"
)

func TestEmptyFileIsDefault(t *testing.T) {
	c, err := Parse("isat.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), c); diff != "" {
		t.Errorf("(-Default +Parse):\n%s", diff)
	}
}

// A section that only has a name is what a name on the command line gives.
func TestNamedInterfaceIsDefault(t *testing.T) {
	c, err := Parse("isat.toml", []byte("[[interface]]\nname = 'eth0'"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Interface{DefaultInterface("eth0")}
	if diff := cmp.Diff(want, c.Interfaces, cmpopts.IgnoreFields(Interface{}, "Line"), cmpopts.EquateComparable(lladdr.Addr{}, netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-DefaultInterface +Parse):\n%s", diff)
	}
}

func TestMatch(t *testing.T) {
	var c Config
	for _, name := range []string{"eth*", "e*", "eth1", "tap[0-9]"} {
		c.Interfaces = append(c.Interfaces, DefaultInterface(name))
	}
	for ifname, want := range map[string]string{
		"eth1":  "eth1", // the exact name beats a pattern before it
		"eth0":  "eth*", // the first of two patterns
		"enp3":  "e*",
		"tap7":  "tap[0-9]",
		"tap77": "",
		"lo":    "",
		"":      "",
	} {
		got, ok := c.Match(ifname)
		if got.Name != want || ok != (want != "") {
			t.Errorf("Match(%q) = %q, %v, want %q", ifname, got.Name, ok, want)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "isat.toml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of no file: %v, want ErrNotExist", err)
	}
	if err := os.WriteFile(path, []byte("[daemon]\nread = 'all'\nx = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 1 || ps[0].File != path || ps[0].Line != 3 || ps[0].Column != 1 {
		t.Errorf("Load = %v, want one problem in line 3, column 1 of %s", err, path)
	}
}

// Every field makes a difference that Diff says, but for Line: a field that is
// added to a section and forgotten in diff.go fails here.
func TestDiffKnowsEveryField(t *testing.T) {
	tun := DefaultInterface("isat0")
	tun.Datapath = TUN
	base := Config{Daemon: Default().Daemon, Interfaces: []Interface{tun}, Entries: []Entry{{}}, Policies: []Policy{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}, Proxies: []Proxy{{}}}
	for name, section := range map[string]func(*Config) any{
		"Daemon":    func(c *Config) any { return &c.Daemon },
		"Interface": func(c *Config) any { return &c.Interfaces[0] },
		"Entry":     func(c *Config) any { return &c.Entries[0] },
		"Policy":    func(c *Config) any { return &c.Policies[0] },
		"Proxy":     func(c *Config) any { return &c.Proxies[0] },
	} {
		for n := range reflect.TypeOf(section(&base)).Elem().NumField() {
			changed := base
			changed.Interfaces = slices.Clone(base.Interfaces)
			changed.Entries = slices.Clone(base.Entries)
			changed.Policies = slices.Clone(base.Policies)
			changed.Proxies = slices.Clone(base.Proxies)
			v := reflect.ValueOf(section(&changed)).Elem()
			alter(v.Field(n))
			field := v.Type().Field(n).Name
			if got := len(Diff(base, changed)) > 0; got != (field != "Line") {
				t.Errorf("%s.%s: Diff sees a change: %v", name, field, got)
			}
		}
	}
	changed := base
	changed.Sysctl = map[string]int64{"a": 1}
	if got := Diff(base, changed); len(got) != 1 {
		t.Errorf("Sysctl: Diff = %q, want one line", got)
	}
}

// alter gives v another value.
func alter(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]int64{"a": 1}))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct: // the address types: any valid value
		if err := v.Addr().Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte(sample(v))); err != nil {
			panic(err)
		}
	default:
		panic(fmt.Sprintf("%v: how is it altered?", v.Type()))
	}
}

func sample(v reflect.Value) string {
	switch v.Interface().(type) {
	case netip.Addr:
		return "192.0.2.1"
	case netip.Prefix:
		return "192.0.2.0/24"
	}
	return "02:00:00:00:00:01"
}

// Ten thousand entries are read and compared at once, not in quadratic time.
func TestManyEntries(t *testing.T) {
	var b strings.Builder
	const n = 10000
	for i := range n {
		fmt.Fprintf(&b, "[[arp]]\nhost = \"10.0.%d.%d\"\nether = \"02:00:00:00:00:01\"\n", i>>8, i&255)
	}
	c, err := Parse("isat.toml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got := Diff(Default(), c); len(got) != n {
		t.Errorf("Diff has %d lines, want %d", len(got), n)
	}
}
