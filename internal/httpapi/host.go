package httpapi

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// checkHost refuses requests that came here by a name of somebody else's: a web
// page whose name was made to point to this address (DNS rebinding) would be
// allowed by the browser to read the answer. Nobody can do that with a literal
// address, with localhost, or with the host the configuration names.
func checkHost(requested, configured string) error {
	name := requested
	if h, _, err := net.SplitHostPort(requested); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	if name != "" && (strings.EqualFold(name, "localhost") || strings.EqualFold(name, configured)) {
		return nil
	}
	return fmt.Errorf("a request for host %q, which is not an address, localhost or the configured name: %w", requested, syscall.EPERM)
}
