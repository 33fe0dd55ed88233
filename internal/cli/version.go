package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

func (versionCommand) Help() string {
	return `Example:

    isat version
`
}

// Run prints the version of isat, of Go, and the system it was built for.
func (versionCommand) Run(a *app) error {
	fmt.Fprintf(a.stdout, "isat %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version returns the version of the module as the Go tool recorded it, such as
// "v0.2.0", or "(devel)" where it did not.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
