//go:build linux

package record

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Settings is the kernel's side of the records: it reads and writes the settings
// of every kind that was put.
type Settings interface {
	// Interface returns the name of the interface with that index, or an error
	// wrapping ENODEV if there is none.
	Interface(index int) (name string, err error)
	// Get returns the value that is there now. The error wraps ENODEV or ENOENT if
	// the setting went with what it belonged to.
	Get(Record) (value string, err error)
	// Set sets the value. Errors as Get.
	Set(r Record, value string) error
}

// Outcome is what Restore did about one record.
type Outcome int

// The outcomes. Only after Failed and Elsewhere the record is kept.
const (
	Restored  Outcome = iota // the old value is there again
	Unchanged                // the old value was there already
	Foreign                  // somebody else set the value that is there: left alone
	Vanished                 // its interface is gone and the setting with it
	Failed                   // reading or setting it failed
	Elsewhere                // it is of another network namespace: left alone
)

// String is the outcome for people to read.
func (o Outcome) String() string {
	switch o {
	case Restored:
		return "restored"
	case Unchanged:
		return "unchanged"
	case Foreign:
		return "left alone"
	case Vanished:
		return "vanished"
	case Failed:
		return "failed"
	case Elsewhere:
		return "elsewhere"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// Result is a record and what Restore did about it.
type Result struct {
	Record  Record
	Outcome Outcome
	Present string // the value that was there, unless the outcome is Vanished, Failed or Elsewhere
	Name    string // what its interface is called now, "" if unknown
	Err     error  // of Failed
}

// String is one line for people to read.
func (r Result) String() string {
	switch r.Outcome {
	case Restored:
		return fmt.Sprintf("%v: %s, was %s", r.setting(), r.Record.Old, r.Present)
	case Unchanged:
		return fmt.Sprintf("%v: %s already", r.setting(), r.Record.Old)
	case Foreign:
		return fmt.Sprintf("%v: left at %s, which isat did not set (isat set %s and found %s)", r.setting(), r.Present, r.Record.New, r.Record.Old)
	case Vanished:
		return fmt.Sprintf("%v: gone with its interface", r.setting())
	case Failed:
		return fmt.Sprintf("%v: %v", r.setting(), r.Err)
	}
	return fmt.Sprintf("%v: belongs to another network namespace (cookie %s)", r.setting(), r.Record.NetNS)
}

// setting names the setting and, if the interface was renamed, both names.
func (r Result) setting() string {
	if r.Name == "" || r.Name == r.Record.Name {
		return r.Record.String()
	}
	return fmt.Sprintf("%v (now %s)", r.Record, r.Name)
}

// Restore puts back what isat changed, in the reverse of the order in which it was
// put, for the records that match; nil matches all. It returns what it did about
// each, and the errors of those that failed, joined. Records that are done are
// dropped, so that running it again does no harm: also when it is killed in
// between, since a value that is put back already is left as it is.
//
// A record applies only if it is of this boot and namespace and the value that is
// there is one that isat set. An interface is known by its index: a renamed one
// keeps it, and one that was deleted and made again has another, and the kernel's
// defaults. When ctx ends, Restore stops before the next record and returns its
// cause with the other errors.
func (s *Store) Restore(ctx context.Context, settings Settings, match func(Record) bool) ([]Result, error) {
	list, err := s.file.load()
	if err != nil {
		return nil, fmt.Errorf("reading what to restore: %w", err)
	}
	var results []Result
	var done []Record
	var failures error
	for _, r := range slices.Backward(list) {
		if s.anotherBoot(r) || match != nil && !match(r) {
			continue
		}
		if ctx.Err() != nil {
			failures = errors.Join(failures, fmt.Errorf("restoring %v: %w", r, context.Cause(ctx)))
			break
		}
		result := s.restore(settings, r)
		results = append(results, result)
		switch result.Outcome {
		case Failed:
			failures = errors.Join(failures, fmt.Errorf("restoring %s: %w", result.setting(), result.Err))
		case Elsewhere:
		default:
			done = append(done, r)
		}
	}
	// A record that another process has put anew since is another record. (Both
	// were read from the file, so == compares their times rightly.)
	err = s.drop(func(r Record) bool { return slices.Contains(done, r) })
	return results, errors.Join(failures, err)
}

// restore does what is to be done about one record of this boot.
func (s *Store) restore(settings Settings, r Record) Result {
	if r.Scope != s.here {
		return Result{Record: r, Outcome: Elsewhere}
	}
	var name string
	if r.Index != 0 {
		var err error
		if name, err = settings.Interface(r.Index); err != nil {
			return unreadable(r, name, err)
		}
	}
	present, err := settings.Get(r)
	if err != nil {
		return unreadable(r, name, err)
	}
	result := Result{Record: r, Present: present, Name: name}
	switch {
	case present == r.Old:
		result.Outcome = Unchanged
	case !r.ours(present):
		result.Outcome = Foreign
	default:
		if err := settings.Set(r, r.Old); err != nil {
			return unreadable(r, name, err)
		}
		result.Outcome = Restored
	}
	return result
}

// unreadable is the result for a setting that cannot be read or set.
func unreadable(r Record, name string, err error) Result {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
		return Result{Record: r, Outcome: Vanished}
	}
	return Result{Record: r, Outcome: Failed, Name: name, Err: err}
}
