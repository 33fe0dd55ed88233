package ioctlsrv

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// backend is a host without a kernel.
type backend struct{ *host.Host }

func (b backend) Interface(name string) (Interface, bool) {
	ifc, ok := b.Host.Interface(name)
	if !ok {
		return Interface{}, false
	}
	f := ifc.Framing()
	return Interface{name, ifc.Index(), f.HardwareType(), f.AddrLen(), ifc.Mode() != host.Off}, true
}

func (b backend) Connected(ip netip.Addr) (string, bool) {
	ifc, ok := b.Host.Connected(ip)
	if !ok {
		return "", false
	}
	return ifc.Name(), true
}

func (b backend) Set(c host.Change) error { _, err := b.Host.Set(c); return err }

func (b backend) Delete(ifname string, ip netip.Addr, only bool) error {
	if only {
		return b.Host.DeletePublished(ifname, ip)
	}
	return b.Host.Delete(ifname, ip)
}

func (b backend) Unlisted() []host.Entry {
	return slices.DeleteFunc(b.Host.Entries(), func(e host.Entry) bool { return e.Own })
}

var (
	isatMAC = lladdr.MustParse("02:00:00:00:00:01")
	mac9    = lladdr.MustParse("02:00:00:00:00:09")
	ownIP   = netip.MustParseAddr("192.0.2.1")
	ip9     = netip.MustParseAddr("192.0.2.9")
	arcIP   = netip.MustParseAddr("198.51.100.9")
	offIP   = netip.MustParseAddr("203.0.113.9")
	farIP   = netip.MustParseAddr("10.0.0.9")
)

// newBackend returns a host that does not run:
//
//	e0    Ethernet  192.0.2.1/24
//	e1    Ethernet  192.0.2.65/26, inside that of e0
//	arc0  ARCnet    198.51.100.1/24
//	off0  Ethernet  203.0.113.1/24, without ARP
func newBackend(t testing.TB) backend {
	t.Helper()
	h := host.New(host.Config{})
	lan := segment.New(segment.Options{})
	t.Cleanup(func() { lan.Close() })
	for i, c := range []struct {
		name, prefix string
		mac          lladdr.Addr
		framing      link.Framing
		mode         host.Mode
	}{
		{"e0", "192.0.2.1/24", isatMAC, link.Ethernet{}, host.On},
		{"e1", "192.0.2.65/26", lladdr.MustParse("02:00:00:00:00:65"), link.Ethernet{}, host.On},
		{"arc0", "198.51.100.1/24", lladdr.MustParse("01"), link.ARCnet{}, host.On},
		{"off0", "203.0.113.1/24", lladdr.MustParse("02:00:00:00:00:0f"), link.Ethernet{}, host.Off},
	} {
		if _, err := h.Attach(host.InterfaceConfig{
			Name: c.name, Index: i + 1, MAC: c.mac, Port: lan.Port(lladdr.From6([6]byte{2, 0, 0, 0, 1, byte(i)})), Framing: c.framing, Mode: c.mode,
			Addresses: []host.Address{{Prefix: netip.MustParsePrefix(c.prefix)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	return backend{h}
}

// Callers.
var (
	root   = caller{Credentials: httpapi.Credentials{Known: true}}
	nobody = caller{Credentials: httpapi.Credentials{Known: true, UID: 65534, GID: 65534}}
)

// newDecider returns a decider on a host of its own.
func newDecider(t testing.TB) (*decider, backend) {
	t.Helper()
	b := newBackend(t)
	rights := httpapi.Rights{Group: httpapi.NoGroup}
	return &decider{backend: b, rights: func() httpapi.Rights { return rights }}, b
}

// plainOf returns a request of the plain form.
func plainOf(cmd ioctl.Command, ip netip.Addr, change func(*ioctl.ARPReq)) ioctl.Request {
	a := ioctl.ARPReq{Family: ioctl.AFInet, IP: ip, Hardware: 1}
	if cmd == ioctl.SIOCSARP {
		mac9.AppendBytes(a.MAC[:0])
		a.Flags = uint32(ioctl.Permanent | ioctl.Complete)
	}
	if change != nil {
		change(&a)
	}
	return ioctl.Request{Command: cmd, Family: ioctl.AFInet, Arg: a.AppendTo(nil)}
}

// extendedOf returns a request of the extended form.
func extendedOf(cmd ioctl.Command, ip netip.Addr, name string, change func(*ioctl.XARPReq)) ioctl.Request {
	x := ioctl.XARPReq{Family: ioctl.AFInet, IP: ip}
	mac := lladdr.Addr{}
	if cmd == ioctl.SIOCSXARP {
		mac, x.Flags = mac9, ioctl.Permanent
	}
	if err := x.Hardware.Fill(name, mac); err != nil {
		panic(err)
	}
	if change != nil {
		change(&x)
	}
	return ioctl.Request{Command: cmd, Family: ioctl.AFInet, Arg: x.AppendTo(nil)}
}

// ask sends a request as root.
func ask(b *decider, r ioctl.Request) ioctl.Answer {
	return b.answer(root, r.AppendTo(nil), &table{})
}

// must is ask of a request that has to succeed.
func must(t *testing.T, b *decider, r ioctl.Request) []byte {
	t.Helper()
	a := ask(b, r)
	if a.Errno != 0 {
		t.Fatalf("%v: %v", r.Command, a.Errno)
	}
	return a.Arg
}

// getX is SIOCGXARP.
func getX(t *testing.T, b *decider, ip netip.Addr, name string) ioctl.XARPReq {
	t.Helper()
	x, err := ioctl.ParseXARPReq(must(t, b, extendedOf(ioctl.SIOCGXARP, ip, name, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

var quiet = slog.New(slog.DiscardHandler)
