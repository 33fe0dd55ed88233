package api

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Event is one thing that happened. Keys that do not apply to it are left out
// of the JSON; instance, seq, time and type are always there.
type Event struct {
	Instance  string     `json:"instance"`           // of the daemon, new at every start
	Seq       uint64     `json:"seq"`                // from 1, without gaps within an instance
	Time      time.Time  `json:"time"`               //
	Type      string     `json:"type"`               // INTERFACES section 5, such as "resolved"
	Interface string     `json:"interface,omitzero"` // as named at that moment
	IP        netip.Addr `json:"ip,omitzero"`        //
	MAC       MAC        `json:"mac,omitzero"`       //
	OldMAC    MAC        `json:"old_mac,omitzero"`   // what MAC replaced, in "moved"
	Count     uint64     `json:"count,omitzero"`     // how many, in "lost" and "suppressed"
	Severity  int        `json:"severity,omitzero"`  // of Message, RFC 5424 section 6.2.1: 3 error ... 7 debug
	Message   string     `json:"message,omitzero"`   // the diagnostic line where there is one
}

// EventLost is the type of the event that takes the place of events the daemon
// no longer has: Count of them. Its Seq is that of the last of them, so that
// reading on from there misses nothing more. After a restart of the daemon Count
// tells of those of the new instance only; how many of the old one were missed
// nobody knows, and Message says so.
const EventLost = "lost"

// Position returns where e is in the stream; the stream after it goes on with
// the next event.
func (e Event) Position() Position { return Position{e.Instance, e.Seq} }

// Position is a place in the event stream: after event Seq of a daemon's
// Instance. The zero Position means "now".
type Position struct {
	Instance string // empty in the zero Position only
	Seq      uint64 // 0 is before the first event
}

// ParsePosition reads the form of [Position.String]; the empty text is an error.
func ParsePosition(s string) (Position, error) {
	i := strings.LastIndexByte(s, ':')
	seq, err := strconv.ParseUint(s[i+1:], 10, 64)
	if i <= 0 || err != nil {
		return Position{}, fmt.Errorf("position %q: want INSTANCE:SEQ, such as 5f1e0c2a:17", s)
	}
	return Position{s[:i], seq}, nil
}

// String returns the form "INSTANCE:SEQ", "" for the zero Position.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Instance + ":" + strconv.FormatUint(p.Seq, 10)
}

// MarshalText implements [encoding.TextMarshaler] with [Position.String].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; the empty text gives the
// zero Position.
func (p *Position) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Position{}
		return nil
	}
	v, err := ParsePosition(string(text))
	if err != nil {
		return err
	}
	*p = v
	return nil
}
