package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isat-project/isat/internal/testns"
)

// build makes a part of compat in a directory of its own and returns its path.
func build(t *testing.T, part string, variables ...string) string {
	t.Helper()
	testns.Program(t, "make")
	testns.Program(t, "cc")
	path := filepath.Join(t.TempDir(), part)
	args := append([]string{"-s", "-C", "../../compat", "BUILD=" + filepath.Dir(path), path}, variables...)
	if out, err := exec.Command("make", args...).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", part, err, out)
	}
	return path
}

// TestHeader compiles isat_arp.h alone, and before and after the headers with
// Linux' definitions, in both languages. It has assertions of its own.
func TestHeader(t *testing.T) {
	const program = `
int main(void)
{
	struct xarpreq x = {};
	struct sockaddr_in in = {};
	x.xarp_ha.sdl_family = AF_LINK;
	x.xarp_ha.sdl_type = IFT_ETHER;
	x.xarp_flags = ATF_PERM | ATF_PUBL | ATF_AUTHORITY;
	*(struct sockaddr_in *)&x.xarp_pa = in;
	return LLADDR(&x.xarp_ha)[0] + (SIOCSXARP == SIOCDXARP) + (LIFNAMSIZ != 32);
}
`
	const ours = "isat_arp.h"
	for _, language := range []struct{ compiler, name, standard string }{
		{"cc", "c", "c11"}, {"c++", "c++", "c++11"},
	} {
		compiler := testns.Program(t, language.compiler)
		for _, headers := range [][]string{
			{ours}, {ours, ours}, {ours, "net/if_arp.h"}, {"net/if_arp.h", ours}, {ours, "linux/if_arp.h"},
			{"linux/if_arp.h", ours}, {"net/if.h", "sys/ioctl.h", ours}, {ours, "sys/ioctl.h", "linux/sockios.h"},
		} {
			t.Run(language.name+" "+strings.Join(headers, " "), func(t *testing.T) {
				source := &strings.Builder{}
				for _, h := range slices.Concat(headers, []string{"netinet/in.h"}) {
					source.WriteString("#include <" + h + ">\n")
				}
				source.WriteString(program)
				program := filepath.Join(t.TempDir(), "program")
				cmd := exec.Command(compiler, "-std="+language.standard, "-Wall", "-Wextra", "-Werror", "-O2", "-I../../compat",
					"-o", program, "-x", language.name, "-")
				cmd.Stdin = strings.NewReader(source.String())
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if err := exec.Command(program).Run(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestSymbols: the library hides what it is there to hide and nothing else.
func TestSymbols(t *testing.T) {
	nm := testns.Program(t, "nm")
	out, err := exec.Command(nm, "-D", "--defined-only", "--format=posix", build(t, "libisat-ioctl.so")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		got = append(got, strings.Fields(line)[0])
	}
	want := []string{
		"__open64_2", "__open_2", "__openat64_2", "__openat_2", "fopen", "fopen64", "ioctl", "open", "open64", "openat", "openat64",
	}
	got = slices.DeleteFunc(got, func(name string) bool { return name == "__ioctl_time64" }) // of 32-bit systems
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exported, -want +got:\n%s", diff)
	}
}

func TestInstall(t *testing.T) {
	root := t.TempDir()
	build(t, "libisat-ioctl.so") // says what is wrong, if it is
	for _, dir := range []struct {
		variables []string
		files     []string
	}{
		{nil, []string{"usr/local/lib/libisat-ioctl.so", "usr/local/include/isat_arp.h", "usr/local/share/man/man8/libisat-ioctl.8"}},
		{[]string{"PREFIX=/usr", "LIBDIR=/usr/lib/here"}, []string{"usr/lib/here/libisat-ioctl.so", "usr/include/isat_arp.h", "usr/share/man/man8/libisat-ioctl.8"}},
	} {
		args := append([]string{"-s", "-C", "../../compat", "BUILD=" + t.TempDir(), "DESTDIR=" + root, "install"}, dir.variables...)
		if out, err := exec.Command("make", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, f := range dir.files {
			if _, err := os.Stat(filepath.Join(root, f)); err != nil {
				t.Error(err)
			}
		}
	}
}
