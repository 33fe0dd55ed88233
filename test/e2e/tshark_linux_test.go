package e2e

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tshark reads frames and returns the values of fields: a row a frame that passes
// the display filter.
func tshark(t testing.TB, frames []Frame, filter string, fields []string, options ...string) [][]string {
	t.Helper()
	need(t, "tshark")
	path := filepath.Join(t.TempDir(), "frames.pcap")
	Save(t, path, frames)
	args := append([]string{"-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-Y", filter}, options...)
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stderr strings.Builder
	cmd := exec.Command("tshark", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// Complaint is what tshark has to say against a frame.
type Complaint struct {
	Frame Frame
	Text  string
}

// Complaints returns what tshark finds malformed or worth an expert's note.
// allowClaims switches its search for addresses with two owners off.
func Complaints(t testing.TB, frames []Frame, allowClaims bool) []Complaint {
	t.Helper()
	var options []string
	if allowClaims {
		options = []string{"-o", "arp.detect_duplicate_ips:FALSE"}
	}
	var all []Complaint
	for _, row := range tshark(t, frames, "_ws.malformed || _ws.expert", []string{"frame.number", "_ws.expert.message", "_ws.col.Info"}, options...) {
		n, err := strconv.Atoi(row[0])
		if err != nil || n < 1 || n > len(frames) {
			t.Fatalf("tshark speaks of frame %q of %d", row[0], len(frames))
		}
		all = append(all, Complaint{frames[n-1], strings.Join(row[1:], ": ")})
	}
	return all
}
