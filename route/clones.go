package route

import (
	"iter"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
)

// Clones are the host routes of one cloning [Network]: a hash table from an IPv4
// address, as a [Key], to a [Slot]. Readers take no lock and do not allocate.
// Made by [Table.Add]; clones are added and deleted by [Network.Clone] and
// [Network.Remove].
//
// The slots lie flat in one array, found by linear probing. A reader may hold a
// slot while the writer works, so a slot never changes its owner:
//
//   - A slot is filled once. Its key is stored last, and never changes. Whatever
//     word a reader finds in the slot of a key is a word of that key.
//   - A deleted clone leaves its slot behind: key as before, word 0, entry nil.
//     If the same address comes back it gets this slot again, no other can.
//   - When too many slots are filled, or few are in use, the writer copies the
//     clones to a new generation of the array and publishes that by one pointer.
//     The old generation is never written again. A reader who is still in it sees
//     the clones as they were at that moment, as if it had come a little earlier;
//     it holds no slot for longer than one packet.
//
// A use that is marked in the old generation after its slot was copied is lost. It
// is evidence that an entry is worth a request before it expires, and the next
// packet marks it again; a clone whose only packet in its whole last second is
// this one expires and is resolved anew.
type Clones[E any] struct {
	current atomic.Pointer[generation[E]]
	live    atomic.Int64 // clones
	filled  int          // slots of current with a key; the writer's
}

// minSlots is the number of slots of an empty table: 256 bytes.
const minSlots = 8

// generation is one array of slots. seed and mask never change.
type generation[E any] struct {
	seed  [2]uint64
	mask  uint64
	slots []Slot[E] // mask+1, a power of two, one of them with key 0 at least
}

// newGeneration makes a generation with room for n clones, which fill half of it
// at most.
func newGeneration[E any](n int) *generation[E] {
	size := max(minSlots, 1<<bits.Len(uint(2*n-1)))
	if n == 0 {
		size = minSlots
	}
	return &generation[E]{
		seed:  [2]uint64{rand.Uint64(), rand.Uint64() | 1},
		mask:  uint64(size - 1),
		slots: make([]Slot[E], size),
	}
}

// home returns where the search for key begins. Whoever sends packets chooses the
// addresses, so the place depends on two secret numbers, new in each generation:
// the halves of key's 128-bit product are folded together (as in wyhash).
func (g *generation[E]) home(key uint32) uint64 {
	hi, lo := bits.Mul64(uint64(key)^g.seed[0], g.seed[1])
	return (hi ^ lo) & g.mask
}

// find returns the slot of key, nil if there is none.
func (g *generation[E]) find(key uint32) *Slot[E] {
	for i := g.home(key); ; i = (i + 1) & g.mask {
		s := &g.slots[i&g.mask]
		// One load decides: the writer may fill an empty slot at any moment.
		switch s.key.Load() {
		case 0:
			return nil
		case key:
			return s
		}
	}
}

// place returns the slot of key or, if there is none, the empty one where it
// goes. Writer.
func (g *generation[E]) place(key uint32) *Slot[E] {
	for i := g.home(key); ; i = (i + 1) & g.mask {
		s := &g.slots[i&g.mask]
		if k := s.key.Load(); k == key || k == 0 {
			return s
		}
	}
}

// Find returns the slot of key, or nil if there is none. The clone may be deleted
// at any moment, or be so already: then the slot's Word is 0 and its Entry nil.
func (c *Clones[E]) Find(key uint32) *Slot[E] { return c.current.Load().find(key) }

// Len returns the number of clones.
func (c *Clones[E]) Len() int { return int(c.live.Load()) }

// All iterates over the clones in no order. A clone that is there all the time
// is given once; whether one is that comes or goes meanwhile is open, and the Entry of
// one that went may be nil. The writer may change the table while it iterates.
func (c *Clones[E]) All() iter.Seq2[netip.Addr, *Slot[E]] {
	return func(yield func(netip.Addr, *Slot[E]) bool) {
		g := c.current.Load()
		for i := range g.slots {
			s := &g.slots[i]
			if s.Entry() == nil {
				continue
			}
			if !yield(address(s.key.Load()), s) {
				return
			}
		}
	}
}

// Publish gives readers word for the clone of key: whatever the read path needs
// to know of it. It reports whether there is such a clone. Writer.
func (c *Clones[E]) Publish(key uint32, word uint64) bool {
	s := c.Find(key)
	if s == nil || s.Entry() == nil {
		return false
	}
	s.word.Store(word)
	return true
}

// TakeUsed reports whether the clone of key was used since the last TakeUsed, or
// since it was added, and forgets it. Writer.
func (c *Clones[E]) TakeUsed(key uint32) bool {
	s := c.Find(key)
	return s != nil && s.used.Load() != 0 && s.used.Swap(0) != 0
}

// insert adds a clone; it reports false if there is one. Writer.
func (c *Clones[E]) insert(key uint32, e *E, flags Flags) bool {
	g := c.current.Load()
	s := g.place(key)
	if s.Entry() != nil {
		return false
	}
	if s.key.Load() == 0 {
		// A quarter of the slots stay empty, so that a search ends soon.
		if 4*(c.filled+1) > 3*len(g.slots) {
			g = c.rebuild(c.Len() + 1)
			s = g.place(key)
		}
		c.filled++
	}
	s.used.Store(0)
	s.flags.Store(uint32(flags))
	s.entry.Store(e)
	s.key.Store(key)
	c.live.Add(1)
	return true
}

// remove deletes the clone of key and returns what it was, nil if there is none.
// Writer.
func (c *Clones[E]) remove(key uint32) (*E, Flags) {
	s := c.Find(key)
	if s == nil {
		return nil, 0
	}
	e := s.Entry()
	if e == nil {
		return nil, 0
	}
	s.word.Store(0)
	s.entry.Store(nil)
	c.live.Add(-1)
	// Give the memory back after many have gone, such as those of a scan.
	if size := len(c.current.Load().slots); size > minSlots && 8*c.Len() < size {
		c.rebuild(c.Len())
	}
	return e, s.Flags()
}

// rebuild publishes a new generation with room for n clones, n being no fewer
// than there are, and returns it. The clones of deleted slots stay behind. Writer.
func (c *Clones[E]) rebuild(n int) *generation[E] {
	g := newGeneration[E](n)
	c.filled = 0
	for addr, old := range c.All() {
		key := Key(addr)
		s := g.place(key)
		s.used.Store(old.used.Load())
		s.flags.Store(old.flags.Load())
		s.entry.Store(old.Entry())
		s.word.Store(old.Word())
		s.key.Store(key)
		c.filled++
	}
	c.current.Store(g)
	return g
}

func newClones[E any]() *Clones[E] {
	c := new(Clones[E])
	c.current.Store(newGeneration[E](0))
	return c
}
