package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/isat-project/isat/api"
	"golang.org/x/sys/unix"
)

// childSocket is the environment variable that makes the test binary a caller.
const childSocket = "ISAT_TEST_CHILD_SOCKET"

// verdicts are the errnos a caller meets, "" where it may.
type verdicts struct{ Read, Set, Follow string }

// child asks the server at childSocket for one thing of each kind and prints
// what came of it. It runs as another user.
func child() {
	if os.Getenv(childSocket) == "fd" {
		childCredentials()
		return
	}
	c := api.NewClient(os.Getenv(childSocket))
	ctx := context.Background()
	errno := func(err error) string {
		var e *api.Error
		if errors.As(err, &e) {
			return e.Errno
		}
		return fmt.Sprint(err)
	}
	v := verdicts{}
	if _, err := c.Entries(ctx, api.EntryFilter{}); err != nil {
		v.Read = errno(err)
	}
	if _, _, err := c.SetEntry(ctx, api.SetEntry{IP: ip4(9), MAC: "02:00:00:00:00:09"}); err != nil {
		v.Set = errno(err)
	}
	if s, err := c.Events(ctx, api.Position{}); err != nil {
		v.Follow = errno(err)
	} else {
		s.Close()
	}
	json.NewEncoder(os.Stdout).Encode(v)
}

// runChild runs child with the ids and returns its verdicts.
func runChild(t *testing.T, path string, id syscall.Credential) verdicts {
	t.Helper()
	// The directory of the test binary is closed to others; this link leads
	// there without passing it.
	c := exec.Command("/proc/self/exe")
	c.Dir = "/"
	c.Env = []string{childSocket + "=" + path}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &id}
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("child as %+v: %v", id, err)
	}
	var v verdicts
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("child as %+v: %v: %q", id, err, out)
	}
	return v
}

// TestRealPeers has the kernel say who asks.
func TestRealPeers(t *testing.T) {
	if os.Getuid() != 0 {
		needs(t, "becoming another user needs root")
	}
	dir, err := os.MkdirTemp("", "isat") // unlike that of t.TempDir its parent is open to all
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := startAs(t, PeerCredentials, filepath.Join(dir, "isat.sock"))
	r.server.SetRights(Rights{Owner: 900, Group: 901})

	many := make([]uint32, 200) // more than fit the first try
	for i := range many {
		many[i] = uint32(2000 + i)
	}
	const nobody = 65534
	for _, c := range []struct {
		name string
		id   syscall.Credential
		want verdicts
	}{
		{"root", syscall.Credential{}, verdicts{}},
		{"the daemon's user", syscall.Credential{Uid: 900, Gid: nobody}, verdicts{}},
		{"nobody", syscall.Credential{Uid: nobody, Gid: nobody}, verdicts{Set: "EPERM", Follow: "EPERM"}},
		{"nobody in the group", syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{901}}, verdicts{Set: "EPERM"}},
		{"nobody with the group", syscall.Credential{Uid: nobody, Gid: 901}, verdicts{Set: "EPERM"}},
		{"nobody in many groups", syscall.Credential{Uid: nobody, Gid: nobody, Groups: many}, verdicts{Set: "EPERM", Follow: "EPERM"}},
		{"nobody in many groups and this", syscall.Credential{Uid: nobody, Gid: nobody, Groups: append(slices.Clone(many), 901)}, verdicts{Set: "EPERM"}},
		{"root's group is not root", syscall.Credential{Uid: nobody, Gid: 0}, verdicts{Set: "EPERM", Follow: "EPERM"}},
	} {
		r.mu.Lock()
		r.fake.entries = nil
		r.mu.Unlock()
		if diff := cmp.Diff(c.want, runChild(t, r.path, c.id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if changed := len(r.fake.entries) != 0; changed != (c.want.Set == "") {
			t.Errorf("%s: changed something: %v", c.name, changed)
		}
	}
}

// TestUnmappedPeer has a daemon that is nobody in a user namespace of its own.
// Everybody outside seems to be that user to it, which must not give rights.
func TestUnmappedPeer(t *testing.T) {
	if os.Getuid() != 0 {
		needs(t, "choosing the users of a namespace needs root")
	}
	const nobody, outside = 65534, 900
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0) // its peer is this process
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(ends[1])
	end := os.NewFile(uintptr(ends[0]), "end")
	defer end.Close()
	c := exec.Command("/proc/self/exe")
	c.Env = []string{childSocket + "=fd"}
	c.ExtraFiles = []*os.File{end}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: outside, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: outside, Size: 1}},
		Credential:  &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true},
	}
	out, err := c.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		needs(t, fmt.Sprintf("no user namespace: %v", err))
	}
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Kernel uint32 // what SO_PEERCRED says
		Cred   Credentials
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if got.Kernel != nobody {
		t.Fatalf("root outside has uid %d inside: the test tests nothing", got.Kernel)
	}
	if got.Cred.Known {
		t.Errorf("it is taken for %+v", got.Cred)
	}
}

func TestWithoutOverflow(t *testing.T) {
	for _, c := range []struct{ in, want Credentials }{
		{Credentials{Known: true, UID: overflowID}, Credentials{}},
		{Credentials{Known: true, GID: overflowID, Groups: []uint32{4, overflowID, 901, overflowID}},
			Credentials{Known: true, GID: noID, Groups: []uint32{4, 901}}}, // root of a namespace, with groups from outside
	} {
		if !c.in.overflows() {
			t.Errorf("%+v: seen as safe", c.in)
		}
		if diff := cmp.Diff(c.want, c.in.withoutOverflow()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if stranger.overflows() {
		t.Error("a user with ids of its own is suspected")
	}
}

// childCredentials prints who is at the other end of descriptor 3.
func childCredentials() {
	u, err := unix.GetsockoptUcred(3, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		panic(err)
	}
	c, err := credentials(3)
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(struct {
		Kernel uint32
		Cred   Credentials
	}{u.Uid, c})
}

// The credentials of this very process.
func TestPeerCredentials(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got, err := PeerCredentials(in)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	want := Credentials{Known: true, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Groups: []uint32{}}
	for _, g := range groups {
		want.Groups = append(want.Groups, uint32(g))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := PeerCredentials(struct{ net.Conn }{in}); err == nil {
		t.Error("a connection without a descriptor has credentials")
	}
}

func TestPeerCredentialsTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := PeerCredentials(c); err == nil {
		t.Errorf("TCP has credentials: %+v", got)
	}
}
