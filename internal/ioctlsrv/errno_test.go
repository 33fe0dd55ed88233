package ioctlsrv

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
)

// Short forms of what cases change.
func nlen(n uint8) func(*ioctl.XARPReq)       { return func(x *ioctl.XARPReq) { x.Hardware.NameLen = n } }
func alen(n uint8) func(*ioctl.XARPReq)       { return func(x *ioctl.XARPReq) { x.Hardware.AddrLen = n } }
func family(n uint16) func(*ioctl.XARPReq)    { return func(x *ioctl.XARPReq) { x.Hardware.Family = n } }
func dev(name string) func(*ioctl.ARPReq)     { return func(a *ioctl.ARPReq) { _ = a.SetName(name) } }
func linuxFlags(f uint32) func(*ioctl.ARPReq) { return func(a *ioctl.ARPReq) { a.Flags = f } }
func hardware(n uint16) func(*ioctl.ARPReq)   { return func(a *ioctl.ARPReq) { a.Hardware = n } }
func sendInet6(r ioctl.Request) ioctl.Request { r.Family = 10; return r }
func short(r ioctl.Request) ioctl.Request     { r.Arg = r.Arg[:len(r.Arg)-1]; return r }
func only(cmd ioctl.Command) ioctl.Request    { return ioctl.Request{Command: cmd, Family: ioctl.AFInet} }
func noFamily(x *ioctl.XARPReq)               { x.Family = 0 }
func noPlainFamily(a *ioctl.ARPReq)           { a.Family = ioctl.AFUnspec }
func endless(a *ioctl.ARPReq)                 { a.Dev = [16]byte([]byte("0123456789abcdef")) }
func mac(m lladdr.Addr) func(*ioctl.ARPReq) {
	return func(a *ioctl.ARPReq) { m.AppendBytes(a.MAC[:0]) }
}
func flags(f ioctl.Flags) func(*ioctl.XARPReq) { return func(x *ioctl.XARPReq) { x.Flags = f } }

// TestErrno has every errno of facts/solaris-arp-ipmp.md 1.7 that needs no IPMP,
// and the rows 6, 12 and 15 of 2.5, each on a table with an entry of ip9 on e0.
func TestErrno(t *testing.T) {
	const s, g, d, sx, gx, dx = ioctl.SIOCSARP, ioctl.SIOCGARP, ioctl.SIOCDARP, ioctl.SIOCSXARP, ioctl.SIOCGXARP, ioctl.SIOCDXARP
	none := ip9.Next()
	tests := []struct {
		name string
		who  caller
		r    ioctl.Request
		want syscall.Errno
	}{
		// EPERM, before the argument is looked at.
		{"unprivileged SET", nobody, plainOf(s, ip9, nil), syscall.EPERM},
		{"unprivileged SET, extended", nobody, extendedOf(sx, ip9, "", nil), syscall.EPERM},
		{"unprivileged DELETE", nobody, plainOf(d, ip9, nil), syscall.EPERM},
		{"unprivileged DELETE, extended", nobody, extendedOf(dx, ip9, "", nil), syscall.EPERM},
		{"unprivileged SET with a bad argument", nobody, short(plainOf(s, ip9, nil)), syscall.EPERM},
		{"unprivileged SET on AF_INET6", nobody, sendInet6(plainOf(s, ip9, nil)), syscall.EPERM},
		{"unprivileged GET", nobody, plainOf(g, ip9, nil), 0},
		{"unprivileged GET, extended", nobody, extendedOf(gx, ip9, "", nil), 0},
		{"privilege of nobody", nobody, only(s), syscall.EPERM},
		{"privilege of root", root, only(s), 0},
		{"privilege to GET of nobody", nobody, only(gx), 0},
		{"caller whom nobody knows", caller{}, plainOf(d, ip9, nil), syscall.EPERM},

		// ENXIO: the socket, the families.
		{"GET on AF_INET6", root, sendInet6(plainOf(g, ip9, nil)), syscall.ENXIO},
		{"SET on AF_INET6, extended", root, sendInet6(extendedOf(sx, ip9, "", nlen(32))), syscall.ENXIO},
		{"xarp_pa not AF_INET", root, extendedOf(gx, ip9, "", noFamily), syscall.ENXIO},
		{"arp_pa not AF_INET", root, plainOf(g, ip9, noPlainFamily), syscall.ENXIO},
		{"xarp_ha AF_LINK", root, extendedOf(gx, ip9, "", family(25)), 0},
		{"xarp_ha zero", root, extendedOf(gx, ip9, "", family(0)), 0},
		{"xarp_ha AF_INET", root, extendedOf(gx, ip9, "", family(2)), syscall.ENXIO},
		{"xarp_ha AF_INET and a name too long", root, extendedOf(gx, ip9, "", func(x *ioctl.XARPReq) { x.Hardware.Family, x.Hardware.NameLen = 2, 32 }), syscall.ENXIO},
		{"another namespace", caller{Credentials: root.Credentials, elsewhere: true}, plainOf(g, ip9, nil), syscall.ENXIO},
		{"unprivileged SET in another namespace", caller{Credentials: nobody.Credentials, elsewhere: true}, plainOf(s, ip9, nil), syscall.ENXIO},
		{"privilege in another namespace", caller{Credentials: root.Credentials, elsewhere: true}, only(s), syscall.ENXIO},

		// EINVAL: names and lengths.
		{"nlen 31", root, extendedOf(gx, ip9, "", nlen(31)), syscall.ENXIO}, // a name that nobody has
		{"nlen 32", root, extendedOf(gx, ip9, "", nlen(32)), syscall.EINVAL},
		{"nlen 255", root, extendedOf(dx, ip9, "", nlen(255)), syscall.EINVAL},
		{"arp_dev without an end", root, plainOf(g, ip9, endless), syscall.EINVAL},
		{"alen 0", root, extendedOf(sx, ip9, "", alen(0)), syscall.EINVAL},
		{"alen 5", root, extendedOf(sx, ip9, "", alen(5)), syscall.EINVAL},
		{"alen 255", root, extendedOf(sx, ip9, "e0", alen(255)), syscall.EINVAL},
		{"alen 6 on ARCnet", root, extendedOf(sx, arcIP, "", nil), syscall.EINVAL},
		{"alen of GET", root, extendedOf(gx, ip9, "", alen(200)), 0},
		{"alen of DELETE", root, extendedOf(dx, ip9, "", alen(200)), 0},
		{"plain SET on ARCnet", root, plainOf(s, arcIP, nil), syscall.EINVAL},
		{"plain GET on ARCnet", root, plainOf(g, arcIP, nil), syscall.EINVAL},
		{"plain DELETE on ARCnet", root, plainOf(d, arcIP, nil), syscall.ENXIO}, // exempt: no entry
		{"part of a struct", root, short(plainOf(g, ip9, nil)), syscall.EINVAL},
		{"arp_ha AF_UNSPEC", root, plainOf(s, ip9, hardware(0)), 0},
		{"arp_ha of another medium", root, plainOf(s, ip9, hardware(7)), syscall.EINVAL},
		{"ATF_NETMASK", root, plainOf(s, ip9, linuxFlags(0x2c)), syscall.EINVAL},
		{"ATF_DONTPUB alone", root, plainOf(s, ip9, linuxFlags(0x44)), syscall.EINVAL},
		{"broadcast address", root, plainOf(s, netip.MustParseAddr("192.0.2.255"), nil), syscall.EINVAL},
		{"multicast link-layer address", root, plainOf(s, ip9, mac(lladdr.MustParse("01:00:5e:00:00:01"))), syscall.EINVAL},

		// ENXIO: interfaces and entries.
		{"no entry, GET", root, plainOf(g, none, nil), syscall.ENXIO},
		{"no entry, GET extended", root, extendedOf(gx, none, "", nil), syscall.ENXIO},
		{"no entry, DELETE", root, plainOf(d, none, nil), syscall.ENXIO},
		{"no entry, DELETE extended", root, extendedOf(dx, none, "", nil), syscall.ENXIO},
		{"entry of another interface", root, extendedOf(gx, ip9, "e1", nil), syscall.ENXIO},
		{"no interface for the address", root, plainOf(s, farIP, nil), syscall.ENXIO},
		{"no interface for the address, extended", root, extendedOf(sx, farIP, "", nil), syscall.ENXIO},
		{"named interface without its network", root, extendedOf(sx, farIP, "e0", nil), syscall.ENXIO},
		{"unknown name", root, extendedOf(sx, ip9, "bge0", nil), syscall.ENXIO},
		{"unknown name, plain", root, plainOf(g, ip9, dev("bge0")), syscall.ENXIO},
		{"logical name", root, extendedOf(sx, ip9, "e0:1", nil), syscall.ENXIO},
		{"interface without ARP", root, extendedOf(gx, offIP, "", nil), syscall.ENXIO},
		{"interface without ARP, named", root, extendedOf(sx, ip9, "off0", nil), syscall.ENXIO},

		// ENOTSUP: own addresses.
		{"SET of an own address", root, plainOf(s, ownIP, nil), syscall.ENOTSUP},
		{"SET of an own address, extended", root, extendedOf(sx, ownIP, "", nil), syscall.ENOTSUP},
		{"SET of an own address, extended and named", root, extendedOf(sx, ownIP, "e0", nil), syscall.ENOTSUP},
		{"SET of an own address with a wrong length", root, extendedOf(sx, ownIP, "", alen(5)), syscall.EINVAL}, // 2.1: step 5 before step 8
		{"SET of an own address on another interface", root, extendedOf(sx, ownIP, "e1", nil), syscall.ENXIO},
		{"DELETE of an own address", root, extendedOf(dx, ownIP, "", nil), syscall.ENOTSUP},
		{"DELETE of an own address, plain", root, plainOf(d, ownIP, nil), syscall.ENOTSUP},
		{"GET of an own address", root, extendedOf(gx, ownIP, "", nil), 0},

		// Whose the interface is: whoever asks, and with an entry or without.
		{"isat's", nobody, plainOf(ioctl.Whose, ip9, nil), 0},
		{"isat's, no entry", nobody, plainOf(ioctl.Whose, none, nil), 0},
		{"isat's, named", nobody, plainOf(ioctl.Whose, ip9, dev("e1")), 0},
		{"isat's, ARCnet", root, plainOf(ioctl.Whose, arcIP, nil), 0},
		{"not isat's", nobody, plainOf(ioctl.Whose, farIP, nil), syscall.ENXIO},
		{"not isat's, named", root, plainOf(ioctl.Whose, ip9, dev("bge0")), syscall.ENXIO},
		{"not isat's: without ARP", nobody, plainOf(ioctl.Whose, offIP, nil), syscall.ENXIO},
		{"nobody's, part of a struct", nobody, short(plainOf(ioctl.Whose, ip9, nil)), syscall.EINVAL},

		{"SET", root, plainOf(s, none, nil), 0},
		{"SET again", root, plainOf(s, ip9, nil), 0},
		{"SET with a name", root, plainOf(s, none, dev("e0")), 0},
		{"DELETE", root, plainOf(d, ip9, nil), 0},
		{"unknown ioctl", root, only(0x8956), syscall.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, h := newDecider(t)
			must(t, b, extendedOf(sx, ip9, "e0", nil))
			before := len(h.Entries())
			a := b.answer(tt.who, tt.r.AppendTo(nil), &table{})
			if a.Errno != tt.want {
				t.Fatalf("errno %d (%v), want %d (%v)", a.Errno, a.Errno, tt.want, tt.want)
			}
			if tt.want != 0 && len(h.Entries()) != before {
				t.Error("the table changed")
			}
			if size, _ := tt.r.Command.Size(); tt.want == 0 && tt.r.Command.Operation() == ioctl.Get && len(tt.r.Arg) != 0 && len(a.Arg) != size {
				t.Errorf("a struct of %d bytes, want %d", len(a.Arg), size)
			}
		})
	}
}

// failing is a backend without room.
type failing struct {
	backend
	err error
}

func (f failing) Set(host.Change) error { return f.err }

func TestNoMemory(t *testing.T) {
	b, h := newDecider(t)
	b.backend = failing{h, syscall.ENOBUFS}
	if a := ask(b, plainOf(ioctl.SIOCSARP, ip9, nil)); a.Errno != syscall.ENOMEM {
		t.Errorf("%v, want ENOMEM", a.Errno)
	}
}

// With read = "group" reading is not for everybody.
func TestReadGroup(t *testing.T) {
	b, _ := newDecider(t)
	b.rights = func() httpapi.Rights { return httpapi.Rights{Group: 100, GroupReads: true, Owner: 7} }
	for name, tt := range map[string]struct {
		who       caller
		get, pose syscall.Errno
	}{
		"nobody": {nobody, syscall.EPERM, syscall.EPERM},
		"member": {caller{Credentials: httpapi.Credentials{Known: true, UID: 1000, Groups: []uint32{100}}}, 0, syscall.EPERM},
		"owner":  {caller{Credentials: httpapi.Credentials{Known: true, UID: 7}}, 0, 0},
	} {
		for cmd, want := range map[ioctl.Command]syscall.Errno{
			ioctl.SIOCGARP: tt.get, ioctl.SIOCGXARP: tt.get, ioctl.Table: tt.get, ioctl.Whose: tt.get, ioctl.SIOCSARP: tt.pose, ioctl.SIOCDXARP: tt.pose,
		} {
			if a := b.answer(tt.who, only(cmd).AppendTo(nil), &table{}); a.Errno != want {
				t.Errorf("%v of %s: %v, want %v", cmd, name, a.Errno, want)
			}
		}
	}
}
