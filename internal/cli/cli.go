// Package cli is the command line of isat: one command a file, the programs it
// answers to by other names (arp), and what is common to them: where the daemon
// is, how errors are told, and which exit status they have.
//
// It starts the daemon, the lab and the recovery through [Programs], and talks
// to a running daemon through package api.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/isat-project/isat/internal/config"
)

// The exit statuses; the personalities keep their originals'.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2
)

// Programs are the parts of isat that run here and not in the daemon. One that
// is nil is missing on this system, and its command says so.
type Programs struct {
	Run     func(context.Context, RunOptions) error
	Lab     func(context.Context, LabOptions) (ok bool, err error)
	Restore func(context.Context, RestoreOptions) error
}

// RunOptions is what `isat run` and `isat watch` ask of the daemon.
type RunOptions struct {
	Config     config.Config // with a section for each of Interfaces
	ConfigPath string        // absolute path of the file to read again on SIGHUP; "" if there is none
	Interfaces []string      // named on the command line: they must exist
	Socket     string        // instead of that of the configuration; "" if not given
	Observe    bool          // change nothing, send nothing
	Version    string        // for the status
	Log        *slog.Logger
}

// LabOptions is what `isat lab` asks of the lab.
type LabOptions struct {
	Once       bool     // play the scenarios and end, else stay up
	JSON       bool     // tell the story as JSON, one object a line
	RequireAll bool     // a scenario that this machine forbids is a failure
	Scenarios  []string // names; all if empty
	Pcap       string   // a directory for a recording of each scenario; "" for none
	Stdout     io.Writer
	Stderr     io.Writer
	Log        *slog.Logger
}

// RestoreOptions is what `isat restore` asks.
type RestoreOptions struct {
	Interfaces []string // all if empty
	RuntimeDir string   // where the records are
	Stdout     io.Writer
	Log        *slog.Logger
}

// Main runs the command line args, the name of the program first, and returns
// the exit status. Called by the name arp it is that program. It returns soon
// after ctx is done.
func Main(ctx context.Context, p Programs, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{
		programs: p, stdin: stdin, stdout: stdout, stderr: stderr,
		resolver: net.DefaultResolver, interfaces: interfaceNames, uid: os.Geteuid(),
	}
	return a.main(ctx, args)
}

// app is what the commands work with. The fields that are functions or
// interfaces are replaced by tests.
type app struct {
	programs Programs
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer

	resolver   resolver
	interfaces func() ([]string, error) // names of the interfaces of this host
	uid        int                      // of the user, -1 where there are none

	socket   string // the socket asked for, "" if none was
	logLevel slog.Level
	logJSON  bool
}

func interfaceNames() ([]string, error) {
	all, err := net.Interfaces()
	names := make([]string, len(all))
	for i, ifi := range all {
		names[i] = ifi.Name
	}
	return names, err
}

// grammar is the command line of isat, in the order of its help.
type grammar struct {
	Socket    string `help:"The daemon's socket; /run/isat/isat.sock if nothing else is said." placeholder:"PATH" env:"ISAT_SOCKET"`
	LogLevel  string `help:"What is logged at least: ${enum}." enum:"error,warn,info,debug" default:"info" placeholder:"LEVEL"`
	LogFormat string `help:"How it is logged: ${enum}." enum:"text,json" default:"text" placeholder:"FORMAT"`

	Run      runCommand      `cmd:"" help:"Run the daemon in the foreground."`
	Watch    watchCommand    `cmd:"" help:"Observe interfaces without changing or sending anything."`
	Take     takeCommand     `cmd:"" help:"Take interfaces over in the running daemon."`
	Release  releaseCommand  `cmd:"" help:"Hand interfaces back to the kernel."`
	Lab      labCommand      `cmd:"" help:"Try isat on a private network in this machine."`
	Cable    cableCommand    `cmd:"" help:"Join hosts by a hub on a Unix socket."`
	Check    checkCommand    `cmd:"" help:"Validate a configuration."`
	Reload   reloadCommand   `cmd:"" help:"Make the daemon read its configuration again."`
	Arp      arpCommand      `cmd:"" passthrough:"" help:"Show and change the ARP table, as arp(8) does."`
	Resolve  resolveCommand  `cmd:"" help:"Print the link-layer address of a host."`
	Announce announceCommand `cmd:"" help:"Announce own or published addresses now."`
	Probe    probeCommand    `cmd:"" help:"Ask whether addresses are free."`
	Sysctl   sysctlCommand   `cmd:"" help:"Show and set tunables, show counters."`
	Route    routeCommand    `cmd:"" help:"Show the routing table with its ARP host routes."`
	Explain  explainCommand  `cmd:"" help:"Say what becomes of an ARP request, and by which rule."`
	Events   eventsCommand   `cmd:"" help:"Follow what happens."`
	Status   statusCommand   `cmd:"" help:"Show the daemon and its interfaces."`
	Stats    statsCommand    `cmd:"" help:"Show ARP statistics."`
	Restore  restoreCommand  `cmd:"" help:"Put back what a killed daemon left changed."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// main is Main with the app made.
func (a *app) main(ctx context.Context, args []string) int {
	if name := filepath.Base(args[0]); strings.TrimSuffix(name, ".exe") == "arp" {
		a.socket = os.Getenv("ISAT_SOCKET")
		return a.arp(ctx, args[1:])
	}
	var g grammar
	helped := false
	parser, err := kong.New(&g,
		kong.Name("isat"),
		kong.Description("A complete Address Resolution Protocol for Linux."),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(int) { helped = true }), // kong's own exit after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80}),
		kong.Vars(vars()),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a),
	)
	if err != nil {
		panic(err) // the grammar is wrong, whatever the arguments
	}
	command, err := parser.Parse(args[1:])
	if helped {
		return statusDone
	}
	if err != nil {
		return a.fail(usage(command, err))
	}
	a.socket, a.logJSON = g.Socket, g.LogFormat == "json"
	if err := a.logLevel.UnmarshalText([]byte(g.LogLevel)); err != nil {
		panic(err) // the levels of the grammar are slog's
	}
	return a.fail(command.Run())
}

// usage makes an error of the command line one that tells where help is.
func usage(command *kong.Context, err error) error {
	name := "isat"
	var p *kong.ParseError
	if errors.As(err, &p) {
		command = p.Context
	}
	if command != nil && command.Selected() != nil {
		name += " " + command.Selected().Name
	}
	return usageError{fmt.Errorf("reading the command line: %w: see %q", err, name+" --help")}
}
