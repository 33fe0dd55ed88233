package host

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/lladdr"
)

// Probed is what is known of an address that was asked for.
type Probed struct {
	IP   netip.Addr
	Free bool
	MAC  lladdr.Addr // who has it, if it is not Free
}

// probing is one call of Probe.
type probing struct {
	inquiries []inquiry
	open      int           // inquiries without an answer
	found     []Probed      // answers that were not told
	err       error         // why there are no more
	wake      chan struct{} // capacity 1: found or err has something
}

// inquiry is one address that a call asks for.
type inquiry struct {
	machine
	call *probing
	next *inquiry // of another call for the same address
}

// Probe finds out which addresses nobody on the link has: by the times of RFC
// 5227 section 1.1 or, if fast, by the fastprobe_* nodes. found is called without
// a lock, as each becomes known, and not after Probe has returned. An address of
// this host, or one that it publishes on the interface, is taken at once, by its
// own link-layer address. Calls do not disturb each other.
//
// The error wraps EINVAL for what is no host's address (a broadcast address of the
// interface is none) or twice in the list,
// ENETDOWN if the link is or goes down, EOPNOTSUPP where ARP may not ask, or that
// of ctx. What is known until then was told.
func (i *Interface) Probe(ctx context.Context, ips []netip.Addr, fast bool, found func(Probed)) error {
	ips, err := probeList(ips)
	if err != nil {
		return fmt.Errorf("probing on %s: %w", i.Name(), err)
	}
	call, err := i.startProbing(ips, fast)
	if err != nil {
		return fmt.Errorf("probing on %s: %w", i.Name(), err)
	}
	defer i.endProbing(call)
	for {
		news, open, err := i.takeProbed(call)
		for _, p := range news {
			found(p)
		}
		if open == 0 {
			return nil
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return fmt.Errorf("probing on %s: %w", i.Name(), err)
		}
		select {
		case <-call.wake:
		case <-ctx.Done():
		}
	}
}

// probeList returns the addresses in the form that the host knows them in.
func probeList(ips []netip.Addr) ([]netip.Addr, error) {
	list, seen := make([]netip.Addr, 0, len(ips)), make(map[netip.Addr]struct{}, len(ips))
	for _, ip := range ips {
		ip = ip.Unmap()
		if !isHostAddress(ip) {
			return nil, fmt.Errorf("%v is not the IPv4 address of a host: %w", ip, syscall.EINVAL)
		}
		if _, ok := seen[ip]; ok {
			return nil, fmt.Errorf("%v is twice in the list: %w", ip, syscall.EINVAL)
		}
		seen[ip] = struct{}{}
		list = append(list, ip)
	}
	return list, nil
}

// startProbing begins a call.
func (i *Interface) startProbing(ips []netip.Addr, fast bool) (*probing, error) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if h.ended || !i.asks() {
		return nil, i.unaskable()
	}
	for _, ip := range ips {
		if i.isBroadcast(ip) && !i.owns(ip) {
			return nil, fmt.Errorf("%v is a broadcast address of the interface: %w", ip, syscall.EINVAL)
		}
	}
	now := time.Now()
	// They have one piece of memory: there may be ten thousand.
	call := &probing{inquiries: make([]inquiry, len(ips)), open: len(ips), wake: make(chan struct{}, 1)}
	for n, ip := range ips {
		q := &call.inquiries[n]
		q.machine, q.call = machine{Address: acd.New(i.detector, ip, acd.Policy{}), ifc: i}, call
		q.timer.Value = q
		q.next, i.inquiries[ip] = i.inquiries[ip], q
		if mac, ok := h.ownProbed(i, ip); ok {
			h.answerInquiry(q, Probed{IP: ip, MAC: mac})
		} else {
			h.inquire(now, q, acd.Input{Kind: acd.Inquire, Fast: fast})
		}
	}
	return call, nil
}

// unaskable returns why nothing may be asked on the interface.
func (i *Interface) unaskable() error {
	switch {
	case i.host.ended:
		return fmt.Errorf("the host has ended: %w", syscall.ENETDOWN)
	case i.detached:
		return fmt.Errorf("it is detached: %w", syscall.ENETDOWN)
	case !i.mode.DoesARP():
		return fmt.Errorf("it is only watched, or has no ARP (%s): %w", i.mode, syscall.EOPNOTSUPP)
	}
	return fmt.Errorf("its link is down: %w", syscall.ENETDOWN)
}

// ownProbed returns the link-layer address of an address of this host, or one that
// it publishes on the interface.
func (h *Host) ownProbed(ifc *Interface, ip netip.Addr) (lladdr.Addr, bool) {
	if owner := h.owner(ip); owner != nil {
		return owner.mac, true
	}
	mac, ok := h.publishedOn(ifc, ip)
	if !mac.IsValid() {
		mac = ifc.mac
	}
	return mac, ok || h.ownsAnywhere(ip)
}

// takeProbed returns what has become known since the last call, and how many
// addresses are not.
func (i *Interface) takeProbed(call *probing) (news []Probed, open int, err error) {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	news, call.found = call.found, nil
	return news, call.open, call.err
}

// endProbing releases what has no answer.
func (i *Interface) endProbing(call *probing) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	now := time.Now()
	for n := range call.inquiries {
		if q := &call.inquiries[n]; q.State() == acd.Inquiring {
			h.inquire(now, q, acd.Input{Kind: acd.Release})
			i.forgetInquiry(q)
		}
	}
}

// fire implements [timed].
func (q *inquiry) fire(h *Host, now time.Time) { h.inquire(now, q, acd.Input{}) }

// inquire tells an inquiry what happened and carries the effects out.
func (h *Host) inquire(now time.Time, q *inquiry, in acd.Input) {
	h.drive(now, &q.machine, in, func(e acd.Effect) {
		switch e.Action {
		case acd.Free:
			h.answerInquiry(q, Probed{IP: q.IP(), Free: true})
		case acd.Taken:
			h.answerInquiry(q, Probed{IP: q.IP(), MAC: e.MAC})
		case acd.Abort:
			h.failInquiry(q, q.ifc.unaskable())
		}
	})
}

// tellInquiries gives an input to the inquiries for one address.
func (h *Host) tellInquiries(now time.Time, first *inquiry, in acd.Input) {
	for q := first; q != nil; {
		next := q.next // q may be over afterwards
		h.inquire(now, q, in)
		q = next
	}
}

// endInquiries answers those who ask for an address that has become the host's.
func (h *Host) endInquiries(now time.Time, ifc *Interface, ip netip.Addr) {
	for q := ifc.inquiries[ip]; q != nil; {
		next := q.next
		h.inquire(now, q, acd.Input{Kind: acd.Release})
		h.answerInquiry(q, Probed{IP: ip, MAC: ifc.mac})
		q = next
	}
}

// failInquiries ends all inquiries on an interface.
func (h *Host) failInquiries(ifc *Interface) {
	for _, first := range ifc.inquiries {
		for q := first; q != nil; q = q.next {
			h.failInquiry(q, ifc.unaskable())
		}
	}
}

// answerInquiry ends an inquiry.
func (h *Host) answerInquiry(q *inquiry, p Probed) {
	q.ifc.forgetInquiry(q)
	q.call.open--
	q.call.found = append(q.call.found, p)
	wake(q.call.wake)
}

// failInquiry ends the call of an inquiry, which releases the others.
func (h *Host) failInquiry(q *inquiry, why error) {
	q.ifc.forgetInquiry(q)
	q.call.err = why
	wake(q.call.wake)
}

// forgetInquiry takes an inquiry out of those that packets are shown to.
func (i *Interface) forgetInquiry(q *inquiry) {
	ip := q.IP()
	if i.inquiries[ip] == q {
		if i.inquiries[ip] = q.next; q.next == nil {
			delete(i.inquiries, ip)
		}
		return
	}
	for other := i.inquiries[ip]; other != nil; other = other.next {
		if other.next == q {
			other.next = q.next
			return
		}
	}
}
