package takeover

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/isat-project/isat/internal/guard"
)

// silence is a guard and the interfaces that it is for. It has a lock of its own, so
// that it is refreshed in time whatever else the manager is busy with: a large table
// takes longer to write down, or to compare with the kernel's, than a guard lasts.
// Safe for concurrent use.
type silence struct {
	open func() (*guard.Guard, error)
	log  *slog.Logger

	mu    sync.Mutex
	guard *guard.Guard // nil while there is no interface
	names map[string]bool
}

func newSilence(log *slog.Logger, open func() (*guard.Guard, error)) *silence {
	return &silence{open: open, log: log, names: make(map[string]bool)}
}

// prepare makes the guard's table, which fails if the kernel lacks a feature, and
// silences nothing.
func (s *silence) prepare() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ensure()
}

func (s *silence) ensure() (err error) {
	if s.guard == nil {
		s.guard, err = s.open()
	}
	return err
}

// add silences an interface.
func (s *silence) add(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ensure(); err != nil {
		return err
	}
	s.names[name] = true
	return s.refreshed()
}

// remove ends the silence of an interface. The last one takes the table with it.
func (s *silence) remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, name)
	switch {
	case s.guard == nil:
		return nil
	case len(s.names) > 0:
		return s.guard.Remove(name)
	}
	return s.closed()
}

// rename follows an interface that has another name now.
func (s *silence) rename(old, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.names[old] {
		return nil
	}
	delete(s.names, old)
	s.names[name] = true
	return s.refreshed() // the old name's time runs out
}

// refresh makes the guard last for another [guard.Timeout], and opens one anew that
// somebody has destroyed.
func (s *silence) refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return nil
	}
	return s.refreshed()
}

func (s *silence) refreshed() error {
	names := slices.Sorted(maps.Keys(s.names))
	err := s.guard.Refresh(names)
	if !errors.Is(err, guard.ErrLost) {
		return err
	}
	s.log.Error("the guard's nftables table was destroyed; making it again", "error", err)
	s.guard.Close()
	if s.guard, err = s.open(); err != nil {
		s.guard = nil
		return err
	}
	return s.guard.Refresh(names)
}

// counters returns what the guard has dropped.
func (s *silence) counters() (guard.Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return guard.Counters{}, nil
	}
	return s.guard.Counters()
}

// close ends every silence.
func (s *silence) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.names)
	if s.guard == nil {
		return nil
	}
	return s.closed()
}

func (s *silence) closed() error {
	err := s.guard.Close()
	s.guard = nil
	return err
}
