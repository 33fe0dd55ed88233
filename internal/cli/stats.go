package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/isat-project/isat/api"
)

type statsCommand struct {
	JSON bool `name:"json" help:"Print JSON, with the counters of each interface."`
}

func (statsCommand) Help() string {
	return `The words are those of netstat -s -p arp, followed by a line for each reason for which packets were ignored.

Examples:

    isat stats
    isat stats --json
`
}

// Run prints the statistics.
func (c statsCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	stats, err := client.Stats(ctx)
	if err != nil {
		return a.explain(err, "reading the statistics")
	}
	if c.JSON {
		return a.printJSON(stats)
	}
	printStats(a.stdout, stats.Counters)
	return nil
}

// printStats prints the lines of FreeBSD's netstat -s -p arp (usr.bin/netstat,
// inet.c, arp_stats) to the letter, its slips of grammar included: programs
// read them.
func printStats(w io.Writer, c api.Counters) {
	fmt.Fprintln(w, "arp:")
	for _, line := range []struct {
		n         uint64
		before    string
		one, many string
		after     string
	}{
		{c.TxRequests, "ARP request", "", "s", "sent"},
		{c.TxErrors, "ARP request", "", "s", "failed to sent"},
		{c.TxReplies, "ARP repl", "y", "ies", "sent"},
		{c.RxRequests, "ARP request", "", "s", "received"},
		{c.RxReplies, "ARP repl", "y", "ies", "received"},
		{c.Received, "ARP packet", "", "s", "received"},
		{c.Dropped, "total packet", "", "s", "dropped due to no ARP entry"},
		{c.Timeouts, "ARP entry", "", "s", "timed out"},
		{c.DupIPs, "Duplicate IP", "", "s", "seen"},
	} {
		ending := line.many
		if line.n == 1 {
			ending = line.one
		}
		fmt.Fprintf(w, "\t%d %s%s %s\n", line.n, line.before, ending, line.after)
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Drops)) {
		if n := c.Drops[reason]; n > 0 {
			fmt.Fprintf(w, "\t%d ignored: %s\n", n, strings.ReplaceAll(reason, "_", " "))
		}
	}
}
