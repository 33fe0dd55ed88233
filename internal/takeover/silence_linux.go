package takeover

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/isat-project/isat/internal/guard"
)

// silence is a guard and the interfaces, or addresses, that it is for. It has a
// lock of its own, so that it is refreshed in time whatever else the manager is
// busy with: a large table takes longer to write down, or to compare with the
// kernel's, than a guard lasts. Safe for concurrent use.
type silence[K guard.Key] struct {
	open func() (*guard.Guard[K], error)
	log  *slog.Logger

	mu    sync.Mutex
	guard *guard.Guard[K] // nil while there is no key, unless it is held
	keys  map[K]bool
	held  bool
}

func newSilence[K guard.Key](log *slog.Logger, open func() (*guard.Guard[K], error)) *silence[K] {
	return &silence[K]{open: open, log: log, keys: make(map[K]bool)}
}

// prepare makes the guard's table, which fails if the kernel lacks a feature, and
// silences nothing.
func (s *silence[K]) prepare() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ensure()
}

func (s *silence[K]) ensure() (err error) {
	if s.guard == nil {
		s.guard, err = s.open()
	}
	return err
}

// hold makes the guard's table and keeps it, whether there is a key or not: to make
// it takes much longer than to add a key. release ends that.
func (s *silence[K]) hold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ensure(); err != nil {
		return err
	}
	s.held = true
	return nil
}

func (s *silence[K]) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if s.guard == nil || len(s.keys) > 0 {
		return nil
	}
	return s.closed()
}

// add silences keys.
func (s *silence[K]) add(keys ...K) error {
	if len(keys) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ensure(); err != nil {
		return err
	}
	for _, k := range keys {
		s.keys[k] = true
	}
	if err := s.guard.Add(keys...); !errors.Is(err, guard.ErrLost) {
		return err
	}
	return s.refreshed()
}

// fewKeys is how many keys are removed one by one; to write all the others anew
// costs less than to remove many.
const fewKeys = 16

// remove ends the silence of keys. The last one takes the table with it, unless that
// is held.
func (s *silence[K]) remove(keys ...K) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var there []K
	for _, k := range keys {
		if s.keys[k] {
			there = append(there, k)
			delete(s.keys, k)
		}
	}
	switch {
	case s.guard == nil:
		return nil
	case len(s.keys) == 0 && !s.held:
		return s.closed()
	case len(there) > fewKeys:
		return s.refreshed()
	}
	var errs []error
	for _, k := range there {
		errs = append(errs, s.guard.Remove(k))
	}
	return errors.Join(errs...)
}

// rename follows an interface that has another name now.
func (s *silence[K]) rename(old, key K) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.keys[old] {
		return nil
	}
	delete(s.keys, old)
	s.keys[key] = true
	return s.refreshed() // the old name's time runs out
}

// refresh makes the guard last for another [guard.Timeout], and opens one anew that
// somebody has destroyed.
func (s *silence[K]) refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return nil
	}
	return s.refreshed()
}

func (s *silence[K]) refreshed() error {
	keys := slices.Collect(maps.Keys(s.keys))
	err := s.guard.Refresh(keys)
	if !errors.Is(err, guard.ErrLost) {
		return err
	}
	s.log.Error("the guard's nftables table was destroyed; making it again", "error", err)
	s.guard.Close()
	if s.guard, err = s.open(); err != nil {
		s.guard = nil
		return err
	}
	return s.guard.Refresh(keys)
}

// counters returns what the guard has dropped.
func (s *silence[K]) counters() (guard.Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return guard.Counters{}, nil
	}
	return s.guard.Counters()
}

// close ends every silence.
func (s *silence[K]) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.keys)
	if s.guard == nil {
		return nil
	}
	return s.closed()
}

func (s *silence[K]) closed() error {
	err := s.guard.Close()
	s.guard = nil
	return err
}
