//go:build linux

package instance_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/instance"
	"github.com/isat-project/isat/internal/testns"
)

// holderVariable in the environment makes the test binary a process that holds
// the lock until it is killed.
const holderVariable = "ISAT_TEST_INSTANCE_HOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(holderVariable) != "" {
		if _, err := instance.Acquire(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("held")
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func acquire(t *testing.T) *instance.Lock {
	t.Helper()
	lock, err := instance.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Release() })
	return lock
}

// requireHeld fails unless the lock is held, by the process if pid is not 0.
func requireHeld(t *testing.T, pid int) {
	t.Helper()
	_, err := instance.Acquire()
	var held *instance.HeldError
	if !errors.As(err, &held) || !errors.Is(err, syscall.EBUSY) {
		t.Fatalf("Acquire: %v, want a HeldError", err)
	}
	holder, found, err := instance.Find()
	if err != nil || !found {
		t.Fatalf("Find: %v, %v", found, err)
	}
	if pid == 0 {
		return
	}
	if held.Holder != holder || holder.PID != pid || holder.UID != os.Getuid() {
		t.Errorf("held by %v, found %v, want process %d", held.Holder, holder, pid)
	}
	if want := fmt.Sprintf("process %d ", pid); !strings.Contains(held.Error(), want) {
		t.Errorf("the error %q does not name %q", held, want)
	}
}

// requireFree fails if the lock is held.
func requireFree(t *testing.T) {
	t.Helper()
	if holder, found, err := instance.Find(); found || err != nil {
		t.Fatalf("Find: %v, %v, %v", holder, found, err)
	}
}

func TestOneHolder(t *testing.T) {
	testns.Enter(t)
	requireFree(t)
	lock := acquire(t)
	requireHeld(t, os.Getpid())
	for range 2 {
		if err := lock.Release(); err != nil {
			t.Fatal(err)
		}
	}
	requireFree(t)
	acquire(t)
	lock.Release() // the first lock's, which is not the second's
	requireHeld(t, os.Getpid())
}

func TestEveryNamespaceHasItsOwn(t *testing.T) {
	testns.Enter(t)
	acquire(t)
	testns.Run(t, func() {
		requireFree(t)
		acquire(t)
		requireHeld(t, os.Getpid())
	})
}

func TestRace(t *testing.T) {
	ns := testns.New(t)
	var won atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			err := ns.Do(func() error {
				_, err := instance.Acquire() // held until the test binary ends
				return err
			})
			var held *instance.HeldError
			switch {
			case err == nil:
				won.Add(1)
			case !errors.As(err, &held):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 have the lock", won.Load())
	}
}

func TestDeathOfTheHolder(t *testing.T) {
	testns.Enter(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), holderVariable+"=1")
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	defer process.Wait()
	defer process.Process.Kill()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the other process does not hold the lock: %v", err)
	}
	requireHeld(t, process.Process.Pid)
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	process.Wait()
	requireFree(t)
	acquire(t)
}

func TestChildrenDoNotHoldTheLock(t *testing.T) {
	testns.Enter(t)
	lock := acquire(t)
	child := exec.Command(testns.Program(t, "sleep"), "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	lock.Release()
	requireFree(t)
	acquire(t)
}

// Nobody accepts the callers' connections. When the queue is full the lock is
// still seen to be held.
func TestManyCallers(t *testing.T) {
	testns.Enter(t)
	lock := acquire(t)
	for range 1000 {
		if _, found, err := instance.Find(); !found || err != nil {
			t.Fatalf("Find: %v, %v", found, err)
		}
	}
	requireHeld(t, 0)
	lock.Release()
	requireFree(t)
}

// A name that is bound and not listened at is held all the same.
func TestNameTakenWithoutListening(t *testing.T) {
	testns.Enter(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@isat-daemon"}); err != nil {
		t.Fatal(err)
	}
	var held *instance.HeldError
	if _, err := instance.Acquire(); !errors.As(err, &held) || held.Holder.PID != 0 {
		t.Errorf("Acquire: %v, want a HeldError without process", err)
	}
}
