package route

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
)

// Key returns the IPv4 address addr as a number, the first byte highest, and 0
// for every other address. No clone has the key 0: 0.0.0.0 is nobody's address.
func Key(addr netip.Addr) uint32 {
	if !addr.Is4() {
		return 0
	}
	b := addr.As4()
	return binary.BigEndian.Uint32(b[:])
}

// address is the inverse of Key.
func address(key uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], key)
	return netip.AddrFrom4(b)
}

// Slot is the place of one clone in its [Clones]. It has 32 bytes, so that two
// fill a cache line and a lookup that hits reads one line. Readers get it from
// [Clones.Find], use it at once and do not keep it: the clone moves to another
// slot when the table is rebuilt.
type Slot[E any] struct {
	key   atomic.Uint32 // set once, when the slot is first filled; 0 = never filled
	used  atomic.Uint32 // 1 = a reader used the clone since the last TakeUsed
	word  atomic.Uint64 // what Publish was given; 0 = nothing
	entry atomic.Pointer[E]
	flags atomic.Uint32 // Flags of the clone
	_     uint32
}

// Word returns what was published for the clone last, 0 if nothing was or if the
// clone has been deleted.
func (s *Slot[E]) Word() uint64 { return s.word.Load() }

// Entry returns what the clone carries, nil if it has been deleted.
func (s *Slot[E]) Entry() *E { return s.entry.Load() }

// Flags returns the flags of the clone.
func (s *Slot[E]) Flags() Flags { return Flags(s.flags.Load()) }

// MarkUsed notes for [Clones.TakeUsed] that the clone was used. It stores only if
// the note is not there yet, so that readers on several processors share the
// cache line.
func (s *Slot[E]) MarkUsed() {
	if s.used.Load() == 0 {
		s.used.Store(1)
	}
}
