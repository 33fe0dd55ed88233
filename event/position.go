package event

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in the stream of events that outlives the reader: the
// event with number Seq of one run of a host. It is comparable. The zero
// Position is none.
type Position struct {
	Instance string // names the run: [Ring.Instance]
	Seq      uint64 // of the last event seen; 0: before the first
}

// ParsePosition reads the text form INSTANCE:SEQ. The instance is what stands
// before the last colon and is not empty.
func ParsePosition(s string) (Position, error) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return Position{}, fmt.Errorf("event position %q: want INSTANCE:SEQ, such as 5f1e0c2a:17", s)
	}
	seq, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("event position %q: sequence number: %w", s, err)
	}
	return Position{Instance: s[:i], Seq: seq}, nil
}

// String returns the text form INSTANCE:SEQ.
func (p Position) String() string { return p.Instance + ":" + strconv.FormatUint(p.Seq, 10) }

// MarshalText implements [encoding.TextMarshaler] with [Position.String].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] with [ParsePosition].
func (p *Position) UnmarshalText(text []byte) error {
	v, err := ParsePosition(string(text))
	if err != nil {
		return err
	}
	*p = v
	return nil
}
