package compat

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/ioctl"
)

// What the library of these tests waits for a server, in milliseconds: short for
// those that do not answer, and longer than a busy machine needs for others.
const (
	short = 300
	long  = 60_000
)

// TestFixed is compat/fuzz_server.c without a fuzzer, under the address and the
// undefined behaviour sanitizer.
func TestFixed(t *testing.T) {
	t.Parallel()
	program := build(t, "fuzz_fixed")
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0") // for which it has to trace itself; the library has no heap
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := testns.New(t).Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	t.Log(out.String())
}

// program is an unmodified program: it prints the errno of each ioctl, and what is
// in /proc/net/arp.
const program = `
import errno, fcntl, _socket as socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
pa = struct.pack("=HH4s", socket.AF_INET, 0, bytes([192, 0, 2, 9]))
for name, number, size in ("SET", 0x800069a6, 512), ("GET", 0xc00069a7, 512), ("GET", 0x8954, 68):
    try:
        fcntl.ioctl(s, number, bytearray(pa.ljust(size, b"\0")))
        print(name, 0)
    except OSError as e:
        print(name, errno.errorcode[e.errno])
print(open("/proc/net/arp").read(), end="")
`

// play runs the program in a network namespace of its own with the library, for a
// socket in a directory, and returns what it prints of the ioctls and, after the
// kernel's, of the table.
func play(t *testing.T, library, dir string) (errnos, table string) {
	t.Helper()
	cmd := exec.Command(testns.Program(t, "python3"), "-IS", "-c", program)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+library, "ISAT_SOCKET="+filepath.Join(dir, "isat.sock"))
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := testns.New(t).Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	errnos, table, ok := strings.Cut(out.String(), "\nIP address       HW type     Flags       HW address            Mask     Device\n")
	if !ok {
		t.Fatalf("it prints\n%s", &out)
	}
	return strings.ReplaceAll(errnos, "\n", ", "), table
}

// listen makes a directory with ioctl.sock.
func listen(t *testing.T) (l *net.UnixListener, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "compat") // not t.TempDir: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, "ioctl.sock"), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, dir
}

// serve answers each packet with what answer returns, and hangs up after nil.
func serve(l *net.UnixListener, answer func(ioctl.Request) []byte) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for b := make([]byte, ioctl.MaxRequest); ; {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				r, err := ioctl.ParseRequest(b[:n])
				if err != nil {
					fmt.Fprintln(os.Stderr, "the library sends:", err)
					return
				}
				packet := answer(r)
				if packet == nil {
					return
				}
				if _, err := c.Write(packet); err != nil {
					return
				}
			}
		}()
	}
}

// good returns the answer that the library waits for.
func good(r ioctl.Request) []byte {
	a := ioctl.Answer{}
	if r.Command.Operation() == ioctl.Get {
		a.Arg = r.Arg
	}
	return a.AppendTo(nil)
}

// TestServers has servers that do not do what the daemon does.
func TestServers(t *testing.T) {
	t.Parallel()
	patient := func(ms int) string { return build(t, "libisat-ioctl.so", fmt.Sprintf("CPPFLAGS=-DPATIENCE=%d", ms)) }
	library, impatient := patient(long), patient(short)
	line := strings.Repeat("x", 87) + "\n"
	lines := func(text string) func(ioctl.Request) []byte {
		last := false
		return func(r ioctl.Request) []byte {
			a := ioctl.Answer{}
			if r.Command != ioctl.Table {
				return good(r)
			}
			if !last {
				a.Arg = []byte(text)
			}
			last = !last
			return a.AppendTo(nil)
		}
	}
	// args has all answers but those of privilege made by f.
	args := func(f func(good []byte) []byte) func(ioctl.Request) []byte {
		return func(r ioctl.Request) []byte {
			if len(r.Arg) == 0 && r.Command != ioctl.Table {
				return good(r)
			}
			return f(good(r))
		}
	}
	errno := func(e syscall.Errno) func([]byte) []byte {
		return func([]byte) []byte { return ioctl.Answer{Errno: e}.AppendTo(nil) }
	}
	const done = "SET 0, GET 0, GET 0"
	for name, tt := range map[string]struct {
		answer       func(ioctl.Request) []byte
		errnos, text string
	}{
		"good":             {lines(line + line), done, line + line},
		"no lines":         {lines(""), done, ""},
		"line of 99 bytes": {lines(strings.Repeat("y", 99) + "\n"), done, strings.Repeat("y", 99) + "\n"},
		"line of 100":      {lines(line + strings.Repeat("y", 100) + "\n"), done, ""},
		"line without end": {lines(line + "x"), done, ""},
		"NUL in a line":    {lines("x\x00x\n"), done, ""},
		"lines for ever": {func(r ioctl.Request) []byte {
			if r.Command != ioctl.Table {
				return good(r)
			}
			return ioctl.Answer{Arg: bytes.Repeat([]byte(line), 300)}.AppendTo(nil)
		}, done, ""},
		"longest answer": {lines(strings.Repeat(line, 372)), done, strings.Repeat(line, 372)},
		"longer answer":  {lines(strings.Repeat(line, 373)), done, ""},

		"hangs up":             {func(ioctl.Request) []byte { return nil }, "SET ECONNRESET, GET ECONNRESET, GET ECONNRESET", ""},
		"hangs up at structs":  {args(func([]byte) []byte { return nil }), "SET ECONNRESET, GET ECONNRESET, GET ECONNRESET", ""},
		"empty packets":        {args(func([]byte) []byte { return []byte{} }), "SET ECONNRESET, GET ECONNRESET, GET ECONNRESET", ""},
		"nonsense":             {args(func([]byte) []byte { return []byte("nonsense, and some more of it") }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"one byte":             {args(func([]byte) []byte { return []byte("I") }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"other version":        {args(func(b []byte) []byte { b[3] = '2'; return b }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"no struct":            {args(func([]byte) []byte { return ioctl.Answer{}.AppendTo(nil) }), "SET 0, GET EPROTO, GET EPROTO", ""},
		"one byte missing":     {args(func(b []byte) []byte { return b[:len(b)-1] }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"one byte too many":    {args(func(b []byte) []byte { return append(b, 0) }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"struct of another":    {args(func([]byte) []byte { return ioctl.Answer{Arg: make([]byte, 100)}.AppendTo(nil) }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"packet of 64 KiB":     {args(func([]byte) []byte { return ioctl.Answer{Arg: make([]byte, 64<<10)}.AppendTo(nil) }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"length of 4 GiB":      {args(func(b []byte) []byte { copy(b[8:], "\xff\xff\xff\xff"); return b }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"errno 4096":           {args(errno(4096)), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"errno -1":             {args(func(b []byte) []byte { copy(b[4:], "\xff\xff\xff\xff"); return b }), "SET EPROTO, GET EPROTO, GET EPROTO", ""},
		"ENOMEM":               {args(errno(syscall.ENOMEM)), "SET ENOMEM, GET ENOMEM, GET ENOMEM", ""},
		"ENOSPC":               {args(errno(syscall.ENOSPC)), "SET ENOSPC, GET ENOSPC, GET ENOSPC", ""},
		"another namespace":    {func(ioctl.Request) []byte { return errno(syscall.ENXIO)(nil) }, "SET ENOTTY, GET ENOTTY, GET ENODEV", ""}, // the kernel's
		"entry of nobody":      {args(errno(syscall.ENXIO)), "SET ENXIO, GET ENXIO, GET ENXIO", ""},
		"no privilege to read": {func(ioctl.Request) []byte { return errno(syscall.EPERM)(nil) }, "SET EPERM, GET EPERM, GET EPERM", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, dir := listen(t)
			go serve(l, tt.answer)
			errnos, table := play(t, library, dir)
			if errnos != tt.errnos || table != tt.text {
				t.Errorf("it gets %s, want %s; and %d bytes of lines, want %d", errnos, tt.errnos, len(table), len(tt.text))
			}
		})
	}

	const timeouts = "SET ETIMEDOUT, GET ETIMEDOUT, GET ETIMEDOUT"
	t.Run("never answers", func(t *testing.T) {
		t.Parallel()
		_, dir := listen(t)
		if errnos, table := play(t, impatient, dir); errnos != timeouts || table != "" {
			t.Errorf("it gets %s and %q", errnos, table)
		}
	})
	t.Run("never accepts", func(t *testing.T) {
		t.Parallel()
		l, dir := listen(t)
		l.Close()
		address := &unix.SockaddrUnix{Name: filepath.Join(dir, "ioctl.sock")}
		fill(t, address)
		if errnos, table := play(t, impatient, dir); errnos != timeouts || table != "" {
			t.Errorf("it gets %s and %q", errnos, table)
		}
	})
}

// fill listens at an address, and connects until no other can.
func fill(t *testing.T, address *unix.SockaddrUnix) {
	t.Helper()
	socket := func() int {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	l := socket()
	if err := unix.Bind(l, address); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l, 0); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		switch err := unix.Connect(socket(), address); err {
		case nil:
		case unix.EAGAIN:
			return
		default:
			t.Fatal(err)
		}
	}
	t.Fatal("the queue takes everybody")
}

// TestSecure: a program with rights that its caller has not ignores ISAT_SOCKET. It
// is linked with the library, because ld.so preloads nothing into it.
func TestSecure(t *testing.T) {
	t.Parallel()
	setcap := testns.Program(t, "setcap")
	library := build(t, "libisat-ioctl.so")
	asks := filepath.Join(filepath.Dir(library), "asks")
	cmd := exec.Command("cc", "-x", "c", "-", "-o", asks, "-Wl,--no-as-needed", "-Wl,-rpath,"+filepath.Dir(library),
		"-L"+filepath.Dir(library), "-l:libisat-ioctl.so")
	cmd.Stdin = strings.NewReader(`
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
int main(void)
{
	struct arpreq a = {.arp_pa = {.sa_family = AF_INET}};
	return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCGARP, &a) == 0 ? 0 : 1;
}
`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, dir := listen(t)
	go serve(l, good)
	for _, path := range []string{filepath.Dir(filepath.Dir(library)), filepath.Dir(library), dir, filepath.Join(dir, "ioctl.sock")} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	run := func() error {
		cmd := exec.Command(asks)
		// Root has no less than the file can give.
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Env = append(os.Environ(), "ISAT_SOCKET="+filepath.Join(dir, "isat.sock"))
		if err := testns.New(t).Do(cmd.Start); err != nil {
			t.Fatal(err)
		}
		return cmd.Wait()
	}
	if err := run(); err != nil {
		t.Fatalf("without rights of its own: %v", err)
	}
	if out, err := exec.Command(setcap, "cap_net_raw+ep", asks).CombinedOutput(); err != nil {
		testns.Missing(t, "a file can have no capabilities here: %v %s", err, out)
	}
	if run() == nil {
		t.Error("with rights of its own it asks who listens at ISAT_SOCKET")
	}
}
