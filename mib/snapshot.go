package mib

import "maps"

// snapshot is the settings in force at one time. It is immutable.
type snapshot struct {
	host         *Settings
	perInterface map[string]*Settings // of the interfaces with a value of their own
}

// Settings returns the tunables in force on an interface, or those of the whole
// host if ifname is "" or the interface has none of its own. It takes no lock
// and does not allocate.
func (t *Tree) Settings(ifname string) *Settings {
	s := t.snapshot.Load()
	if own, ok := s.perInterface[ifname]; ok {
		return own
	}
	return s.host
}

// publishLocked makes the snapshot anew after a change of the values of ifname.
// Those of other interfaces follow if it is "", the whole host.
func (t *Tree) publishLocked(ifname string) {
	next := &snapshot{perInterface: make(map[string]*Settings, len(t.values))}
	if ifname == "" {
		next.host = t.settingsLocked("")
		for name := range t.values {
			if name != "" {
				next.perInterface[name] = t.settingsLocked(name)
			}
		}
	} else {
		old := t.snapshot.Load()
		next.host = old.host
		maps.Copy(next.perInterface, old.perInterface)
		delete(next.perInterface, ifname)
		if _, ok := t.values[ifname]; ok {
			next.perInterface[ifname] = t.settingsLocked(ifname)
		}
	}
	t.snapshot.Store(next)
}

func (t *Tree) settingsLocked(ifname string) *Settings {
	return newSettings(func(name string) (Node, int64) {
		n, err := t.nodeLocked(name)
		if err != nil {
			panic("mib: " + err.Error()) // newSettings asks for nodes of the table only
		}
		return n, t.valueLocked(n, ifname)
	})
}
