package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/isat-project/isat/api"
)

type probeCommand struct {
	Fast      bool          `help:"Wait tenths of seconds, by the tunables fastprobe_*, not seconds."`
	JSON      bool          `name:"json" help:"Print JSON, one line for each address."`
	Interface string        `arg:"" name:"IFNAME" help:"The interface to ask on."`
	Addresses []probeTarget `arg:"" name:"ADDRESS" help:"IPv4 addresses, or - to read them from standard input."`
}

func (probeCommand) Help() string {
	return `Is an address free? Each is asked for as RFC 5227 says before it is used, which takes four to seven seconds. For one that is taken a line tells by whom, as soon as it is known; nothing is printed for one that is free. The exit status is 0 if all are free, and 1 if one is taken or the probing failed.

Examples:

    isat probe eth0 192.0.2.50
    isat probe --fast eth0 192.0.2.50 192.0.2.51
    isat probe --json eth0 - <addresses
`
}

// probeTarget is an address on the command line, or "-" in place of those on
// standard input.
type probeTarget struct {
	ipv4
	stdin bool
}

func (p *probeTarget) UnmarshalText(text []byte) error {
	if string(text) == "-" {
		p.stdin = true
		return nil
	}
	return p.ipv4.UnmarshalText(text)
}

// Run asks the daemon to probe, and tells what it finds as it comes.
func (c probeCommand) Run(ctx context.Context, a *app) error {
	ips, err := c.addresses(a.stdin)
	if err != nil || len(ips) == 0 {
		return err
	}
	client := a.client()
	defer client.Close()
	taken := false
	err = client.Probe(ctx, api.ProbeRequest{Interface: c.Interface, IPs: ips, Fast: c.Fast}, func(p api.Probed) error {
		taken = taken || !p.Free
		switch {
		case c.JSON:
			return a.printJSON(p)
		case !p.Free:
			fmt.Fprintf(a.stdout, "%v in use by %s\n", p.IP, p.MAC)
		}
		return nil
	})
	switch {
	case err != nil:
		return a.explain(err, "probing on %s", c.Interface)
	case taken:
		return errTold
	}
	return nil
}

// addresses returns those of the command line, with the words of stdin where it
// says so.
func (c probeCommand) addresses(stdin io.Reader) ([]netip.Addr, error) {
	var ips []netip.Addr
	for _, target := range c.Addresses {
		if !target.stdin {
			ips = append(ips, target.Addr)
			continue
		}
		words := bufio.NewScanner(stdin)
		words.Split(bufio.ScanWords)
		for words.Scan() {
			var ip ipv4
			if err := ip.UnmarshalText(words.Bytes()); err != nil {
				return nil, usageError{fmt.Errorf("reading addresses from standard input: %w", err)}
			}
			ips = append(ips, ip.Addr)
		}
		if err := words.Err(); err != nil {
			return nil, fmt.Errorf("reading addresses from standard input: %w", err)
		}
	}
	return ips, nil
}
