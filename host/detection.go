package host

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// detects reports whether own addresses have machines. An interface that only
// observes has none: nothing is probed, and nothing sent.
func (i *Interface) detects() bool { return i.dad && i.mode != Watch }

// resetDetection brings the machines in step with DAD and the mode, when one of
// them has changed. Without ARP addresses are exempt; those that were withdrawn
// wait until there is ARP again.
func (h *Host) resetDetection(now time.Time, ifc *Interface) {
	on, noARP := ifc.detects(), ifc.mode == Off
	changed := on != ifc.detecting || on && noARP != ifc.detector.NoARP
	ifc.detecting, ifc.detector.NoARP = on, noARP
	for _, o := range ifc.owned() {
		switch {
		case !changed:
		case !on:
			h.stopDetection(now, o)
		case !o.withdrawn():
			h.adopt(now, o)
		}
	}
	if changed {
		h.resetProxied(now, ifc)
	}
	h.followLink(now, ifc, false)
}

// adopt begins the detection of an address in use, or ends it where its policy or the
// mode says so.
func (h *Host) adopt(now time.Time, o *own) {
	h.unannounce(o.ifc, o.IP()) // acd announces
	h.detect(now, o, acd.Input{Kind: acd.Adopt})
}

// followPolicy brings a machine in step with its policy, when that has changed. To and
// from [acd.DetectOff] it is as if DAD were switched for the address.
func (h *Host) followPolicy(now time.Time, o *own) {
	off, exempt := o.Policy.Detect == acd.DetectOff, o.State() == acd.Exempt
	switch {
	case off && o.withdrawn():
		h.putBack(o)
		o.restored = o.round != o.ifc.round // else the last list has named it: it is there
		h.adopt(now, o)
	case off != exempt:
		h.adopt(now, o)
	default:
		h.detect(now, o, acd.Input{})
	}
}

// stopDetection ends the detection of an address that stays: it is used without,
// unless the IP side does not have it.
func (h *Host) stopDetection(now time.Time, o *own) {
	withdrawn := o.withdrawn()
	h.releaseOwn(now, o)
	switch {
	case o.absent:
		h.dropOwn(o)
	case withdrawn:
		h.insertOwn(o)
	}
}

// releaseOwn gives back what a machine was promised. The IP side is told to forget
// the address.
func (h *Host) releaseOwn(now time.Time, o *own) {
	if o.watched() {
		h.detect(now, o, acd.Input{Kind: acd.Release})
		h.touchOwn(o)
	}
}

// followLink tells the machines whether there is a link to ask on. again says that
// it is another one than before, though it may have been there all the time.
func (h *Host) followLink(now time.Time, ifc *Interface, again bool) {
	was, is := ifc.detector.Link(), ifc.asks()
	ifc.detector.SetLink(is)
	in := acd.Input{Kind: acd.Tick}
	switch {
	case is && (again || !was):
		in.Kind = acd.LinkUp
	case is == was:
		return
	}
	h.tellMachines(now, ifc, in)
}

// tellMachines gives an input to all machines of an interface.
func (h *Host) tellMachines(now time.Time, ifc *Interface, in acd.Input) {
	for _, o := range ifc.owned() {
		if o.watched() {
			h.detect(now, o, in)
		}
	}
	for _, p := range ifc.watchedPublications() {
		h.detectProxied(now, p, in)
	}
	for _, first := range ifc.inquiries {
		h.tellInquiries(now, first, in)
	}
}

// SetDAD switches the detection of address conflicts. Switched on, the present
// addresses count as in use: they are announced once and watched. Switched off,
// those that were suspended are usable again, and those that were withdrawn are
// forgotten. reprobe holds from the next return of the link on.
func (i *Interface) SetDAD(on bool, reprobe acd.Reprobe) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	i.dad, i.detector.Reprobe = on, reprobe
	h.resetDetection(time.Now(), i)
}

// Reassign begins the detection of an own address anew, as when an administrator
// has set it up. A withdrawn one is the interface's again, and suspended. Without
// DAD it does nothing. The error wraps ENXIO if the interface does not know the
// address.
func (i *Interface) Reassign(ip netip.Addr) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	o := i.ownAt(ip.Unmap())
	switch {
	case o == nil:
		return fmt.Errorf("probing %v on %s anew: no such address: %w", ip, i.name, syscall.ENXIO)
	case !o.watched():
		return nil
	case o.withdrawn():
		h.putBack(o)
	}
	h.detect(time.Now(), o, acd.Input{Kind: acd.Assign})
	return nil
}

// SetPolicy changes how an address is treated that is withdrawn and that no list names:
// of others [Interface.SetAddresses] says it. If it is not to be detected any more, it
// is the interface's again, and the IP side puts it back. An address that is not
// withdrawn is left alone.
func (i *Interface) SetPolicy(ip netip.Addr, policy acd.Policy) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if o := i.ownAt(ip.Unmap()); o != nil && o.withdrawn() && o.Policy != policy {
		o.Policy, o.address.Policy = policy, policy
		h.followPolicy(time.Now(), o)
	}
}

// Resume takes over a duplicate that an earlier run has withdrawn: it is not on
// the interface, and it is tried at once whether it is free now. owner is who had
// it. The error wraps EINVAL for what is no address, EOPNOTSUPP where there is no
// DAD or the policy wants none, and EEXIST for an address that the interface knows.
func (i *Interface) Resume(a Address, owner lladdr.Addr) error {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	ip, why := a.Prefix.Addr(), error(nil)
	switch {
	case !a.Prefix.IsValid() || !isHostAddress(ip):
		why = fmt.Errorf("not an IPv4 address of a host: %w", syscall.EINVAL)
	case !i.detecting || i.detached || a.Policy.Detect == acd.DetectOff:
		why = fmt.Errorf("there is no detection: %w", syscall.EOPNOTSUPP)
	case i.ownAt(ip) != nil:
		why = fmt.Errorf("it is there: %w", syscall.EEXIST)
	}
	if why != nil {
		return fmt.Errorf("resuming %v on %s: %w", ip, i.name, why)
	}
	o := newOwn(i, a)
	o.place, o.absent = len(i.own), true
	i.own[route.Key(ip)] = o
	now := time.Now()
	h.detect(now, o, acd.Input{Kind: acd.Resume, Owner: owner})
	if i.detector.Link() {
		h.detect(now, o, acd.Input{Kind: acd.LinkUp})
	}
	return nil
}

// Forsake ends the detection of an address that was withdrawn, or restored and not
// named since: it will not be put back.
func (i *Interface) Forsake(ip netip.Addr) {
	h := i.host
	h.mu.Lock()
	defer h.unlock()
	if o := i.ownAt(ip.Unmap()); o != nil && (o.withdrawn() || o.restored) {
		h.releaseOwn(time.Now(), o)
		h.dropOwn(o)
	}
}
