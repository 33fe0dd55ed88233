package lab

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/testns"
)

// nobody is a user without any right (base-passwd of Debian).
const nobody = 65534

// runLab runs this program as `isat lab` and returns its output and whether it
// succeeded. Temporary files go to a directory that must be empty when it ends.
func runLab(t *testing.T, attr *syscall.SysProcAttr, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	return runLabWith(t, attr, nil, args...)
}

// runLabWith is runLab with variables of the environment.
func runLabWith(t *testing.T, attr *syscall.SysProcAttr, env []string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd, out, errs, temp := labCommand(t, attr, args...)
	cmd.Env = append(cmd.Env, env...)
	err := cmd.Run()
	wantNothingLeft(t, temp)
	return out.String(), errs.String(), err == nil
}

func labCommand(t *testing.T, attr *syscall.SysProcAttr, args ...string) (cmd *exec.Cmd, out, errs *bytes.Buffer, temp string) {
	t.Helper()
	temp = filepath.Join("/tmp", strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.Mkdir(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	if err := os.Chmod(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	cmd = exec.Command("/proc/self/exe", append([]string{"lab"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.SysProcAttr = attr
	return cmd, out, errs, temp
}

// wantNothingLeft expects an empty directory, and no process that has it on its
// command line.
func wantNothingLeft(t *testing.T, dir string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lines {
		// An error: the process ended meanwhile, as one does now and then.
		if line, err := os.ReadFile(name); err == nil && strings.Contains(string(line), dir+"/") {
			t.Errorf("process left behind: %s: %q", name, line)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

// requireLab ends the test where the lab cannot have namespaces of its own. Those
// of the test itself, as testns.Require wants them, are not needed.
func requireLab(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		testns.Require(t)
		return
	}
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		testns.Missing(t, "no user namespace can be made here: %v", err)
	}
}

// users are the two kinds of people that use the lab.
func users(t *testing.T) map[string]*syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return map[string]*syscall.SysProcAttr{"user": {}}
	}
	return map[string]*syscall.SysProcAttr{
		"root":   {},
		"nobody": ordinaryUser(),
	}
}

// ordinaryUser is nobody for root, and else the one who runs the test.
func ordinaryUser() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// TestRunAgain plays a scenario in the namespaces that the program makes for
// itself, without root and with, and reads the JSON.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	requireLab(t)
	for name, user := range users(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, ok := runLab(t, user, "--once", "--json", "--require", "all", "resolve", "crash")
			if !ok {
				t.Errorf("failed: %s\n%s", stderr, stdout)
			}
			var got []string
			for d := json.NewDecoder(strings.NewReader(stdout)); d.More(); {
				var r Result
				if err := d.Decode(&r); err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Scenario+" "+string(r.Verdict)+" "+string(r.On))
				if len(r.Story) < 10 || r.Seconds <= 0 {
					t.Errorf("%s: a story of %d lines in %f s", r.Scenario, len(r.Story), r.Seconds)
				}
			}
			if want := "resolve PASS namespaces, crash PASS namespaces"; strings.Join(got, ", ") != want {
				t.Errorf("got %v, want %s", got, want)
			}
		})
	}
}

// TestRunAgainFails shows that a failure inside is one outside.
func TestRunAgainFails(t *testing.T) {
	t.Parallel()
	requireLab(t)
	stdout, stderr, ok := runLab(t, nil, "--once", "age")
	if ok || !strings.Contains(stdout, "FAIL  setting max_age: the kernel has no such limit") || stderr != "" {
		t.Errorf("ok %v, want a failure\n%s%s", ok, stdout, stderr)
	}
}

// TestEndsInTheMiddle ends a run with a daemon and pings under way.
func TestEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	requireLab(t)
	cmd, out, errs, temp := labCommand(t, ordinaryUser(), "--once", "crash", "hang")
	r := startWithPipe(t, cmd)
	waitFor(t, r, out, "pings alice ten times a second")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(errs.String(), "isat: context canceled") {
		t.Errorf("%v, want a failure that says why: %s", err, errs)
	}
	waitFor(t, r, out, "")
	wantNothingLeft(t, temp)
	if strings.Contains(out.String(), "PASS") || strings.Contains(out.String(), "FAIL") {
		t.Errorf("a verdict on what was cut short\n%s", out)
	}
}

// startWithPipe starts a command and returns its standard output, which ends when
// all processes that have it ended.
func startWithPipe(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return r
}

// TestStaysUpUntilSignal keeps the lab up and ends it as Ctrl-C and kill(1) do.
func TestStaysUpUntilSignal(t *testing.T) {
	t.Parallel()
	requireLab(t)
	for name, user := range users(t) {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(name+"/"+s.String(), func(t *testing.T) {
				t.Parallel()
				cmd, out, errs, temp := labCommand(t, user)
				r := startWithPipe(t, cmd)
				waitFor(t, r, out, "Ctrl-C ends it all.")
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				err := cmd.Wait()
				if s != syscall.SIGKILL && err != nil {
					t.Errorf("%v, %s", err, errs)
				}
				// The process inside holds the other end, and clears up after a SIGKILL
				// of the one outside, too.
				waitFor(t, r, out, "")
				wantNothingLeft(t, temp)
				if !strings.Contains(out.String(), "ISAT_SOCKET="+temp) {
					t.Errorf("no socket in\n%s", out)
				}
			})
		}
	}
}

// waitFor reads into out until it contains text, or to the end if text is empty.
func waitFor(t *testing.T, r *os.File, out *bytes.Buffer, text string) {
	t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for text == "" || !strings.Contains(out.String(), text) {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			if text != "" || os.IsTimeout(err) {
				t.Fatalf("waiting for %q: %v\n%s", text, err, out)
			}
			return
		}
	}
}
