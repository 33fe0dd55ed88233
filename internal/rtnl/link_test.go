//go:build linux

package rtnl_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
)

// index returns the index of a link in the namespace of the test.
func index(t *testing.T, name string) int {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return i.Index
}

func TestLink(t *testing.T) {
	e0 := enter(t)
	ip(t, "link", "add", "br0", "type", "bridge")
	ip(t, "link", "set", "e1", "master", "br0", "arp", "off")
	c := dial(t)
	type about struct {
		Name, MAC, Broadcast, OperState, Kind, MasterKind string
		Type                                              arp.HardwareType
		Master, Lower, MTU                                int
		Up, Carrier, NoARP, Loopback, CanBroadcast, IPv4  bool
	}
	got := map[int]about{}
	links, err := c.Links()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		one, err := c.Link(l.Index)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(l, one, values); d != "" {
			t.Errorf("asked for alone link %d differs:\n%s", l.Index, d)
		}
		got[l.Index] = about{l.Name, l.MAC.String(), l.Broadcast.String(), l.OperState.String(), l.Kind, l.MasterKind, l.Type, l.Master, l.LowerIndex, l.MTU,
			l.Up(), l.Carrier, l.Flags&rtnl.LinkNoARP != 0, l.Flags&rtnl.LinkLoopback != 0, l.Flags&rtnl.LinkBroadcast != 0, l.IPv4 != nil}
	}
	want := map[int]about{}
	for _, o := range ipJSON(t, "link", "show") {
		text := func(o object, key string) string { s, _ := o[key].(string); return s }
		number := func(key string) int { n, _ := o[key].(float64); return int(n) }
		linkinfo, _ := o["linkinfo"].(map[string]any)
		flags := map[string]bool{}
		for _, f := range o["flags"].([]any) {
			flags[f.(string)] = true
		}
		a := about{
			text(o, "ifname"), text(o, "address"), text(o, "broadcast"), text(o, "operstate"), text(linkinfo, "info_kind"), text(linkinfo, "info_slave_kind"),
			arp.Ethernet, 0, 0, number("mtu"),
			flags["UP"] && flags["LOWER_UP"], flags["LOWER_UP"], flags["NOARP"], flags["LOOPBACK"], flags["BROADCAST"], true,
		}
		if text(o, "link_type") == "loopback" {
			a.Type = syscall.ARPHRD_LOOPBACK
		}
		if m := text(o, "master"); m != "" {
			a.Master = index(t, m)
		}
		if l := text(o, "link"); l != "" {
			a.Lower = index(t, l)
		}
		want[number("ifindex")] = a
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("against ip(8) (-want +got):\n%s", d)
	}
	if got[e0].Name != "e0" || got[e0].Lower != index(t, "e1") || got[index(t, "e1")].MasterKind != "bridge" {
		t.Errorf("the test does not see what it made: %+v", got)
	}
}

func TestAlternativeName(t *testing.T) {
	e0 := enter(t)
	const long = "a-name-that-is-longer-than-an-interface-may-have"
	ip(t, "link", "property", "add", "dev", "e0", "altname", long)
	c := dial(t)
	for _, name := range []string{"e0", long} {
		if l, err := c.LinkByName(name); err != nil || l.Index != e0 {
			t.Errorf("LinkByName(%q) = %+v, %v", name, l, err)
		}
	}
}

func TestMakeLinks(t *testing.T) {
	testns.Enter(t)
	other := testns.New(t)
	c := dial(t)
	if err := c.AddLink("bridge", rtnl.LinkSpec{Name: "br0", Up: new(true)}); err != nil {
		t.Fatal(err)
	}
	br0, err := c.LinkByName("br0")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddVeth(
		rtnl.LinkSpec{Name: "v0", MAC: mac(e0MAC), Master: &br0.Index, Up: new(true)},
		rtnl.LinkSpec{Name: "v1", MAC: mac(e1MAC), MTU: 1400, NoARP: new(true), NetNS: other.FD()},
	); err != nil {
		t.Fatal(err)
	}
	o := ipJSON(t, "link", "show", "v0")[0]
	if o["master"] != "br0" || o["address"] != e0MAC || o["link_index"] == nil || !strings.Contains(fmt.Sprint(o["flags"]), "UP") {
		t.Errorf("v0 is %v", o)
	}
	if err := other.Do(func() error {
		o := ipJSON(t, "link", "show", "v1")[0]
		if o["address"] != e1MAC || o["mtu"] != 1400.0 || !strings.Contains(fmt.Sprint(o["flags"]), "NOARP") {
			t.Errorf("v1 is %v", o)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if l, err := c.LinkByName("v0"); err != nil || !l.LowerNetNS {
		t.Errorf("v0 has its peer in another namespace: %+v, %v", l, err)
	}
	for name, err := range map[string]error{
		"a second time":     c.AddLink("bridge", rtnl.LinkSpec{Name: "br0"}),
		"an unknown kind":   c.AddLink("nonsense", rtnl.LinkSpec{Name: "x0"}),
		"master of a peer":  c.AddVeth(rtnl.LinkSpec{Name: "x1"}, rtnl.LinkSpec{Name: "x2", Master: &br0.Index}),
		"a peer that is up": c.AddVeth(rtnl.LinkSpec{Name: "x1"}, rtnl.LinkSpec{Name: "x2", Up: new(true)}),
	} {
		want := map[string]error{"a second time": syscall.EEXIST, "an unknown kind": syscall.EOPNOTSUPP, "master of a peer": syscall.EINVAL, "a peer that is up": syscall.EINVAL}[name]
		if !errors.Is(err, want) {
			t.Errorf("making a link, %s: %v, want %v", name, err, want)
		}
	}
	if err := c.DeleteLink(index(t, "v0")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LinkByName("v0"); !errors.Is(err, syscall.ENODEV) || !rtnl.IsNotExist(err) {
		t.Errorf("deleted: %v", err)
	}
}

func TestSetLink(t *testing.T) {
	e0 := enter(t)
	other := testns.New(t)
	ip(t, "link", "add", "br0", "type", "bridge")
	br0 := index(t, "br0")
	c := dial(t)
	if err := c.SetLink(e0, rtnl.LinkSpec{Up: new(false)}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLink(e0, rtnl.LinkSpec{Name: "new0", MAC: mac("02:00:00:00:00:77"), MTU: 1300, NoARP: new(true), Up: new(true), Master: &br0}); err != nil {
		t.Fatal(err)
	}
	l, err := c.Link(e0)
	if err != nil || l.Name != "new0" || l.MAC != mac("02:00:00:00:00:77") || l.MTU != 1300 || l.Master != br0 || l.Flags&rtnl.LinkUp == 0 || l.Flags&rtnl.LinkNoARP == 0 {
		t.Errorf("after the change %+v, %v", l, err)
	}
	if err := c.SetLink(e0, rtnl.LinkSpec{Name: "e0", NoARP: new(false), Master: new(0)}); err != nil {
		t.Fatal(err)
	}
	l, err = c.Link(e0)
	if err != nil || l.Master != 0 || l.Flags&rtnl.LinkNoARP != 0 || l.MTU != 1300 || l.Flags&rtnl.LinkUp == 0 {
		t.Errorf("after the second change %+v, %v", l, err)
	}
	if err := c.SetLink(index(t, "e1"), rtnl.LinkSpec{NetNS: other.FD(), Name: "moved"}); err != nil {
		t.Fatal(err)
	}
	if err := other.Do(func() error { ip(t, "link", "show", "moved"); return nil }); err != nil {
		t.Fatal(err)
	}
	err = c.SetLink(e0, rtnl.LinkSpec{MTU: 1})
	var refused *rtnl.Error
	if !errors.As(err, &refused) || refused.Errno != syscall.EINVAL || !strings.Contains(err.Error(), "mtu less than device minimum") {
		t.Errorf("an MTU of 1: %v, want EINVAL and the kernel's words", err)
	}
}
