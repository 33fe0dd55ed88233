package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/internal/getopt"
)

// arpCommand is `isat arp`; what follows is read by [app.arp] alone.
type arpCommand struct {
	Args []string `arg:"" optional:""`
}

func (c arpCommand) Run(ctx context.Context, a *app) error {
	if a.arp(ctx, c.Args) != statusDone {
		return errTold
	}
	return nil
}

// arpUsage is FreeBSD's, with the options that isat allows more.
const arpUsage = `usage: arp [-n] [-i interface] hostname
       arp [-n] [-i interface] -a
       arp -d [-i interface] hostname [pub]
       arp -d [-i interface] -a
       arp -s [-i interface] hostname ether_addr [temp] [reject | blackhole] [pub [only]]
       arp -S [-i interface] hostname ether_addr [temp] [reject | blackhole] [pub [only]]
       arp -f filename
       arp --libxo json ...
`

// arpOptions is the grammar of FreeBSD's arp(8), where the first operand ends
// the options, and isat's --socket.
var arpOptions = getopt.Grammar{Short: "andfsSi:", Long: []string{"libxo:", "socket:", "help"}, Mode: getopt.POSIX}

// arpTool is one run of arp(8).
type arpTool struct {
	*app
	client *api.Client
	names  *reverseNames

	function byte   // 'd', 'f', 's' or 'S'; 0 shows
	all      bool   // -a
	ifname   string // -i; "" for all
	json     bool   // --libxo json
	pretty   bool   // --libxo json,pretty
}

// arp runs arp(8) with its arguments and returns its exit status: 0, or 1 for
// every failure, wrong usage included.
func (a *app) arp(ctx context.Context, args []string) int {
	t := &arpTool{app: a, names: &reverseNames{resolver: a.resolver}}
	options, operands, err := arpOptions.Parse(args)
	for _, o := range options {
		if o.Name == "help" {
			fmt.Fprint(a.stdout, arpUsage)
			return statusDone
		}
		if err == nil {
			err = t.option(o)
		}
	}
	if err != nil {
		return t.usage(err)
	}
	t.client = a.client()
	defer t.client.Close()
	if ok := t.checkArguments(operands); !ok {
		return t.usage(nil)
	}
	if err := t.checkInterface(ctx); err != nil {
		return t.fail(err)
	}
	return t.run(ctx, operands)
}

// option takes one option in.
func (t *arpTool) option(o getopt.Option) error {
	switch o.Name {
	case "a":
		t.all = true
	case "n":
		t.names.off = true
	case "i":
		t.ifname = o.Value
	case "socket":
		t.socket = o.Value
	case "libxo":
		return t.libxo(o.Value)
	default:
		if t.function != 0 {
			return fmt.Errorf("-%c and -%s exclude each other", t.function, o.Name)
		}
		t.function = o.Name[0]
	}
	return nil
}

// libxo takes the argument of --libxo, words between commas as xo_options(7) has
// them.
func (t *arpTool) libxo(words string) error {
	for word := range strings.SplitSeq(words, ",") {
		switch word {
		case "json":
			t.json = true
		case "text":
			t.json = false
		case "pretty":
			t.pretty = true
		default:
			return fmt.Errorf("--libxo %s: only json, text and pretty are known", word)
		}
	}
	return nil
}

// checkArguments reports whether the number of operands is right.
func (t *arpTool) checkArguments(operands []string) bool {
	n := len(operands)
	switch {
	case t.all:
		return n == 0 && (t.function == 0 || t.function == 'd')
	case t.function == 's', t.function == 'S':
		return n >= 2 && n <= 6
	case t.function == 'd':
		return n == 1 || n == 2 && operands[1] == "pub"
	}
	return n == 1
}

// checkInterface looks for the interface of -i in the daemon, which may live in
// another network namespace than this process.
func (t *arpTool) checkInterface(ctx context.Context) error {
	if t.ifname == "" {
		return nil
	}
	if t.function == 'f' {
		return fmt.Errorf("-i not applicable to this operation")
	}
	interfaces, err := t.client.Interfaces(ctx)
	if err != nil {
		return t.explain(err, "reading the interfaces")
	}
	if slices.ContainsFunc(interfaces, func(i api.Interface) bool { return i.Name == t.ifname }) {
		return nil
	}
	if here, err := t.interfaces(); err == nil && slices.Contains(here, t.ifname) {
		if t.ifname == "lo" {
			return errors.New("interface lo has no ARP")
		}
		return fmt.Errorf(`interface %s is the kernel's: take it over with "isat take %s"`, t.ifname, t.ifname)
	}
	return fmt.Errorf("interface %s does not exist", t.ifname)
}

// run does the function asked for and returns the exit status.
func (t *arpTool) run(ctx context.Context, operands []string) int {
	var err error
	switch {
	case t.function == 0 && t.all:
		err = t.showAll(ctx)
	case t.function == 0:
		err = t.show(ctx, operands[0])
	case t.function == 'd' && t.all:
		err = t.deleteAll(ctx)
	case t.function == 'd':
		err = t.delete(ctx, operands[0], len(operands) == 2)
	case t.function == 'f':
		err = t.file(ctx, operands[0])
	case t.function == 'S':
		err = t.replace(ctx, operands)
	default:
		var e api.SetEntry
		if e, err = t.entry(ctx, operands); err == nil {
			err = t.set(ctx, operands[0], e)
		}
	}
	return t.fail(err)
}

// fail tells err and returns the exit status.
func (t *arpTool) fail(err error) int {
	switch err {
	case nil:
		return statusDone
	case errTold:
		return statusFailed
	}
	t.tell("arp", err)
	if _, ok := err.(usageError); ok {
		fmt.Fprint(t.stderr, arpUsage)
	}
	return statusFailed
}

// usage tells err, if any, and the usage.
func (t *arpTool) usage(err error) int {
	if err != nil {
		t.tell("arp", err)
	}
	fmt.Fprint(t.stderr, arpUsage)
	return statusFailed
}

// resolver is what arp(8) needs of [net.Resolver].
type resolver interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupIP(ctx context.Context, network, host string) ([]net.IP, error)
}
