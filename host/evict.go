package host

import (
	"math/rand/v2"

	"github.com/isat-project/isat/cache"
)

const (
	// evictSample is how many entries are looked at for one to evict. With 16 the
	// chance to miss a class that a tenth of the entries belong to is one in five,
	// and the next attempt looks at others.
	evictSample = 16
	// evictMost is how many are looked at as long as all are in use.
	evictMost = 64
)

// evict makes room for one dynamic entry by removing the least useful of a
// random sample. Entries in use stay: those that are usable and were used since
// they were last validated. It returns false if the sample holds no other.
func (h *Host) evict(ifc *Interface) bool {
	var victim *entry
	best, n := 0, len(ifc.dynamic)
	start := rand.IntN(n)
	for i := 0; i < min(n, evictMost) && (i < evictSample || victim == nil); i++ {
		e := ifc.dynamic[(start+i)%n]
		if n > evictMost {
			e = ifc.dynamic[rand.IntN(n)] // neighbours in the list came together
		}
		if s := e.uselessness(); s > best {
			victim, best = e, s
		}
	}
	if victim == nil {
		return false
	}
	ifc.stats.Evicted++
	h.deleteEntry(victim, errNoRoom)
	return true
}

// uselessness orders entries for eviction, the highest first; 0 stays.
func (e *entry) uselessness() int {
	switch {
	case len(e.waiters) > 0:
		return 0 // a program waits for it, maxtries seconds at the most
	case e.ordered():
		return 0 // an administrator's word; nothing marks it as used
	case e.State() == cache.Down:
		return 1000
	case e.State() == cache.Incomplete:
		return 100 + e.Tries() // it has had that many chances to answer
	case e.used(), e.State() == cache.Verify && e.Waited():
		return 0
	case e.State() == cache.Verify:
		return 1 // its mark was taken when Verify began
	}
	return 2
}
