package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Result is what came of a program that has ended.
type Result struct {
	Args           []string
	Stdout, Stderr string
	Code           int // -1 if a signal ended it
}

// Run runs a program on the host and waits for it, whatever its exit status.
func (h *Host) Run(args ...string) Result { h.t.Helper(); return h.RunIn("", args...) }

// RunIn is Run with a standard input.
func (h *Host) RunIn(input string, args ...string) Result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	cmd.WaitDelay = patience // a busy machine may be slow to read what an ended program wrote
	if err := h.NS.Do(cmd.Start); err != nil {
		h.t.Fatalf("%s: %v: %v", h.Name, args, err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		h.t.Fatalf("%s: %v: %v %v\n%s%s", h.Name, args, err, ctx.Err(), &stdout, &stderr)
	}
	return Result{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Must is Run of a program that has to exit with status 0. It returns its standard
// output.
func (h *Host) Must(args ...string) string {
	h.t.Helper()
	r := h.Run(args...)
	if r.Code != 0 {
		h.t.Fatalf("%s: %v: exit status %d\n%s%s", h.Name, args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Process is a program in the background. It is ended with the test, and killed
// by the kernel if the test's process dies.
type Process struct {
	*os.Process

	cmd    *exec.Cmd
	output *buffer
	done   chan struct{}
	err    error // of Wait; read after done is closed
}

// Start starts a program on the host. At the end of the test it gets SIGTERM.
func (h *Host) Start(args ...string) *Process {
	h.t.Helper()
	p := h.start(exec.Command(args[0], args[1:]...))
	h.t.Cleanup(func() { p.End(h.t, syscall.SIGTERM) })
	return p
}

// start starts cmd with both its outputs in one buffer. The caller ends it.
func (h *Host) start(cmd *exec.Cmd) *Process {
	h.t.Helper()
	p := &Process{cmd: cmd, output: &buffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	started := make(chan error)
	go func() {
		defer close(p.done)
		// PR_SET_PDEATHSIG is bound to the thread that forked (prctl(2)), which
		// therefore stays as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := h.NS.Do(cmd.Start)
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		h.t.Fatalf("%s: starting %v: %v", h.Name, cmd.Args, err)
	}
	p.Process = cmd.Process
	return p
}

// Output returns what the program has written so far, to either output.
func (p *Process) Output() string { return p.output.String() }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Code waits for the end of the program and returns its exit status, -1 if a
// signal ended it.
func (p *Process) Code() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// End sends a signal, kills the program if it does not end by it, which fails the
// test, and returns the exit status.
func (p *Process) End(t testing.TB, s syscall.Signal) int {
	t.Helper()
	_ = p.Signal(s) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.Kill()
		t.Errorf("%v does not end by %v\n%s", p.cmd.Args, s, p.Output())
	}
	return p.Code()
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
