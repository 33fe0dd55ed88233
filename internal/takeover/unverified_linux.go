package takeover

import (
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/isat-project/isat/host"
)

// unverified keeps the kernel from sending from addresses while they must not be
// used. It has a lock of its own, as the silence that it works by: what the manager
// is busy with shall not delay it. Safe for concurrent use.
//
// The silence is of an address, by whichever interface (see package guard). So an
// address that two interfaces have is not silenced while it is in use on one of
// them: what that one sends is right.
type unverified struct {
	silence *silence[netip.Addr]

	mu    sync.Mutex
	usage map[netip.Addr][]usage // but for released ones
}

// usage is how an interface uses an address. Nearly always an address has one: a
// map for each would take ten times the memory, of ten thousand addresses megabytes.
type usage struct {
	index int32
	as    host.Usage
}

func newUnverified(s *silence[netip.Addr]) *unverified {
	return &unverified{silence: s, usage: make(map[netip.Addr][]usage)}
}

// update follows what the host tells of own addresses.
func (u *unverified) update(updates []host.OwnAddress) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	touched := make([]netip.Addr, 0, len(updates))
	for _, own := range updates {
		ip := own.Address.Prefix.Addr()
		u.set(ip, own.Interface, own.Usage)
		touched = append(touched, ip)
	}
	return u.follow(touched)
}

// gone forgets addresses that an interface has no more.
func (u *unverified) gone(index int, ips ...netip.Addr) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, ip := range ips {
		u.set(ip, index, host.Released)
	}
	return u.follow(ips)
}

// left forgets all addresses of an interface.
func (u *unverified) left(index int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var touched []netip.Addr
	for ip, of := range u.usage {
		if slices.ContainsFunc(of, func(o usage) bool { return o.index == int32(index) }) {
			u.set(ip, index, host.Released)
			touched = append(touched, ip)
		}
	}
	return u.follow(touched)
}

func (u *unverified) set(ip netip.Addr, index int, as host.Usage) {
	of := slices.DeleteFunc(u.usage[ip], func(o usage) bool { return o.index == int32(index) })
	if as != host.Released {
		of = append(of, usage{int32(index), as})
	}
	if len(of) > 0 {
		u.usage[ip] = of
	} else {
		delete(u.usage, ip)
	}
}

// follow makes the silence of addresses what their usage says. mu is held.
func (u *unverified) follow(ips []netip.Addr) error {
	var silent, free []netip.Addr
	for _, ip := range ips {
		of := u.usage[ip]
		if len(of) > 0 && !slices.ContainsFunc(of, func(o usage) bool { return o.as == host.Usable }) {
			silent = append(silent, ip)
		} else {
			free = append(free, ip)
		}
	}
	return errors.Join(u.silence.add(silent...), u.silence.remove(free...))
}
