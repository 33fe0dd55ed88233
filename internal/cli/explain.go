package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/lladdr"
)

type explainCommand struct {
	JSON      bool   `name:"json" help:"Print JSON."`
	Interface string `arg:"" name:"IFNAME" help:"The interface that the request comes in on."`
	Target    ipv4   `arg:"" name:"WHO-HAS" help:"The address that is asked for."`
	Sender    ipv4   `arg:"" name:"TELL" help:"The address of who asks; 0.0.0.0 in a probe."`
	SenderMAC macArg `arg:"" optional:"" name:"SENDER-MAC" help:"The link-layer address of who asks."`
}

func (explainCommand) Help() string {
	return `Nothing is sent: the daemon decides as it would if the request came in now, and says by which rule. Without SENDER-MAC it cannot tell whether the owner of the address itself asks, who is never answered.

Examples:

    isat explain eth0 198.51.100.9 192.0.2.1
    isat explain eth0 198.51.100.9 0.0.0.0 02:00:00:00:00:09
`
}

// macArg is a link-layer address on the command line.
type macArg struct{ api.MAC }

func (m *macArg) UnmarshalText(text []byte) error {
	mac, err := lladdr.Parse(string(text))
	m.MAC = api.MAC(mac.String())
	return err
}

// Run prints the explanation. It is no failure if the request would get no answer.
func (c explainCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	e, err := client.Explain(ctx, api.ExplainQuery{
		Interface: c.Interface, Target: c.Target.Addr, Sender: c.Sender.Addr, MAC: c.SenderMAC.MAC,
	})
	switch {
	case errors.Is(err, syscall.ENXIO):
		return told{fmt.Sprintf("explaining: isat does no ARP on %s: \"isat status\" lists the interfaces where it does", c.Interface), err}
	case err != nil:
		return a.explain(err, "explaining")
	}
	if c.JSON {
		return a.printJSON(e)
	}
	fmt.Fprint(a.stdout, e.Text)
	return nil
}
