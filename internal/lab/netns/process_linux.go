package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Process is a child process in a network namespace. It never outlives its
// parent: the kernel kills it when the parent dies, however that happens.
type Process struct {
	process *os.Process
	done    chan struct{}
	err     error // of Wait; read after done is closed
}

// Start starts cmd in the namespace and in a process group of its own, so that
// the terminal's Ctrl-C reaches the parent alone, which ends its children in
// order. It sets cmd.SysProcAttr.
func (n *NS) Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		// PR_SET_PDEATHSIG is bound to the thread that forked, not to its process
		// (prctl(2)). So that thread stays locked here as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
		err := n.Do(cmd.Start)
		if err == nil {
			p.process = cmd.Process
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.process.Pid }

// Signal sends a signal. After the end of the process the error is
// [os.ErrProcessDone]; it never reaches another process with the same id.
func (p *Process) Signal(s syscall.Signal) error { return p.process.Signal(s) }

// Stop sends SIGSTOP and returns when no thread of the process runs any more: the
// signal alone leaves it the time to do something yet.
func (p *Process) Stop() error {
	if err := p.Signal(unix.SIGSTOP); err != nil {
		return err
	}
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, p.PID(), &info, unix.WSTOPPED, nil)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("waitid", err)
		}
	}
}

// Done is closed when the process has ended and its output has been copied.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait blocks until the process has ended and returns what [exec.Cmd.Wait] does.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}
