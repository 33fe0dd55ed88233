package probe

import (
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/link"
)

// Frame is an ARP frame as it was on the wire. It must not be changed.
type Frame struct {
	Time   time.Time // when it passed
	Bytes  []byte    // link header included
	Header link.Header
	Packet arp.Packet
	Err    error  // why Header or Packet could not be read; they are then zero
	Where  string // it was seen, in the words of who watches more than one wire; may be empty
}

// ParseFrame reads an Ethernet frame that passed at a moment. It keeps b.
func ParseFrame(at time.Time, b []byte) Frame {
	f := Frame{Time: at, Bytes: b}
	h, payload, err := link.Ethernet{}.Parse(b)
	if err != nil {
		f.Err = err
		return f
	}
	p, err := arp.Parse(payload)
	if err != nil {
		f.Err = err
		return f
	}
	f.Header, f.Packet = h, p
	return f
}
