//go:build linux

package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// version is the version of the format of both files. A file of another version is
// refused, so raise it only if older programs must not read the file.
const version = 1

// DirMode is the mode of a runtime directory that this package makes. Others must
// be able to pass it, because the control sockets are in it (INTERFACES.md section
// 5). The files are the daemon's alone: isat shows what others may see of them.
const DirMode = 0o755

const fileMode = 0o600

// file is a list of T on the disk, as JSON. A file that is not there is an empty
// list. It keeps nothing in memory.
type file[T any] struct {
	path string
}

// document is the content of a file.
type document[T any] struct {
	Version int `json:"version"`
	List    []T `json:"list"`
}

// open makes the directory, if need be, and returns the file in it.
func open[T any](dir, name string) (file[T], error) {
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, DirMode); err == nil {
			err = os.Chmod(dir, DirMode) // whatever the umask is
		}
	}
	if err != nil {
		return file[T]{}, fmt.Errorf("making the runtime directory: %w", err)
	}
	return file[T]{filepath.Join(dir, name)}, nil
}

// load returns the list. The error is a [*DamagedError] if the file is not what save
// writes.
func (f file[T]) load() ([]T, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var d document[T]
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, &DamagedError{f.path, err}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, &DamagedError{f.path, errors.New("more after the end")}
	}
	if d.Version != version {
		return nil, &DamagedError{f.path, fmt.Errorf("version %d, this isat knows %d", d.Version, version)}
	}
	return d.List, nil
}

// update replaces the list by what change makes of it, under the lock. It writes
// nothing if change fails or returns changed = false.
func (f file[T]) update(change func([]T) (list []T, changed bool, err error)) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	list, err := f.load()
	if err != nil {
		return err
	}
	list, changed, err := change(list)
	if err != nil || !changed {
		return err
	}
	return f.save(list)
}

// save replaces the file. When it returns, the new one is on the disk.
func (f file[T]) save(list []T) (err error) {
	data, err := json.MarshalIndent(document[T]{version, list}, "", "\t")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", f.path, err)
	}
	// One name for all writers, who hold the lock: what a killed one left behind is
	// overwritten by the next.
	temporary := f.path + ".new"
	if err := write(temporary, append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	// The rename itself is durable when the directory is.
	return syncDir(filepath.Dir(f.path))
}

// write makes a file with the data and flushes it to the disk.
func write(path string, data []byte) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := out.Write(data); err != nil {
		return err
	}
	return out.Sync()
}

func syncDir(path string) (err error) {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return dir.Sync()
}

// lock waits until no other process and no other goroutine changes the file. The
// lock ends with the process. It is on a file that only the daemon's user can
// open: anybody could hold one on the directory, which is open to all.
func (f file[T]) lock() (unlock func() error, err error) {
	l, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(l.Fd()), unix.LOCK_EX)
		if err == nil {
			return l.Close, nil
		}
		if err != unix.EINTR {
			l.Close()
			return nil, fmt.Errorf("locking %s: %w", l.Name(), err)
		}
	}
}

// DamagedError is a file of the runtime directory that isat did not write like
// this. It is left as it is, since what it still says may be all that is known of
// the old settings.
type DamagedError struct {
	Path string
	Err  error // what is wrong in it
}

// Error names the file, what is wrong and the remedy.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged or of another isat: %v; repair it, or move it away and set by hand what it lists (mv %[1]s %[1]s.damaged)", e.Path, e.Err)
}

// Unwrap returns what is wrong in the file.
func (e *DamagedError) Unwrap() error { return e.Err }
