package host

import (
	"math/rand/v2"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/route"
)

// evictSample is how many entries are looked at for one to evict. With 16 the
// chance to miss a class that a tenth of the entries belong to is one in five,
// and the next attempt looks at others.
const evictSample = 16

// evict makes room for one dynamic entry by removing the least useful of a
// random sample. Entries in use stay: those that are usable and were used since
// they were last validated. It returns false if the sample holds no other.
func (h *Host) evict(ifc *Interface) bool {
	var victim *entry
	best := 0
	for range evictSample {
		e := ifc.dynamic[rand.IntN(len(ifc.dynamic))]
		if s := e.uselessness(); s > best {
			victim, best = e, s
		}
	}
	if victim == nil {
		return false
	}
	ifc.stats.Evicted++
	h.record(event.Event{Type: event.Deleted, Interface: ifc.name, IP: victim.ip, MAC: victim.Addr()})
	h.remove(victim)
	return true
}

// uselessness orders entries for eviction, the highest first; 0 stays.
func (e *entry) uselessness() int {
	switch e.State() {
	case cache.Down:
		return 1000
	case cache.Incomplete:
		return 100 + e.Tries() // it has had that many chances to answer
	}
	if slot := e.network.Clones().Find(route.Key(e.ip)); slot != nil && slot.Used() {
		return 0
	}
	return 1
}
