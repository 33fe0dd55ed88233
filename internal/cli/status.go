package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/isat-project/isat/api"
)

type statusCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (statusCommand) Help() string {
	return `Examples:

    isat status
    isat status --json
`
}

// Run prints the status.
func (c statusCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return a.explain(err, "reading the status")
	}
	if c.JSON {
		return a.printJSON(status)
	}
	printStatus(a.stdout, status)
	return nil
}

func printStatus(w io.Writer, s api.Status) {
	fmt.Fprintf(w, "isat %s, process %d, up %v\n", s.Version, s.PID, s.Uptime.Duration().Truncate(time.Second))
	if s.Config != "" {
		fmt.Fprintf(w, "configuration %s\n", s.Config)
	}
	fmt.Fprintf(w, "events up to %v\n", api.Position{Instance: s.Instance, Seq: s.LastSeq})
	t := s.Tables
	fmt.Fprintf(w, "%d entries: %d incomplete, %d permanent, %d published; %d networks; %d packets held\n",
		t.Entries, t.Incomplete, t.Permanent, t.Published, t.Networks, t.Held)
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	for _, i := range s.Interfaces {
		printInterface(w, i)
	}
}

func printInterface(w io.Writer, i api.Interface) {
	fmt.Fprintf(w, "\n%s: %s, datapath %s", i.Name, i.State, i.Datapath)
	if i.Port != "" {
		fmt.Fprintf(w, " on %s", i.Port)
	}
	if i.Guarded {
		fmt.Fprint(w, ", guarded")
	}
	if i.ARP != "on" {
		fmt.Fprintf(w, ", arp %s", i.ARP)
	}
	if !i.DAD && i.Datapath != "observe" {
		fmt.Fprint(w, ", dad off")
	}
	fmt.Fprintln(w)
	if i.Error != "" {
		fmt.Fprintf(w, "\terror: %s\n", i.Error)
	}
	if i.Index != 0 { // not absent
		fmt.Fprintf(w, "\tindex %d, %s %s, mtu %d, %d entries\n", i.Index, i.Medium, i.MAC, i.MTU, i.Entries)
	}
	if !i.Since.IsZero() {
		fmt.Fprintf(w, "\tsince %s\n", i.Since.Local().Format(time.DateTime))
	}
	for _, addr := range i.Addresses {
		fmt.Fprintf(w, "\taddress %v %s%s", addr.Prefix, addr.State, usedBy(addr.Owner))
		if addr.Delayed {
			fmt.Fprint(w, ", announcement delayed")
		}
		fmt.Fprintln(w)
	}
	for _, p := range i.Published {
		fmt.Fprintf(w, "\tpublished %v %s%s\n", p.IP, p.State, usedBy(p.Owner))
	}
	for _, warning := range i.Warnings {
		fmt.Fprintf(w, "\twarning: %s\n", warning)
	}
}

// usedBy says who has an address that is a duplicate.
func usedBy(owner api.MAC) string {
	if owner == "" {
		return ""
	}
	return fmt.Sprintf(", in use by %s", owner)
}
