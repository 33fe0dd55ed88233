package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/config"
)

// usageError is a wrong command line: exit status 2.
type usageError struct{ error }

// errTold is the error of a command that has told its errors already, and only
// the exit status is left.
var errTold = errors.New("failed")

// fail tells err on standard error and returns the exit status; a nil err is
// success.
func (a *app) fail(err error) int {
	var u usageError
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errTold):
		return statusFailed
	case errors.As(err, &u):
		a.tell("isat", err)
		return statusUsage
	}
	a.tell("isat", err)
	return statusFailed
}

// tell writes err to standard error, each of its lines after the name of the
// program.
func (a *app) tell(program string, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(a.stderr, "%s: %s\n", program, strings.TrimSuffix(line, "\n"))
	}
}

// socketPath returns where the daemon is expected.
func (a *app) socketPath() string {
	if a.socket == "" {
		return config.Socket
	}
	return a.socket
}

// client returns a client of the daemon. It does not connect yet.
func (a *app) client() *api.Client { return api.NewClient(a.socketPath()) }

// hostDown is the text of EHOSTDOWN in errno(3), which scripts look for.
const hostDown = "host is down"

// explain makes an error of a request to the daemon one for people: what was
// being done, why it failed, and the remedy where there is one. It keeps the
// errno. A nil err stays nil.
func (a *app) explain(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	err = withoutErrno(err)
	var dial *net.OpError
	var refused *api.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &dial) && dial.Op == "dial":
		return a.explainDial(err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted", what)
	case errors.Is(err, syscall.EHOSTDOWN) && !strings.Contains(err.Error(), hostDown):
		return told{what + ": " + hostDown, err}
	case errors.Is(err, syscall.EPERM) && a.uid > 0:
		return told{what + ": " + err.Error() + `: try it as root, with "sudo"`, err}
	case errors.As(err, &refused) && strings.HasPrefix(refused.Text, what):
		return err // the daemon says it in the same words
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return told{what + ": the daemon ended before it answered", err}
	}
	return told{what + ": " + strings.ReplaceAll(err.Error(), "\n", "\n"+what+": "), err}
}

// withoutErrno drops the text of an errno from the end of what the daemon says,
// where the reason stands already and "invalid argument" adds nothing.
func withoutErrno(err error) error {
	var e *api.Error
	if !errors.As(err, &e) {
		return err
	}
	for _, errno := range []syscall.Errno{syscall.EINVAL, syscall.ENOENT, syscall.ENXIO, syscall.EEXIST} {
		if why := strings.TrimSuffix(e.Text, errno.Error()); errors.Is(e, errno) && why != "" {
			return &api.Error{Text: strings.TrimRight(why, ": "), Errno: e.Errno, Status: e.Status}
		}
	}
	return err
}

// told is an error with a text that replaces that of the error it wraps.
type told struct {
	text string
	err  error
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.err }

// verbatim returns an error in the words of an older program, whatever our habits
// are.
func verbatim(format string, args ...any) error { return told{text: fmt.Sprintf(format, args...)} }

// explainDial tells why there is no connection to the daemon.
func (a *app) explainDial(err error) error {
	what := "connecting to " + a.socketPath()
	switch {
	case runtime.GOOS != "linux":
		return told{what + `: no daemon there: it needs Linux: try "isat lab"`, err}
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return told{what + `: no daemon there: start one with "isat run IFNAME"`, err}
	case errors.Is(err, syscall.EACCES):
		return told{what + ": permission denied: the directory is closed to this user", err}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// needsLinux is the error of a program that is missing on this system.
func needsLinux(what string) error {
	if runtime.GOOS == "linux" {
		return fmt.Errorf("%s: this isat was built without it", what)
	}
	return fmt.Errorf("%s: needs Linux", what)
}
