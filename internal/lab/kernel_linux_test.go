package lab

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/isat-project/isat/internal/lab/lan"
	"github.com/isat-project/isat/lladdr"
)

// plainKernel is the Linux kernel's own ARP in the daemon's place: a referee for
// the lab. Scenarios of what RFC 826 asks of every host must pass with it, and
// those of what only isat does must fail.
type plainKernel struct {
	host *lan.Host
}

func newPlainKernel(host *lan.Host, _ *logBook) (daemon, error) { return &plainKernel{host}, nil }

func (k *plainKernel) Signal(syscall.Signal) error            { return nil }
func (k *plainKernel) InCharge(context.Context) (bool, error) { return true, nil }
func (k *plainKernel) Diagnostics() []logLine                 { return nil }
func (k *plainKernel) Close() error                           { return nil }

// Start makes the kernel as patient as isat: it asks mcast_solicit times, 3 by
// default (arp(7)).
func (k *plainKernel) Start(context.Context) error {
	return k.host.NS.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/neigh/eth0/mcast_solicit", []byte(strconv.Itoa(maxTries)), 0)
	})
}

func (k *plainKernel) Entry(_ context.Context, ip netip.Addr) (lladdr.Addr, error) {
	n, _, err := k.host.Neighbour(ip)
	return n.MAC, err
}

func (k *plainKernel) SetPermanent(_ context.Context, ip netip.Addr, mac lladdr.Addr) error {
	return k.host.Learn(ip, mac)
}

func (k *plainKernel) SetMaxAge(context.Context, time.Duration) error {
	return errors.New("the kernel has no such limit")
}
