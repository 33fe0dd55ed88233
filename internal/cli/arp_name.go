package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// reverseTime is how long the names of a whole listing may take; then it goes on
// with "?". A dead resolver shall not hang the table of those who look for the
// reason.
const reverseTime = 3 * time.Second

// reverseNames looks names of addresses up for a listing.
type reverseNames struct {
	resolver resolver
	off      bool // -n, a temporary failure of the resolver, or too late
	deadline time.Time
}

// of returns the name of ip, "?" if it is not known. A temporary failure ends
// looking up for the rest of the run, as FreeBSD's arp(8) does.
func (r *reverseNames) of(ctx context.Context, ip netip.Addr) string {
	const unknown = "?"
	if r.off {
		return unknown
	}
	if r.deadline.IsZero() {
		r.deadline = time.Now().Add(reverseTime)
	}
	ctx, cancel := context.WithDeadline(ctx, r.deadline)
	defer cancel()
	names, err := r.resolver.LookupAddr(ctx, ip.String())
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsNotFound:
		return unknown
	case err != nil:
		r.off = true
		return unknown
	case len(names) == 0:
		return unknown
	}
	return strings.TrimSuffix(names[0], ".")
}

// address returns the IPv4 address of host, an address or a name. The words of
// the errors are those of hstrerror(3).
func (t *arpTool) address(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if !ip.Is4() {
			return netip.Addr{}, fmt.Errorf("%s: not an IPv4 address", host)
		}
		return ip, nil
	}
	ips, err := t.resolver.LookupIP(ctx, "ip4", host)
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && !failure.IsNotFound:
		return netip.Addr{}, fmt.Errorf("%s: Host name lookup failure", host)
	case err != nil || len(ips) == 0:
		return netip.Addr{}, fmt.Errorf("%s: Unknown host", host)
	}
	ip, ok := netip.AddrFromSlice(ips[0].To4())
	if !ok {
		return netip.Addr{}, fmt.Errorf("%s: Unknown host", host)
	}
	return ip, nil
}
