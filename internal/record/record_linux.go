//go:build linux

package record

import (
	"fmt"
	"slices"
	"time"
)

// Record is one kernel setting that isat changes.
type Record struct {
	Scope
	// Kind says what kind of setting it is and so who can read and write it, such
	// as "neigh-param" or "conf". It, Index and Key together name the setting.
	Kind string `json:"kind"`
	// Index is the interface that the setting belongs to, 0 if it is the host's.
	Index int `json:"index,omitzero"`
	// Name is the interface's name when the record was put, for people to read: an
	// interface that is renamed keeps its index.
	Name string `json:"name,omitzero"`
	// Key is the setting within its kind, such as "app_probes".
	Key string `json:"key"`
	// Old is the value to put back, as the kernel gives it.
	Old string `json:"old"`
	// New is the value that isat sets, as the kernel will give it. It must be the
	// value that is read back, or the setting will look like somebody else's.
	New string `json:"new"`
	// Prior is the value of isat's that New replaces, while it may still be there;
	// otherwise it equals New. [Store.Put] sets it.
	Prior string `json:"prior"`
	// Time is when the first value was put. Put sets it.
	Time time.Time `json:"time"`
}

// String is the setting for people to read: "neigh-param app_probes of eth0".
func (r Record) String() string {
	if r.Index == 0 {
		return fmt.Sprintf("%s %s", r.Kind, r.Key)
	}
	return fmt.Sprintf("%s %s of %s", r.Kind, r.Key, r.Name)
}

// same reports whether r and s are of one setting.
func (r Record) same(s Record) bool {
	return r.Scope == s.Scope && r.Kind == s.Kind && r.Index == s.Index && r.Key == s.Key
}

// ours reports whether a value that is there now is one that isat set.
func (r Record) ours(value string) bool { return value == r.New || value == r.Prior }

// follow returns the record that stands after next is put over r.
func (r Record) follow(next Record) Record {
	switch {
	case r.ours(next.Old):
		// The value that is there is isat's. It will be there until New is set.
		next.Prior = next.Old
	case next.Old == r.Old:
		// Nothing was set yet, or the caller remembers the old value and did not
		// look: what isat set before may be there.
		next.Prior = r.New
	default:
		// Somebody else set it since, so r is void, as Restore would find.
		return next
	}
	next.Old, next.Time = r.Old, r.Time
	return next
}

// Store keeps the records of one runtime directory. It reads the file at every
// call, so that any number of processes may use one directory. Safe for concurrent
// use.
type Store struct {
	file file[Record]
	here Scope
}

// Open returns the store in a directory, which is made if need be, for the scope
// that the calling thread is in (see [Here]) and that the program changes.
func Open(dir string, here Scope) (*Store, error) {
	f, err := open[Record](dir, "records.json")
	if err != nil {
		return nil, err
	}
	return &Store{f, here}, nil
}

// Put writes down what the caller is about to change: all records or, if there is
// an error, none. When Put returns, the records are on the disk; only then may the
// settings be changed.
//
// The caller gives Kind, Index, Name, Key, Old (the value that is there now) and
// New. If the setting has a record already, that one's Old stays: the first record
// wins until it is restored, also over several daemons that were killed. There is
// one exception: if the value that is there now is neither that record's Old nor
// one that isat set, somebody else has changed it since, and it is their value
// that will be put back.
//
// A setting without a record whose Old equals New gets none: there is nothing to
// put back. Records of another boot are dropped.
func (s *Store) Put(records ...Record) error {
	err := s.file.update(func(list []Record) ([]Record, bool, error) {
		list = slices.DeleteFunc(list, s.anotherBoot)
		for _, r := range records {
			r.Scope, r.Prior, r.Time = s.here, r.New, time.Now().UTC().Round(0)
			i := slices.IndexFunc(list, r.same)
			switch {
			case i >= 0:
				list[i] = list[i].follow(r)
			case r.Old != r.New:
				list = append(list, r)
			}
		}
		return list, true, nil
	})
	if err != nil {
		return fmt.Errorf("recording settings before they are changed: %w", err)
	}
	return nil
}

// List returns the records of this boot in the order in which they were put: those
// of this network namespace, and those of others in elsewhere.
func (s *Store) List() (here, elsewhere []Record, err error) {
	list, err := s.file.load()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the records: %w", err)
	}
	for _, r := range list {
		switch {
		case r.Scope == s.here:
			here = append(here, r)
		case !s.anotherBoot(r):
			elsewhere = append(elsewhere, r)
		}
	}
	return here, elsewhere, nil
}

// Remove drops the records of this network namespace that match, without putting
// anything back.
func (s *Store) Remove(match func(Record) bool) error {
	return s.drop(func(r Record) bool { return r.Scope == s.here && match(r) })
}

// drop deletes the records that match, and those of another boot.
func (s *Store) drop(match func(Record) bool) error {
	err := s.file.update(func(list []Record) ([]Record, bool, error) {
		before := len(list)
		list = slices.DeleteFunc(list, func(r Record) bool { return s.anotherBoot(r) || match(r) })
		return list, len(list) != before, nil
	})
	if err != nil {
		return fmt.Errorf("dropping records: %w", err)
	}
	return nil
}

func (s *Store) anotherBoot(r Record) bool { return r.Boot != s.here.Boot }
