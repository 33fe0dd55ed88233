package cache

import "github.com/isat-project/isat/lladdr"

// Word is what the path that only reads needs of an entry, in one atomic word:
// whether packets may be sent, and the six-byte address to send them to.
// The zero Word is not usable.
//
//	 63      62      61     60 .. 48   47 .................. 0
//	usable  longer  watch      0       address, first byte high
type Word uint64

const (
	wordUsable Word = 1 << 63
	wordLonger Word = 1 << 62
	wordWatch  Word = 1 << 61
)

// MakeWord returns the word of an entry in a state with an address.
func MakeWord(s State, a lladdr.Addr) Word {
	if !s.Usable() {
		return 0
	}
	w := wordUsable
	if s == Verify {
		w |= wordWatch
	}
	b, ok := a.As6()
	if !ok {
		return w | wordLonger
	}
	return w | Word(b[0])<<40 | Word(b[1])<<32 | Word(b[2])<<24 | Word(b[3])<<16 | Word(b[4])<<8 | Word(b[5])
}

// Usable reports whether packets may be sent.
func (w Word) Usable() bool { return w&wordUsable != 0 }

// Longer reports whether the address has another length than six bytes and is
// to be had from the entry.
func (w Word) Longer() bool { return w&wordLonger != 0 }

// Watched reports whether the entry is in state [Verify] and waits to hear that
// it is in use.
func (w Word) Watched() bool { return w&wordWatch != 0 }

// Addr returns the six-byte address. It has no meaning if w is not usable or
// longer.
func (w Word) Addr() lladdr.Addr {
	return lladdr.From6([6]byte{byte(w >> 40), byte(w >> 32), byte(w >> 24), byte(w >> 16), byte(w >> 8), byte(w)})
}
