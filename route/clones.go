package route

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
)

// Clones are the host routes of one cloning [Network]: a hash table whose keys are
// IPv4 addresses, as [Key] gives them. Readers take no lock and do not allocate.
// [Table.Add] makes it; [Network.Clone] and [Network.Remove] fill it.
//
// The slots lie in one array and are found by linear probing. A reader may hold
// a slot while the writer works, so a slot never changes its owner:
//
//   - A slot is filled once. Its key never changes after that, so whatever word a
//     reader finds in the slot of a key was published for that key.
//   - A deleted clone leaves its slot behind: the key stays, the word is 0 and
//     the entry nil. A clone of the same address gets this slot again, no other.
//   - When too many slots are filled or too few in use, the writer copies the
//     clones to a new generation of the array, leaves the deleted ones behind, and
//     publishes it by one pointer. The old generation is never written again by
//     the writer. A reader that is still in it sees the clones as they were, as
//     if it had come a little earlier; it keeps no slot for the next packet.
//
// A mark of use that a reader sets in the old generation after its slot was copied
// is lost. The mark decides whether an entry is asked for again before it expires,
// and any packet sets it anew: what is lost is one packet's word in favour of an
// entry which, if no other packet used it, is resolved again when it is next needed.
type Clones[E any] struct {
	current atomic.Pointer[generation[E]]
	live    atomic.Int64 // clones
	filled  int          // slots of current that have a key; the writer's
}

// minSlots is the number of slots of an empty table.
const minSlots = 8

// generation is one array of slots. Its own fields never change.
type generation[E any] struct {
	seed   [3]uint64
	mask   int
	slots  []Slot // mask+1 of them, a power of two; one at least is not filled
	owners []owner[E]
}

// newGeneration makes a generation in which n clones fill at most half.
func newGeneration[E any](n int) *generation[E] {
	size := minSlots
	for size < 2*n {
		size *= 2
	}
	return &generation[E]{
		seed:   [3]uint64{rand.Uint64(), rand.Uint64() | 1, rand.Uint64() | 1},
		mask:   size - 1,
		slots:  make([]Slot, size),
		owners: make([]owner[E], size),
	}
}

// home returns where the search for key begins. Whoever sends packets chooses the
// addresses, so this depends on secret numbers, new in each generation. Two
// multiplications, because one alone (multiply-shift) maps evenly spaced addresses
// to evenly spaced slots, and for one seed in hundreds packs them into a lump in
// which linear probing takes hundreds of steps (measured).
func (g *generation[E]) home(key uint32) int {
	h := (uint64(key) ^ g.seed[0]) * g.seed[1]
	h = (h ^ h>>32) * g.seed[2]
	return int(h>>32) & g.mask
}

// find returns the index of the slot of key, -1 if there is none.
func (g *generation[E]) find(key uint32) int {
	for i := g.home(key); ; i = (i + 1) & g.mask {
		// One load decides: the writer may fill an empty slot at any moment.
		switch g.slots[i].key.Load() {
		case 0:
			return -1
		case key:
			return i
		}
	}
}

// place returns the index of the slot of key or, if there is none, of the empty
// one where it goes. Writer.
func (g *generation[E]) place(key uint32) int {
	for i := g.home(key); ; i = (i + 1) & g.mask {
		if k := g.slots[i].key.Load(); k == key || k == 0 {
			return i
		}
	}
}

// clone returns the clone in slot i, whose Entry is nil if it is deleted.
func (g *generation[E]) clone(i int) Clone[E] {
	o := &g.owners[i]
	return Clone[E]{Entry: o.entry.Load(), Flags: Flags(o.flags.Load())}
}

// fill puts a clone into slot i. The key comes last: it lets readers in. Writer.
func (g *generation[E]) fill(i int, key uint32, c Clone[E], used uint32, word uint64) {
	g.owners[i].flags.Store(uint32(c.Flags))
	g.owners[i].entry.Store(c.Entry)
	g.slots[i].used.Store(used)
	g.slots[i].word.Store(word)
	g.slots[i].key.Store(key)
}

// Find returns the slot of key, or nil if there is none. The clone may be deleted
// at any moment, or be so already: then the slot's Word is 0.
func (c *Clones[E]) Find(key uint32) *Slot {
	g := c.current.Load()
	if i := g.find(key); i >= 0 {
		return &g.slots[i]
	}
	return nil
}

// Get returns the clone of key, and whether there is one.
func (c *Clones[E]) Get(key uint32) (Clone[E], bool) {
	g := c.current.Load()
	if i := g.find(key); i >= 0 {
		clone := g.clone(i)
		return clone, clone.Entry != nil
	}
	return Clone[E]{}, false
}

// Len returns the number of clones.
func (c *Clones[E]) Len() int { return int(c.live.Load()) }

// All iterates over the clones, in no order. One that is there all the while is
// given exactly once; one that comes or goes meanwhile may be given or not. The
// writer may change the table from within the loop.
func (c *Clones[E]) All() iter.Seq2[netip.Addr, Clone[E]] {
	return func(yield func(netip.Addr, Clone[E]) bool) {
		g := c.current.Load()
		for i := range g.slots {
			// The entry first: it is stored before the key, and the key stays.
			if clone := g.clone(i); clone.Entry != nil {
				if key := g.slots[i].key.Load(); key != 0 && !yield(address(key), clone) {
					return
				}
			}
		}
	}
}

// Publish gives readers word, whatever they need to know of the clone of key, and
// reports whether there is such a clone. Writer.
func (c *Clones[E]) Publish(key uint32, word uint64) bool {
	g := c.current.Load()
	i := g.find(key)
	if i < 0 || g.owners[i].entry.Load() == nil {
		return false
	}
	g.slots[i].word.Store(word)
	return true
}

// TakeUsed reports whether the clone of key was used since it was added or since
// the last TakeUsed, and forgets it. Writer.
func (c *Clones[E]) TakeUsed(key uint32) bool {
	s := c.Find(key)
	return s != nil && s.used.Load() != 0 && s.used.Swap(0) != 0
}

// insert adds a clone; it reports false if there is one with the key. Writer.
func (c *Clones[E]) insert(key uint32, clone Clone[E]) bool {
	g := c.current.Load()
	i := g.place(key)
	if g.owners[i].entry.Load() != nil {
		return false
	}
	if g.slots[i].key.Load() == 0 {
		// A quarter of the slots is never filled, so that a search ends soon.
		if 4*(c.filled+1) > 3*len(g.slots) {
			g = c.rebuild(c.Len() + 1)
			i = g.place(key)
		}
		c.filled++
	}
	g.fill(i, key, clone, 0, 0)
	c.live.Add(1)
	return true
}

// remove deletes the clone of key and returns it, and whether there was one.
// Writer.
func (c *Clones[E]) remove(key uint32) (Clone[E], bool) {
	g := c.current.Load()
	i := g.find(key)
	if i < 0 || g.owners[i].entry.Load() == nil {
		return Clone[E]{}, false
	}
	clone := g.clone(i)
	g.owners[i].entry.Store(nil)
	g.slots[i].word.Store(0)
	// Give the memory back after many have gone, such as those of a scan.
	if n := int(c.live.Add(-1)); len(g.slots) > minSlots && 8*n < len(g.slots) {
		c.rebuild(n)
	}
	return clone, true
}

// setFlags gives the clone of key other flags, if there is one. Writer.
func (c *Clones[E]) setFlags(key uint32, flags Flags) {
	g := c.current.Load()
	if i := g.find(key); i >= 0 {
		g.owners[i].flags.Store(uint32(flags))
	}
}

// rebuild publishes a new generation with room for n clones, n being no less than
// their number, and returns it. Writer.
func (c *Clones[E]) rebuild(n int) *generation[E] {
	old, g := c.current.Load(), newGeneration[E](n)
	c.filled = 0
	for i := range old.slots {
		clone, s := old.clone(i), &old.slots[i]
		if clone.Entry == nil {
			continue
		}
		key := s.key.Load()
		g.fill(g.place(key), key, clone, s.used.Load(), s.word.Load())
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
