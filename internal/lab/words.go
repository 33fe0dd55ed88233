package lab

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// count renders a number of things.
func count(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(thing, "y"))
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// times renders how often something happened.
func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// milliseconds renders a short time.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// seconds renders a longer one.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// errorText returns the text of the errno in err, and err's own without one.
func errorText(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case err == nil:
		return "no error"
	}
	return err.Error()
}

// errnoText returns the name and the text of the errno in err, and err's own
// without one.
func errnoText(err error) string {
	for errno, name := range map[syscall.Errno]string{
		syscall.EHOSTDOWN: "EHOSTDOWN", syscall.EHOSTUNREACH: "EHOSTUNREACH", syscall.EINVAL: "EINVAL",
	} {
		if errors.Is(err, errno) {
			return fmt.Sprintf("%s, %q", name, errno.Error())
		}
	}
	return errorText(err)
}
