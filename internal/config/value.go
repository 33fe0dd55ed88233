package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/isat-project/isat/lladdr"
)

// maxIfname is the most bytes in the name of a Linux interface (IFNAMSIZ in
// linux/if.h counts the final zero too).
const maxIfname = 15

// maxSocket is the most bytes in the path of a Unix socket (unix(7): sun_path
// has 108 with the final zero).
const maxSocket = 107

func parsePath(s string) (string, error) {
	if !path.IsAbs(s) || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("%q: want an absolute path", s)
	}
	return path.Clean(s), nil
}

func parseSocket(s string) (string, error) {
	if len(s) > maxSocket {
		return "", fmt.Errorf("%q: longer than the %d bytes that a socket's path may have", s, maxSocket)
	}
	return parsePath(s)
}

// parseIfname accepts what dev_valid_name in the kernel's net/core/dev.c does.
func parseIfname(s string) (string, error) {
	if s == "" || len(s) > maxIfname || s == "." || s == ".." {
		return "", fmt.Errorf("%q: an interface's name has 1 to %d bytes", s, maxIfname)
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c == '/' || c == ':' || unicode.IsSpace(c) || c == 0 }) {
		return "", fmt.Errorf("%q: an interface's name has no '/', ':' or blank", s)
	}
	if isPattern(s) {
		return "", fmt.Errorf("%q: want the name of one interface, not a pattern", s)
	}
	return s, nil
}

func parsePattern(s string) (string, error) {
	if !isPattern(s) {
		return parseIfname(s)
	}
	if _, err := path.Match(s, ""); err != nil {
		return "", fmt.Errorf("%q: not a pattern: a bracket is not closed or '\\' ends it", s)
	}
	return s, nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return netip.Addr{}, fmt.Errorf("%q: want an IPv4 address such as 192.0.2.1", s)
	}
	return a, nil
}

// parseHost accepts the addresses that one host can have.
func parseHost(s string) (netip.Addr, error) {
	a, err := parseAddr(s)
	if err != nil {
		return a, err
	}
	return a, checkHost(a)
}

// broadcast is the limited broadcast address (RFC 919 section 7).
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func checkHost(a netip.Addr) error {
	switch {
	case a.IsUnspecified():
		return fmt.Errorf("%v is no host's address", a)
	case a.IsLoopback():
		return fmt.Errorf("%v is a loopback address", a)
	case a.IsMulticast():
		return fmt.Errorf("%v is a multicast address", a)
	case a == broadcast:
		return fmt.Errorf("%v is the broadcast address", a)
	}
	return nil
}

// parseNetwork accepts a network: no bit is set beyond the length.
func parseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q: want an IPv4 network such as 192.0.2.0/24", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; the network is %v", s, p.Masked())
	}
	return p, nil
}

// parseHostsNetwork accepts a network that has addresses of hosts.
func parseHostsNetwork(s string) (netip.Prefix, error) {
	p, err := parseNetwork(s)
	if err != nil {
		return p, err
	}
	first := p.Addr()
	single := p.IsSingleIP() && (first.IsUnspecified() || first == broadcast)
	if first.IsLoopback() || first.IsMulticast() || single {
		return p, fmt.Errorf("no host has an address of %v", p)
	}
	return p, nil
}

// parseHostPrefix accepts a host's address with the length of its network.
func parseHostPrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q: want an IPv4 address with its network's length such as 192.0.2.1/24", s)
	}
	return p, checkHost(p.Addr())
}

// parseMAC accepts the addresses that one station can have on some medium; what
// else has to be right is for the medium of the interface to say.
func parseMAC(s string) (lladdr.Addr, error) {
	a, err := lladdr.Parse(s)
	switch {
	case err != nil:
		return lladdr.Addr{}, err
	case a.IsBroadcast():
		return lladdr.Addr{}, fmt.Errorf("%v is the broadcast address", a)
	case a.IsZero():
		return lladdr.Addr{}, fmt.Errorf("%v is no station's address", a)
	}
	return a, nil
}

// parseMACOrAuto takes "auto" for the zero address.
func parseMACOrAuto(s string) (lladdr.Addr, error) {
	if s == "auto" {
		return lladdr.Addr{}, nil
	}
	return parseMAC(s)
}

// parseListen accepts host:port, or nothing.
func parseListen(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q: want host:port such as localhost:9100", s)
	}
	return s, nil
}

// parsePort accepts where a TUN host's frames go.
func parsePort(s string) (string, error) {
	kind, what, _ := strings.Cut(s, ":")
	var err error
	switch kind {
	case "packet", "tap":
		_, err = parseIfname(what)
	case "cable":
		_, err = parseSocket(what)
	default:
		err = fmt.Errorf("%q: want packet:IFNAME, tap:IFNAME or cable:PATH", s)
	}
	return s, err
}

func parseNotEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("empty")
	}
	return s, nil
}
