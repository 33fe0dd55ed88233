package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/isat-project/isat/api"
)

type eventsCommand struct {
	JSON  bool          `name:"json" help:"Print JSON, one event a line."`
	Since *api.Position `help:"Begin after this event, INSTANCE:SEQ; else with the next one." placeholder:"POSITION"`
	Count uint64        `help:"End after N events; else it goes on until interrupted." placeholder:"N"`
}

func (eventsCommand) Help() string {
	return `The daemon keeps the last 65,536 events. POSITION is "instance", a colon and "seq" of an event, as --json shows them. INSTANCE:0 is before the first event of that daemon. Events that are no longer there are told as one event "lost".

Examples:

    isat events
    isat events --json --count 10
`
}

// Run follows the events until there are enough of them, or ctx is done, which
// is how it usually ends.
func (c eventsCommand) Run(ctx context.Context, a *app) error {
	client := a.client()
	defer client.Close()
	var since api.Position
	if c.Since != nil {
		since = *c.Since
	}
	stream, err := client.Events(ctx, since)
	if err != nil {
		return a.explain(err, "following the events")
	}
	n := uint64(0)
	for e, err := range stream.All() {
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return a.explain(err, "following the events")
		case c.JSON:
			err = a.printJSON(e)
		default:
			_, err = fmt.Fprintln(a.stdout, eventLine(e))
		}
		if err != nil {
			return fmt.Errorf("printing the events: %w", err)
		}
		if n++; n == c.Count {
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("following the events: the daemon stopped")
}

// eventLine returns e for people: local time, type, what it is about as far as
// it applies, and the diagnostic.
func eventLine(e api.Event) string {
	words := []string{e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Type}
	add := func(format, value string) {
		if value != "" {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	if e.IP.IsValid() {
		add("%s", e.IP.String())
	}
	switch {
	case e.OldMAC != "":
		add("%s", "from "+string(e.OldMAC)+" to "+string(e.MAC))
	default:
		add("at %s", string(e.MAC))
	}
	add("on %s", e.Interface)
	if e.Count > 0 {
		words = append(words, fmt.Sprintf("(%d)", e.Count))
	}
	if e.Message != "" {
		words = append(words, "- "+e.Message)
	}
	return strings.Join(words, " ")
}
