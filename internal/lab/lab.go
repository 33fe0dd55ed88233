// Package lab is `isat lab`: a private network that shows what isat does, and
// proves it. On Linux it is made of network namespaces with real kernels as
// peers, and the daemon runs in one of them:
//
//	   alice         bob         router ──── far
//	192.0.2.9    192.0.2.10   192.0.2.254    198.51.100.9
//	     │            │            │
//	  ───┴────────────┴─────┬──────┴───  bridge
//	                        │
//	                  isat 192.0.2.1
//
// It needs no root: it runs itself again in a user namespace of its own. It needs
// no program but itself either. Where the system allows no such namespaces, the
// scenarios that need no kernel are played on a segment in memory. The media for
// which Linux has no drivers are played on a cable, by hosts of the engine.
//
// A scenario does something to the network, watches the wire, and says what it
// saw and whether that is right. It believes frames, pings, TCP and the kernel's
// tables; of the daemon it takes no word where one of those can tell.
//
//	lab           the scenarios, one file each, and the stage they are played on
//	lab/lan       the network: namespaces, bridge, hosts
//	lab/netns     namespaces and processes in them
//	lab/probe     pings, TCP streams, the wire
package lab

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what to play and where to tell it.
type Options struct {
	Once       bool      // play scenarios and return; else the lab stays up until ctx ends
	JSON       bool      // one JSON object a scenario in place of text
	RequireAll bool      // a scenario that is skipped, or played in memory and not against real kernels, counts as failed
	Scenarios  []string  // names; none: with Once all of them, else none
	Pcap       string    // a directory for a recording NAME.pcap of each scenario; "": none
	Stdout     io.Writer // the stories
	Stderr     io.Writer // what the daemon logs, when the lab stays up

	patience time.Duration // in place of defaultPatience, for tests of what never comes
	noTUN    bool          // as if there were no TUN devices, for tests of what Linux does
}

// Run plays scenarios or keeps a lab up, as o says. It reports whether every
// scenario did what it should. An error means that the lab itself could not do
// its work, or that o names an unknown scenario. Whatever ends it (the end of
// ctx, SIGINT, SIGTERM, a panic), processes, namespaces and files of the lab are
// gone when it returns.
func Run(ctx context.Context, o Options) (ok bool, err error) {
	for _, name := range o.Scenarios {
		if !slices.Contains(Names(), name) {
			return false, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(Names(), ", "))
		}
	}
	return run(ctx, o)
}

// outline is what is known of a scenario wherever it is played.
type outline struct {
	name  string
	about string
}

// outlines returns the scenarios in the order they are played.
func outlines() []outline {
	return []outline{
		{"resolve", "a cold ping both ways, and through a router"},
		{"age", "an unused entry expires; those in use are refreshed without losing a packet"},
		{"down", "a silent address: one request a second, errors, and recovery"},
		{"move", "a peer changes its MAC address, and traffic goes on"},
		{"impostor", "a foreign host claims isat's address"},
		{"permanent", "a static entry resists a claim and the loss of carrier"},
		{"crash", "SIGKILL under a running ping: the kernel takes over, then a new daemon"},
		{"hang", "SIGSTOP: the kernel takes over, until SIGCONT"},
		{"errors", "what programs are told of a silent host, a silent router, and what arp(8) refuses"},
		{"proxy", "an entry and a rule answer for hosts that are not on the LAN"},
		{"proxyall", "hosts on either side of isat reach each other as if on one link"},
		{"duplicate", "an address that another host has is not used"},
		{"defend", "claims to an address in use are answered, until there are too many"},
		{"recover", "a duplicate comes back by itself when its owner is gone"},
		{"vip", "an address moves between two hosts, and nobody removes it"},
		{mediaName, "pings on Ethernet, Token Ring and ARCnet, by a source route and in fragments"},
	}
}

// Names returns the names of the scenarios in the order they are played.
func Names() []string {
	var names []string
	for _, s := range outlines() {
		names = append(names, s.name)
	}
	return names
}

// chosen returns the scenarios that o asks for, in the order of [Names].
func (o Options) chosen() []outline {
	if o.Once && len(o.Scenarios) == 0 {
		return outlines()
	}
	return slices.DeleteFunc(outlines(), func(s outline) bool { return !slices.Contains(o.Scenarios, s.name) })
}

// refusal is why this machine forbids something, and what to do about it.
type refusal struct {
	reason string
	remedy string // one sentence, may be empty
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

// play tells the story of each chosen scenario as the function tells it, and the
// sum of them at the end.
func (o Options) play(ctx context.Context, one func(context.Context, outline, *Story) Result) (ok bool, err error) {
	start := time.Now()
	count := map[Verdict]int{}
	ok = true
	for _, s := range o.chosen() {
		story := newStory(s, o.narrator())
		r := one(ctx, s, story)
		if ctx.Err() != nil {
			return false, ctx.Err() // what it says of a scenario cut short means nothing
		}
		story.end(&r)
		count[r.Verdict]++
		ok = ok && r.good(o.RequireAll)
		if o.JSON {
			if err := writeJSON(o.Stdout, r); err != nil {
				return false, err
			}
		}
	}
	if !o.JSON {
		fmt.Fprintf(o.Stdout, "%d passed, %d failed, %d skipped, in %.1f s\n",
			count[Pass], count[Fail], count[Skip], time.Since(start).Seconds())
	}
	return ok, nil
}

// narrator is where stories go while they happen.
func (o Options) narrator() io.Writer {
	if o.JSON {
		return io.Discard
	}
	return o.Stdout
}
