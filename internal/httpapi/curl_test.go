package httpapi

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curl is an HTTP client that nobody here wrote.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		needs(t, "curl is not installed")
	}
	r := start(t, root)
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, bytes.Repeat([]byte(" "), 2*maxBody), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(curl, append([]string{"-sS", "--max-time", "30", "--unix-socket", r.path, "-w", "%{http_code}"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("curl %q: %v", args, err)
		}
		return string(out)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{`"mac":"02:00:00:00:00:09"`, []string{"-X", "PUT", "-d", `{"ip":"192.0.2.9","mac":"2:0:0:0:0:9"}`, "http://isat/v1/arp"}},
		{`"ip":"192.0.2.9"`, []string{"http://isat/v1/arp?ip=192.0.2.9"}},
		{`"deny_from":["192.0.2.66/32"]`, []string{"-X", "PUT", "-d", `{"prefix":"198.51.100.0/24","interface":"eth0","ether":"auto","deny_from":["192.0.2.66/32"]}`, "http://isat/v1/proxy"}},
		{`{"rules":[{"prefix":"198.51.100.0/24","interface":"eth0"`, []string{"http://isat/v1/proxy"}},
		{`"target":"198.51.100.9"`, []string{"-G", "-d", "interface=eth0", "-d", "target=198.51.100.9", "-d", "sender=192.0.2.1", "http://isat/v1/explain"}},
		{"}\n200", []string{"-X", "DELETE", "-G", "-d", "prefix=198.51.100.0/24", "-d", "interface=eth0", "http://isat/v1/proxy"}},
		{"}\n400", []string{"-X", "PUT", "-d", `{"ip":`, "http://isat/v1/arp"}},
		{"}\n404", []string{"http://isat/v1/history"}},
		{"}\n413", []string{"-d", "@" + long, "http://isat/v1/reload"}},
		{"204", []string{"-d", `{"interface":"eth0","ips":["192.0.2.1"]}`, "http://isat/v1/announce"}},
	} {
		if got := run(c.args...); !strings.Contains(got, c.want) {
			t.Errorf("curl %q: got %s, want %s", c.args, got, c.want)
		}
	}
	// A stream comes line by line, while it goes on.
	add(r.ring, 2)
	stream := exec.CommandContext(t.Context(), curl, "-sN", "--unix-socket", r.path, "http://isat/v1/events?since=test:0")
	out, err := stream.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Start(); err != nil {
		t.Fatal(err)
	}
	next := jsonEvents(out)
	for seq := uint64(1); seq <= 3; seq++ {
		if e := next(t); e.Seq != seq {
			t.Errorf("curl sees event %d, want %d", e.Seq, seq)
		}
		if seq == 2 {
			add(r.ring, 1)
		}
	}
	stream.Process.Kill()
	stream.Wait() // an error, since it was killed
}
