package ioctlsrv

import (
	"strings"
	"testing"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
)

// TestSetFlags has what the flags of SET make of an entry, and what GET tells of
// it (facts/solaris-arp-ipmp.md 1.5, 2.2, 2.3).
func TestSetFlags(t *testing.T) {
	const always = ioctl.InUse | ioctl.Complete
	tests := []struct {
		name      string
		set       ioctl.Flags
		get       ioctl.Flags
		permanent bool
		publish   host.Publish
	}{
		{"none", 0, always, false, host.Unpublished},
		{"ATF_PERM", ioctl.Permanent, always | ioctl.Permanent, true, host.Unpublished},
		{"ATF_PUBL", ioctl.Published, always | ioctl.Published, false, host.Published},
		{"ATF_PUBL and ATF_PERM", ioctl.Published | ioctl.Permanent, always | ioctl.Published | ioctl.Permanent, true, host.Published},
		{"ATF_AUTHORITY", ioctl.Authority, always | ioctl.Authority | ioctl.Permanent, true, host.Unpublished},
		{"ATF_COM and ATF_INUSE", ioctl.Complete | ioctl.InUse, always, false, host.Unpublished},
		{"ATF_USETRAILERS", ioctl.UseTrailers, always, false, host.Unpublished},
		{"Linux' ATF_DONTPUB is nothing here", 0x40, always, false, host.Unpublished},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, h := newDecider(t)
			must(t, b, extendedOf(ioctl.SIOCSXARP, ip9, "", flags(tt.set)))
			e := h.Entry(ip9)
			if len(e) != 1 || e[0].Expires.IsZero() != tt.permanent || e[0].Publish != tt.publish || e[0].MAC != mac9 {
				t.Errorf("the entries are %+v", e)
			}
			if x := getX(t, b, ip9, ""); x.Flags != tt.get {
				t.Errorf("GET has flags %#x, want %#x", x.Flags, tt.get)
			}
			// Linux' programs get no 0x20, which is ATF_NETMASK there.
			a, err := ioctl.ParseARPReq(must(t, b, plainOf(ioctl.SIOCGARP, ip9, nil)))
			if err != nil || a.Flags != uint32(tt.get&^ioctl.Authority) {
				t.Errorf("plain GET has flags %#x, want %#x, %v", a.Flags, tt.get&^ioctl.Authority, err)
			}
		})
	}
}

func TestGet(t *testing.T) {
	b, h := newDecider(t)
	must(t, b, extendedOf(ioctl.SIOCSXARP, ip9, "e0", nil))
	x := getX(t, b, ip9, "")
	name, _ := x.Hardware.Name()
	mac, _ := x.Hardware.Addr()
	if x.Family != ioctl.AFInet || x.IP != ip9 || name != "e0" || mac != mac9 || x.Hardware.Family != ioctl.AFLink ||
		x.Hardware.Type != ioctl.Ethernet || x.Hardware.Index != 1 || x.Hardware.SelLen != 0 {
		t.Errorf("GET is %+v, %q at %v", x, name, mac)
	}
	a, _ := ioctl.ParseARPReq(must(t, b, plainOf(ioctl.SIOCGARP, ip9, nil)))
	if name, _ := a.Name(); name != "e0" || a.Hardware != 1 || [6]byte(a.MAC[:]) != [6]byte{2, 0, 0, 0, 0, 9} || a.IP != ip9 {
		t.Errorf("plain GET is %+v", a)
	}

	// Own addresses are ours, permanent and answered for.
	own := getX(t, b, ownIP, "")
	if mac, _ := own.Hardware.Addr(); own.Flags != ioctl.InUse|ioctl.Complete|ioctl.Permanent|ioctl.Published|ioctl.Authority || mac != isatMAC {
		t.Errorf("the own address has %#x, %v", own.Flags, mac)
	}

	// One that is asked for has no link-layer address yet.
	e0, _ := h.Host.Interface("e0")
	asked := ip9.Next()
	e0.Demand([]host.Miss{{IP: asked}})
	if e := h.Entry(asked); len(e) != 1 || e[0].State != cache.Incomplete {
		t.Fatalf("the entries are %+v", e)
	}
	if x := getX(t, b, asked, ""); x.Flags != ioctl.InUse || x.Hardware.AddrLen != 0 {
		t.Errorf("an incomplete entry has %#x, %d bytes", x.Flags, x.Hardware.AddrLen)
	}
}

func TestARCnet(t *testing.T) {
	b, _ := newDecider(t)
	must(t, b, extendedOf(ioctl.SIOCSXARP, arcIP, "", func(x *ioctl.XARPReq) { x.Hardware.Fill("", lladdr.MustParse("0a")) }))
	x := getX(t, b, arcIP, "arc0")
	if mac, _ := x.Hardware.Addr(); mac != lladdr.MustParse("0a") || x.Hardware.Type != ioctl.ARCnet {
		t.Errorf("GET is %v of type %#x", mac, x.Hardware.Type)
	}
	must(t, b, plainOf(ioctl.SIOCDARP, arcIP, nil)) // exempt from the length
}

// An entry is one, however often it is set, and never EEXIST.
func TestOverwrite(t *testing.T) {
	b, h := newDecider(t)
	other := lladdr.MustParse("02:00:00:00:00:0a")
	must(t, b, extendedOf(ioctl.SIOCSXARP, ip9, "", flags(ioctl.Published|ioctl.Permanent)))
	must(t, b, extendedOf(ioctl.SIOCSXARP, ip9, "", func(x *ioctl.XARPReq) { x.Hardware.Fill("", other); x.Flags = 0 }))
	if e := h.Entry(ip9); len(e) != 1 || e[0].MAC != other || e[0].Publish != host.Unpublished || e[0].Expires.IsZero() {
		t.Errorf("the entries are %+v", e)
	}
}

// Without a name every interface's entry of the address is meant; with one, its.
func TestAllInterfaces(t *testing.T) {
	b, h := newDecider(t)
	ip := ownIP
	for range 70 { // 192.0.2.71 is in the networks of both
		ip = ip.Next()
	}
	old, new := lladdr.MustParse("02:00:00:00:00:71"), lladdr.MustParse("02:00:00:00:00:72")
	set := func(name string, mac lladdr.Addr) {
		t.Helper()
		must(t, b, extendedOf(ioctl.SIOCSXARP, ip, name, func(x *ioctl.XARPReq) { x.Hardware.Fill(name, mac) }))
	}
	macs := func() string {
		var all []string
		for _, e := range h.Entry(ip) {
			all = append(all, e.Interface+" "+e.MAC.String()[15:])
		}
		return strings.Join(all, ", ")
	}
	set("", old)
	if got := macs(); got != "e1 71" {
		t.Errorf("by the longest prefix: %s", got)
	}
	set("e0", old)
	set("", new)
	if got := macs(); got != "e0 72, e1 72" {
		t.Errorf("without a name: %s", got)
	}
	set("e0", old)
	if got := macs(); got != "e0 71, e1 72" {
		t.Errorf("with a name: %s", got)
	}
	e0, _ := h.Host.Interface("e0")
	e0.SetMode(host.Off)
	set("", new)
	if got := macs(); got != "e0 71, e1 72" {
		t.Errorf("without a name, e0 does no ARP: %s", got)
	}
	must(t, b, plainOf(ioctl.SIOCDARP, ip, nil))
	if got := macs(); got != "e0 71" {
		t.Errorf("deleted without a name, e0 does no ARP: %s", got)
	}
	e0.SetMode(host.On)
	set("e1", new)
	must(t, b, extendedOf(ioctl.SIOCDXARP, ip, "e0", nil))
	if got := macs(); got != "e1 72" {
		t.Errorf("deleted with a name: %s", got)
	}
	set("e0", old)
	must(t, b, plainOf(ioctl.SIOCDARP, ip, nil))
	if got := macs(); got != "" {
		t.Errorf("deleted without a name: %s", got)
	}
}

// DELETE with ATF_PUBL is of published entries only.
func TestDeletePublished(t *testing.T) {
	b, h := newDecider(t)
	pub := plainOf(ioctl.SIOCDARP, ip9, linuxFlags(uint32(ioctl.Published)))
	must(t, b, plainOf(ioctl.SIOCSARP, ip9, nil))
	if a := ask(b, pub); a.Errno == 0 || len(h.Entry(ip9)) != 1 {
		t.Errorf("an ordinary entry: %v", a.Errno)
	}
	must(t, b, plainOf(ioctl.SIOCSARP, ip9, linuxFlags(uint32(ioctl.Published))))
	must(t, b, pub)
	if _, err := h.Host.Set(host.Change{Interface: "e0", IP: ip9, Origin: host.Administrator, Publish: host.PublishedOnly}); err != nil {
		t.Fatal(err)
	}
	if x := getX(t, b, ip9, ""); x.Flags&ioctl.Published == 0 {
		t.Errorf("a published-only entry has %#x", x.Flags)
	}
	must(t, b, pub)
	if e := h.Entry(ip9); len(e) != 0 {
		t.Errorf("left: %+v", e)
	}
}

// listing is a backend with a long table.
type listing struct {
	backend
	entries []host.Entry
}

func (l listing) Unlisted() []host.Entry { return l.entries }

// TestTable reads a table of more than one page.
func TestTable(t *testing.T) {
	b, h := newDecider(t)
	ip := ownIP
	l := listing{backend: h}
	for range 1000 {
		ip = ip.Next()
		l.entries = append(l.entries, host.Entry{Interface: "e0", Type: "ethernet", IP: ip, MAC: mac9, State: cache.Permanent})
	}
	l.entries = append(l.entries,
		host.Entry{Interface: "arc0", Type: "arcnet", IP: arcIP, MAC: lladdr.MustParse("0a"), State: cache.Permanent, Publish: host.Published},
		host.Entry{Interface: "e0", Type: "ethernet", IP: farIP, State: cache.Incomplete, Expires: time.Now()})
	b.backend = l
	var conn table
	for range 2 { // it begins again
		var text strings.Builder
		pages := 0
		for ; ; pages++ {
			a := b.answer(nobody, ioctl.Request{Command: ioctl.Table}.AppendTo(nil), &conn)
			if a.Errno != 0 || len(a.Arg) > ioctl.MaxAnswer-ioctl.AnswerHeaderLen {
				t.Fatalf("%v, %d bytes", a.Errno, len(a.Arg))
			}
			if len(a.Arg) == 0 {
				break
			}
			text.Write(a.Arg)
		}
		if got := strings.Count(text.String(), "\n"); got != len(l.entries) || pages < 2 {
			t.Errorf("%d lines in %d pages, want %d", got, pages, len(l.entries))
		}
		for _, line := range []string{
			"192.0.2.9        0x1         0x6         02:00:00:00:00:09     *        e0\n",
			"198.51.100.9     0x7         0xe         0a                    *        arc0\n",
			"10.0.0.9         0x1         0x0         00:00:00:00:00:00     *        e0\n",
		} {
			if !strings.Contains(text.String(), line) {
				t.Errorf("no line %q", line)
			}
		}
	}
	elsewhere := caller{Credentials: root.Credentials, elsewhere: true}
	if a := b.answer(elsewhere, ioctl.Request{Command: ioctl.Table}.AppendTo(nil), &conn); a.Errno != 0 || len(a.Arg) != 0 {
		t.Errorf("in another namespace: %v, %d bytes", a.Errno, len(a.Arg))
	}
}
