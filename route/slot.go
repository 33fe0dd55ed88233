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

// Slot is what readers see of one clone: four slots fill a cache line, and a
// lookup that hits reads one line. It has no pointers, so that the garbage
// collector does not read a million of them. Readers get it from [Clones.Find],
// use it at once and do not keep it: the clone moves to another slot when its
// table is rebuilt.
type Slot struct {
	key  atomic.Uint32 // set once, when the slot is first filled; 0 = not yet
	used atomic.Uint32 // 1 = a reader used the clone since the last TakeUsed
	word atomic.Uint64 // what Publish was given; 0 = nothing
}

// Word returns what was published last for the clone, 0 if nothing was or if the
// clone has been deleted.
func (s *Slot) Word() uint64 { return s.word.Load() }

// MarkUsed notes for [Clones.TakeUsed] that the clone was used. It stores only if
// the note is not there yet, so that readers on several processors share the
// cache line.
func (s *Slot) MarkUsed() {
	if s.used.Load() == 0 {
		s.used.Store(1)
	}
}

// Used reports whether the clone was used since it was added or since the last
// [Clones.TakeUsed].
func (s *Slot) Used() bool { return s.used.Load() != 0 }

// Clone is a host route as listings and the writer see it.
type Clone[E any] struct {
	Entry *E    // what it carries
	Flags Flags // all of them, Up, Host and LLInfo included
}

// owner is the part of a clone that has no place in its Slot.
type owner[E any] struct {
	entry atomic.Pointer[E] // nil = deleted, or not yet filled
	flags atomic.Uint32
}
