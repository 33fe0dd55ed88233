//go:build linux

package record

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// writerVariable in the environment makes the test binary a process that records
// and sets values in the directory that it names until it is killed.
const writerVariable = "ISAT_TEST_RECORD_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerVariable); dir != "" {
		fmt.Fprintln(os.Stderr, writeOn(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// original is the value that was there before any writer.
const original = "0000"

// kernel is one setting, kept in a file so that it outlives the writer, as the
// kernel's does. All values have the length of original and are written by one
// system call, so a kill finds the one or the other.
type kernel struct{ path string }

func (k kernel) Interface(int) (string, error) { return "eth0", nil }

func (k kernel) Get(Record) (string, error) {
	value, err := os.ReadFile(k.path)
	return string(value), err
}

func (k kernel) Set(_ Record, value string) error {
	f, err := os.OpenFile(k.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte(value), 0)
	return err
}

// writeOn does what daemons do: record, set, and now and then restore. A line on
// standard output says that a value was set.
func writeOn(dir string) error {
	k := kernel{filepath.Join(dir, "kernel")}
	s, err := Open(dir, here)
	if err != nil {
		return err
	}
	for {
		present, err := k.Get(Record{})
		if err != nil {
			return err
		}
		r := setting(present, fmt.Sprintf("%04d", 1+rand.IntN(5)))
		if err := s.Put(r); err != nil {
			return err
		}
		if err := k.Set(r, r.New); err != nil {
			return err
		}
		fmt.Println("set")
		if rand.IntN(4) == 0 {
			if _, err := s.Restore(context.Background(), k, nil); err != nil {
				return err
			}
		}
	}
}

// Whenever the writer is killed, the file is whole and whatever is set can be put
// back to what it was before the first one.
func TestKillAtAnyInstant(t *testing.T) {
	dir := t.TempDir()
	k := kernel{filepath.Join(dir, "kernel")}
	if err := k.Set(Record{}, original); err != nil {
		t.Fatal(err)
	}
	s := store(t, dir, here)
	changed := 0
	for i := range 50 {
		writeUntilKilled(t, dir, rand.N(20*time.Millisecond))
		present, err := k.Get(Record{})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := s.List()
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		if present != original {
			changed++
			if len(list) != 1 || list[0].Old != original || !list[0].ours(present) {
				t.Fatalf("kill %d: the value is %s, the records are %+v", i, present, list)
			}
		}
		if i%5 != 0 { // the next writer finds what this one left
			continue
		}
		results, err := s.Restore(t.Context(), k, nil)
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		if present, err := k.Get(Record{}); err != nil || present != original {
			t.Fatalf("kill %d: after %v the value is %s, %v", i, results, present, err)
		}
	}
	if changed == 0 {
		t.Error("no kill found a value that was changed: the test has shown nothing")
	}
}

// writeUntilKilled runs a writer and kills it some time after it has set a value.
func writeUntilKilled(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	writer := exec.Command(self)
	writer.Env = append(os.Environ(), writerVariable+"="+dir)
	writer.Stderr = os.Stderr
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	defer writer.Wait()
	defer writer.Process.Kill()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the writer set nothing: %v", err)
	}
	time.Sleep(after)
}
