package arcnet

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/isat-project/isat/link/internal/rfc1201"
)

// Wire is the port that frames go to and come from: one of link/cable, say.
type Wire interface {
	ReadFrames(frames [][]byte) (int, error)
	WriteFrames(frames [][]byte) (int, error)
	Close() error
}

// Port sends and receives packets over a port that carries ARCnet frames. What it
// reads and writes are frames of link.ARCnet with a whole packet each. Its methods
// are safe for concurrent use, but it has one reader.
type Port struct {
	wire Wire

	reading sync.Mutex // guards in; not held while waiting for frames
	in      *Reassembler

	writing  sync.Mutex // guards what follows, and keeps the frames of a packet together
	sequence uint16     // of the latest packet
	buffer   []byte     // frames being sent, one behind the other
	ends     []int      // of each frame in buffer
	lasts    []int      // of each packet: how many frames there are up to its last
	frames   [][]byte
}

// NewPort makes a port over wire, which it owns, for packets of at most mtu bytes.
func NewPort(wire Wire, mtu int) *Port {
	return &Port{wire: wire, in: NewReassembler(mtu)}
}

// ReadFrames waits until there is a packet at least, fills frames with as many as
// are there and returns how many. They are valid until the next call. Its errors
// are those of the port below.
func (p *Port) ReadFrames(frames [][]byte) (int, error) {
	for {
		n, err := p.wire.ReadFrames(frames)
		if whole := p.reassemble(frames[:n]); whole > 0 || err != nil || len(frames) == 0 {
			return whole, err
		}
	}
}

// reassemble replaces frames by the packets that are whole, and returns how many
// those are.
func (p *Port) reassemble(frames [][]byte) int {
	now := time.Now()
	p.reading.Lock()
	defer p.reading.Unlock()
	whole := 0
	for _, frame := range frames {
		if packet := p.in.Add(now, frame); packet != nil {
			frames[whole] = packet
			whole++
		}
	}
	return whole
}

// WriteFrames sends packets in order, without waiting for room, and returns how
// many were sent with all their fragments. It keeps none. The error wraps EINVAL
// for what is no whole packet with the header of RFC 1201, EMSGSIZE for one of
// more than 60,480 bytes, or is that of the port below.
func (p *Port) WriteFrames(packets [][]byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.buffer, p.ends, p.lasts, p.frames = p.buffer[:0], p.ends[:0], p.lasts[:0], p.frames[:0]
	var refused error
	for _, packet := range packets {
		if refused = p.splitLocked(packet); refused != nil {
			break // those before it are sent
		}
	}
	start := 0
	for _, end := range p.ends {
		p.frames = append(p.frames, p.buffer[start:end:end])
		start = end
	}
	if len(p.frames) == 0 {
		return 0, refused
	}
	sent, err := p.wire.WriteFrames(p.frames)
	n := 0
	for n < len(p.lasts) && p.lasts[n] <= sent {
		n++
	}
	if err == nil && n == len(p.lasts) {
		err = refused
	}
	return n, err
}

// splitLocked appends the frames of a packet to those to be sent.
func (p *Port) splitLocked(packet []byte) error {
	h, data, ok := rfc1201.Parse(packet)
	switch {
	case !ok || rfc1201.IsOld(h.Protocol) || h.Flag != 0:
		return fmt.Errorf("writing an ARCnet frame of %d bytes that has no packet of RFC 1201: %w", len(packet), syscall.EINVAL)
	case len(data) > maxFragments*rfc1201.MaxData:
		return fmt.Errorf("writing an ARCnet packet of %d bytes, the longest has %d: %w", len(data), maxFragments*rfc1201.MaxData, syscall.EMSGSIZE)
	}
	p.sequence++
	h.Sequence = p.sequence
	p.buffer, p.ends = appendFrames(p.buffer, p.ends, h, data)
	p.lasts = append(p.lasts, len(p.ends))
	return nil
}

// Stats returns what became of the fragments that were read.
func (p *Port) Stats() Stats {
	p.reading.Lock()
	defer p.reading.Unlock()
	return p.in.Stats()
}

// Close closes the port below, which wakes the reader.
func (p *Port) Close() error { return p.wire.Close() }
