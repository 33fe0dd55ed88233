package tun

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/ip4"
	"github.com/isat-project/isat/internal/offload"
)

const (
	// readLen is room in bytes for what one read may give.
	readLen = offload.HeaderLen + ip4.MaxPacket
	// arenaLen is room in bytes for what is read without waiting.
	arenaLen = 4 * readLen
	// readPackets is how many packets of the wire end a batch: enough for the
	// system calls not to matter, few enough for the first one not to wait long.
	readPackets = 128
)

// reader holds what reading needs from one call to the next, so that a call
// allocates nothing.
type reader struct {
	device  *Device
	poll    func(fd uintptr) bool // the method try: a method value is an allocation
	arena   []byte                // packets as they were read
	cut     []byte                // those that were cut
	packets [][]byte
	err     syscall.Errno
}

func (r *reader) init(d *Device) {
	r.device = d
	r.poll = r.try
	r.arena = make([]byte, arenaLen)
	r.cut = make([]byte, 0, arenaLen+arenaLen/8) // headers are repeated
}

// ReadPackets waits until there is an IPv4 packet at least and returns those that
// are there, as they go onto the wire, with their checksums. They belong to the
// device and are valid until the next call. After Close the error wraps
// [net.ErrClosed]; if somebody has deleted the device it wraps ENXIO.
func (d *Device) ReadPackets() ([][]byte, error) {
	r := &d.reader
	for {
		r.packets, r.cut, r.err = r.packets[:0], r.cut[:0], 0
		if err := d.raw.Read(r.poll); err != nil {
			return nil, d.failed("reading from", unix.ENXIO) // the poller finds an error on the file
		}
		if len(r.packets) > 0 {
			d.counts.read.Add(uint64(len(r.packets)))
			return r.packets, nil
		}
		if r.err != 0 {
			return nil, d.failed("reading from", r.err)
		}
	}
}

// try reads what is there. It returns false if there is nothing: the runtime then
// waits and calls it again.
func (r *reader) try(fd uintptr) bool {
	room := r.arena
	for reads := 0; len(room) >= readLen && len(r.packets) < readPackets; {
		n, err := unix.Read(int(fd), room[:readLen:readLen])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return reads > 0
		case err != nil:
			r.err, _ = err.(syscall.Errno)
			return true
		}
		reads++
		r.device.counts.reads.Add(1)
		r.take(room[:n:n])
		room = room[n:]
	}
	return true
}

// take makes packets of the wire of what one read gave.
func (r *reader) take(read []byte) {
	if len(read) < offload.HeaderLen+ip4.MinHeader || read[offload.HeaderLen]>>4 != 4 {
		r.device.counts.ignored.Add(1)
		return
	}
	var h offload.Header
	h.Decode(read)
	var err error
	r.packets, r.cut, err = offload.Split(r.packets, r.cut, h, read[offload.HeaderLen:], 0)
	if err != nil {
		r.device.counts.broken.Add(1)
	}
}
