package ioctlsrv

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/httpapi"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/ioctl"
)

// serve starts a server whose owner is the user of the test, and returns its path.
func serve(t testing.TB) (string, backend) {
	t.Helper()
	b := newBackend(t)
	path := filepath.Join(t.TempDir(), "ioctl.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Backend: b, Rights: httpapi.Rights{Owner: uint32(os.Geteuid()), Group: httpapi.NoGroup}, Log: quiet})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	})
	return path, b
}

func dial(t testing.TB, path string) *ioctl.Conn {
	t.Helper()
	c, err := ioctl.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestServe(t *testing.T) {
	path, b := serve(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	c := dial(t, path)
	r := extendedOf(ioctl.SIOCSXARP, ip9, "", nil)
	if got, err := c.Do(r.Command, r.Family, r.Arg); err != nil || len(got) != 0 {
		t.Errorf("SET: %d bytes, %v", len(got), err)
	}
	if e := b.Entry(ip9); len(e) != 1 || e[0].MAC != mac9 {
		t.Errorf("the entries are %+v", e)
	}
	if got, err := c.Do(ioctl.SIOCGXARP, ioctl.AFInet, r.Arg); err != nil || len(got) != ioctl.XARPReqLen {
		t.Errorf("GET: %d bytes, %v", len(got), err)
	}
	if _, err := c.Do(ioctl.SIOCSARP, ioctl.AFInet, nil); err != nil {
		t.Errorf("privilege: %v", err)
	}
}

// Many clients at once, each of which hears its own answers.
func TestManyClients(t *testing.T) {
	path, _ := serve(t)
	var all sync.WaitGroup
	for i := range 32 {
		c := dial(t, path)
		all.Go(func() {
			ip := ownIP
			for range 100 + i {
				ip = ip.Next()
			}
			for range 20 {
				r := extendedOf(ioctl.SIOCSXARP, ip, "e0", nil)
				if _, err := c.Do(r.Command, r.Family, r.Arg); err != nil {
					t.Errorf("SET: %v", err)
				}
				got, err := c.Do(ioctl.SIOCGXARP, ioctl.AFInet, r.Arg)
				if x, _ := ioctl.ParseXARPReq(got); err != nil || x.IP != ip {
					t.Errorf("GET of %v is of %v, %v", ip, x.IP, err)
				}
			}
		})
	}
	all.Wait()
}

// TestBadPackets sends what is no request. The connection goes on.
func TestBadPackets(t *testing.T) {
	path, _ := serve(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	good := plainOf(ioctl.SIOCGARP, ownIP, nil).AppendTo(nil)
	overflow := append([]byte{}, good...)
	binary.NativeEndian.PutUint32(overflow[12:], 0xffffffff)
	for name, packet := range map[string][]byte{
		"empty": {}, "one byte": {'I'}, "magic alone": []byte("ISA1"), "other magic": append([]byte("GET "), good[4:]...),
		"cut": good[:len(good)-1], "longer": append(good[:len(good):len(good)], 0), "overflow": overflow,
		"too long": make([]byte, 4096), "too long with a header": append(good[:16:16], make([]byte, 4096)...),
	} {
		for _, tt := range []struct {
			packet []byte
			want   syscall.Errno
		}{{packet, syscall.EINVAL}, {good, 0}} {
			if _, err := unix.SendmsgN(fd, tt.packet, nil, nil, 0); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			buf := make([]byte, ioctl.MaxAnswer)
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if a, err := ioctl.ParseAnswer(buf[:n]); err != nil || a.Errno != tt.want {
				t.Errorf("%s: errno %v, %v, want %v", name, a.Errno, err, tt.want)
			}
		}
	}
}

// A program in another network namespace has other interfaces, which may have the
// same names and addresses.
func TestOtherNamespace(t *testing.T) {
	path, _ := serve(t)
	testns.Run(t, func() {
		c := dial(t, path)
		if _, err := c.Do(ioctl.SIOCGARP, ioctl.AFInet, plainOf(ioctl.SIOCGARP, ownIP, nil).Arg); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("GET: %v, want ENXIO", err)
		}
	})
	c := dial(t, path)
	if _, err := c.Do(ioctl.SIOCGARP, ioctl.AFInet, plainOf(ioctl.SIOCGARP, ownIP, nil).Arg); err != nil {
		t.Errorf("GET in ours: %v", err)
	}
}

// end is a connection that is nothing but closed.
type end struct{ closed bool }

func (e *end) Close() error { e.closed = true; return nil }

// Connections of one user are bounded, and closed ones give their place back.
func TestBounds(t *testing.T) {
	o := connections{all: map[io.Closer]bool{}, count: map[uint32]int{}}
	var open []io.Closer
	for range maxUser {
		c := new(end)
		if !o.add(c, nobody, false) {
			t.Fatalf("number %d is refused", len(open)+1)
		}
		open = append(open, c)
	}
	if o.add(new(end), nobody, false) {
		t.Error("one more is let in")
	}
	if !o.add(new(end), root, true) {
		t.Error("root is refused")
	}
	o.remove(open[0], nobody, false)
	if !o.add(new(end), nobody, false) {
		t.Error("no place is free")
	}
	o.close()
	if o.add(new(end), root, true) {
		t.Error("one is let in at the end")
	}
}

// FuzzPackets sends packets of any kind as root. Whatever comes: an answer, and no
// change by one that is an error.
func FuzzPackets(f *testing.F) {
	for _, r := range []ioctl.Request{
		plainOf(ioctl.SIOCSARP, ip9, nil), plainOf(ioctl.SIOCGARP, ownIP, dev("e0")), plainOf(ioctl.SIOCDARP, ip9, endless),
		extendedOf(ioctl.SIOCSXARP, ip9, "e0", nil), extendedOf(ioctl.SIOCGXARP, ip9, "", nlen(255)), extendedOf(ioctl.SIOCSXARP, arcIP, "arc0", alen(255)),
		only(ioctl.SIOCDXARP), {Command: ioctl.Table},
	} {
		f.Add(r.AppendTo(nil))
	}
	f.Add([]byte("ISA1"))
	d, b := newDecider(f)
	var conn table
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) > ioctl.MaxRequest {
			return
		}
		before := len(b.Entries())
		a := d.answer(root, packet, &conn)
		if _, err := ioctl.ParseAnswer(a.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if a.Errno != 0 && len(b.Entries()) != before {
			t.Fatalf("%v, and the table changed", a.Errno)
		}
		switch a.Errno {
		case 0, syscall.EINVAL, syscall.ENXIO, syscall.ENOTSUP:
		default:
			t.Fatalf("errno %v is in no table", a.Errno)
		}
		if len(b.Entries()) > 300 {
			b.Flush("")
		}
	})
}
