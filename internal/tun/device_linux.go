package tun

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Device is a TUN device. It has one reader and one writer, which may be
// different goroutines; the other methods are safe for concurrent use.
type Device struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
	reader reader
	writer writer
	counts counts
}

// Stats counts packets since Open.
type Stats struct {
	Read    uint64 // packets of the wire
	Reads   uint64 // system calls that they took
	Ignored uint64 // not IPv4: the kernel's IPv6, mostly
	Broken  uint64 // that do not fit what the kernel says of them
	Written uint64 // packets of the wire
	Writes  uint64 // system calls that they took
	Refused uint64 // that the kernel did not take: the device is down, or they are no packets
}

type counts struct{ read, reads, ignored, broken, written, writes, refused atomic.Uint64 }

// Open makes a TUN device; see [Attach] for the errors. It is down and has no
// address.
func Open(name string) (*Device, error) {
	file, err := Attach(name, unix.IFF_TUN|unix.IFF_VNET_HDR)
	if err != nil {
		return nil, err
	}
	d := &Device{file: file}
	if d.raw, err = file.SyscallConn(); err == nil {
		err = d.setOffload()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("making interface %s: %w", name, err)
	}
	d.reader.init(d)
	d.writer.init(d)
	return d, nil
}

// setOffload tells the kernel what it may leave to us. UDP segmentation is of
// Linux 6.2, and takes both families at once.
func (d *Device) setOffload() error {
	const tcp = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO_ECN
	const udp = unix.TUN_F_USO4 | unix.TUN_F_USO6
	var set error
	if err := d.raw.Control(func(fd uintptr) {
		if set = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, tcp|udp); set != nil {
			set = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, tcp)
		}
	}); err != nil {
		return err
	}
	if set != nil {
		return fmt.Errorf("TUNSETOFFLOAD: %w", set)
	}
	return nil
}

// SetCarrier tells the kernel whether the wire behind the device is there.
func (d *Device) SetCarrier(carrier bool) error { return SetCarrier(d.file, carrier) }

// Close removes the device and wakes its reader.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	return d.file.Close()
}

// failed wraps an error of what was done with the device.
func (d *Device) failed(doing string, err error) error {
	if d.closed.Load() {
		err = net.ErrClosed // the poller has its own word for it
	}
	return fmt.Errorf("%s %s: %w", doing, d.file.Name(), err)
}

// Stats returns the counters.
func (d *Device) Stats() Stats {
	n := &d.counts
	return Stats{
		Read: n.read.Load(), Reads: n.reads.Load(), Ignored: n.ignored.Load(), Broken: n.broken.Load(),
		Written: n.written.Load(), Writes: n.writes.Load(), Refused: n.refused.Load(),
	}
}
