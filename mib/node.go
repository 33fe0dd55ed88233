package mib

import (
	"fmt"
	"time"
)

// Unit is what the value of a node counts.
type Unit string

// The units in use.
const (
	Number       Unit = "" // a plain number, a count or a switch
	Seconds      Unit = "seconds"
	Milliseconds Unit = "milliseconds"
)

// Node describes one node of the tree: a tunable or a counter. It is a value
// and does not change while the program runs.
type Node struct {
	Name         string // in full, such as net.link.ether.inet.max_age
	Default      int64
	Min, Max     int64 // the least and the greatest value; a switch has 0 and 1
	Unit         Unit
	PerInterface bool   // an interface may have a value of its own
	ReadOnly     bool   // a counter
	Description  string // one phrase, without a full stop
}

// Range returns the allowed values in words, such as "1 to 2147483 seconds".
func (n Node) Range() string {
	switch {
	case n.ReadOnly:
		return "read-only"
	case n.Min == 0 && n.Max == 1:
		return "0 or 1"
	case n.Unit == Number:
		return fmt.Sprintf("%d to %d", n.Min, n.Max)
	}
	return fmt.Sprintf("%d to %d %s", n.Min, n.Max, n.Unit)
}

// duration returns the value v of n as a duration. It panics if n does not count
// time: that would be a mistake in newSettings.
func (n Node) duration(v int64) time.Duration {
	switch n.Unit {
	case Seconds:
		return time.Duration(v) * time.Second
	case Milliseconds:
		return time.Duration(v) * time.Millisecond
	}
	panic("mib: " + n.Name + " is no duration")
}
