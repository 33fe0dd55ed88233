package lladdr

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestInlining checks that the compiler inlines what stands in the path of every
// frame, in the manner of net/netip.
func TestInlining(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to compile with:", err)
	}
	out, err := exec.Command(goTool, "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	got := map[string]bool{}
	for _, m := range regexp.MustCompile(`can inline (\S+)`).FindAllSubmatch(out, -1) {
		got[string(m[1])] = true
	}
	for _, want := range []string{
		"Broadcast", "From6",
		"Addr.AppendBytes", "Addr.As6", "Addr.IsMulticast", "Addr.IsValid", "Addr.IsZero", "Addr.Len",
	} {
		if !got[want] {
			t.Errorf("%s is no longer inlined", want)
		}
	}
}
