package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// insideEnv names the variable that tells this program that it is the one inside
// the namespaces, and the directory for its files. The one outside made the
// directory and removes it.
const insideEnv = "ISAT_LAB_INSIDE"

// run plays outside or inside of the lab's namespaces, whichever this process is.
func run(ctx context.Context, o Options) (ok bool, err error) {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
	defer stop()
	if dir := os.Getenv(insideEnv); dir != "" {
		return o.inside(ctx, dir)
	}
	return o.outside(ctx)
}

// outside runs this program again in namespaces of its own and waits for it.
func (o Options) outside(ctx context.Context) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "isat-lab-")
	if err != nil {
		return false, fmt.Errorf("making a directory for the lab: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	// The kernel binds PR_SET_PDEATHSIG to the thread that forks (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var refused error
	for _, flags := range cloneFlags(os.Geteuid()) {
		cmd := o.again(ctx, dir, flags)
		if err := cmd.Start(); err != nil {
			refused = err
			continue
		}
		return finished(cmd, cmd.Wait())
	}
	if r := explain(refused, readSysctl); r != nil {
		return o.playSegment(ctx, r)
	}
	return false, fmt.Errorf("running the lab in namespaces of its own: %w", refused)
}

// cloneFlags returns the kinds of namespaces to try, in order. Root needs no user
// namespace, unless it is root of a container without CAP_SYS_ADMIN.
func cloneFlags(euid int) []uintptr {
	user := uintptr(unix.CLONE_NEWUSER | unix.CLONE_NEWNET)
	if euid == 0 {
		return []uintptr{unix.CLONE_NEWNET, user}
	}
	return []uintptr{user}
}

// stopDelay is how long the process inside may take to clear up when ctx ends.
const stopDelay = 15 * time.Second

// again returns the command that runs this program inside.
func (o Options) again(ctx context.Context, dir string, flags uintptr) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", o.arguments()...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = o.Stdout, o.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = stopDelay
	// SIGTERM and not SIGKILL: if this process is killed, the one inside clears up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: unix.SIGTERM}
	if flags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// arguments returns the command line of `isat lab` that has these options.
func (o Options) arguments() []string {
	args := []string{"lab"}
	if o.Once {
		args = append(args, "--once")
	}
	if o.JSON {
		args = append(args, "--json")
	}
	if o.RequireAll {
		args = append(args, "--require", "all")
	}
	if o.Pcap != "" {
		args = append(args, "--pcap", o.Pcap)
	}
	return append(args, o.Scenarios...)
}

// finished turns the end of the process inside into what [Run] returns. That
// process has told its own errors on standard error already.
func finished(cmd *exec.Cmd, err error) (ok bool, _ error) {
	if state := cmd.ProcessState; state != nil && state.Exited() {
		return state.Success(), nil // err may be of ctx, which ended a lab that stays up
	}
	return false, fmt.Errorf("the lab: %w", err)
}
