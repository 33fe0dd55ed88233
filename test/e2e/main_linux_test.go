package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/isat-project/isat/internal/testns"
)

// parallel is how many tests run at a time: they wait for seconds of protocol time
// and hardly compute, so more of them run than there are processors.
const parallel = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", parallel); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the daemon, built once for all tests by the first that needs it.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of the isat program.
func program(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "e2e"); built.err != nil {
			return
		}
		args := []string{"build", "-o", filepath.Join(built.dir, "isat")}
		if raceEnabled {
			args = append(args, "-race")
		}
		if overlay := os.Getenv("ISAT_TEST_OVERLAY"); overlay != "" { // of test/arp4
			args = append(args, "-overlay", overlay)
		}
		out, err := exec.Command("go", append(args, "../../cmd/isat")...).CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("building isat: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "isat")
}

// Require ends the test, as [testns.Missing] does, unless namespaces can be made
// and the programs are installed.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	testns.Require(t)
	need(t, programs...)
}

// need ends the test, as [testns.Missing] does, unless the programs are installed.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		testns.Program(t, p)
	}
}
