package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/ioctlsrv"
)

// ioctlSocket returns the path of ioctl.sock, which lies beside the HTTP socket.
func (d *Daemon) ioctlSocket() string {
	return filepath.Join(filepath.Dir(d.options.Socket), "ioctl.sock")
}

// ioctls is what the ARP ioctls see of the daemon.
type ioctls struct{ *Daemon }

// Interface implements [ioctlsrv.Backend]. Where isat only observes, the kernel does ARP,
// and what is set there is the kernel's.
func (i ioctls) Interface(name string) (ioctlsrv.Interface, bool) {
	ifc, ok := i.host.Interface(name)
	if !ok {
		return ioctlsrv.Interface{}, false
	}
	f := ifc.Framing()
	return ioctlsrv.Interface{
		Name: name, Index: ifc.Index(), Hardware: f.HardwareType(), AddrLen: f.AddrLen(), ARP: ifc.Mode().DoesARP(),
	}, true
}

// Connected implements [ioctlsrv.Backend].
func (i ioctls) Connected(ip netip.Addr) (string, bool) {
	ifc, ok := i.host.Connected(ip)
	if !ok {
		return "", false
	}
	return ifc.Name(), true
}

// Entry implements [ioctlsrv.Backend].
func (i ioctls) Entry(ip netip.Addr) []host.Entry { return i.host.Entry(ip) }

// Set implements [ioctlsrv.Backend].
func (i ioctls) Set(c host.Change) error {
	_, err := i.set(c)
	return err
}

// Delete implements [ioctlsrv.Backend].
func (i ioctls) Delete(ifname string, ip netip.Addr, publishedOnly bool) error {
	return i.remove(ifname, ip, publishedOnly)
}

// Unlisted implements [ioctlsrv.Backend].
func (i ioctls) Unlisted() []host.Entry {
	ours := i.presentHosts()
	var all []host.Entry
	for _, e := range i.host.Entries() {
		if _, ok := ours[e.Interface]; !e.Own && (ok || i.isUnlisted(e)) {
			all = append(all, e)
		}
	}
	return all
}

// isUnlisted reports whether the kernel does not list an entry of an interface that it
// knows: one that it has not been told, a proxy that it does not have, or one that is
// a route there (arp -s ... reject). Where isat only observes the kernel has its own.
func (i ioctls) isUnlisted(e host.Entry) bool {
	if e.Told {
		return e.Publish != host.PublishedOnly && e.Action != host.Forward
	}
	ifc, ok := i.host.Interface(e.Interface)
	return ok && ifc.Mode() != host.Watch
}

// set makes or changes an entry as the administrator's, with what belongs to it in
// the kernel.
func (d *Daemon) set(c host.Change) (created bool, err error) {
	undo := func() {}
	if c.Publish != host.PublishedOnly { // which carries no traffic
		if undo, err = d.takeover.Reject(c.Interface, c.IP, c.Action); err != nil {
			return false, fmt.Errorf("setting the entry of %v: %w", c.IP, err)
		}
	}
	if c.Publish != host.Unpublished {
		d.takeover.Publishing(c.Interface, c.IP)
	}
	if created, err = d.host.Set(c); err != nil {
		undo()
		return false, err
	}
	d.changed()
	return created, nil
}

// remove deletes an entry, as the administrator.
func (d *Daemon) remove(ifname string, ip netip.Addr, publishedOnly bool) error {
	remove := d.host.Delete
	if publishedOnly {
		remove = d.host.DeletePublished
	}
	if err := remove(ifname, ip); err != nil {
		return err
	}
	d.changed()
	return nil
}

// tellTime is how long who has changed an entry waits at most for the kernel to have
// it: it takes less than a millisecond, and longer while many others change.
const tellTime = 2 * time.Second

// changed is called when an administrator has changed entries: they are written down, and
// the kernel has them before anybody hears that it is done.
func (d *Daemon) changed() {
	d.takeover.Administered()
	ctx, cancel := context.WithTimeout(context.Background(), tellTime)
	defer cancel()
	_ = d.host.Told(ctx) // it is done all the same, and the watchdog tells of a host that hangs
}
