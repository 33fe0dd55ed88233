package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/isat-project/isat/internal/config"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/arcnet"
	"github.com/isat-project/isat/link/cable"
	"github.com/isat-project/isat/link/pcap"
)

type cableCommand struct {
	Path   string        `arg:"" name:"PATH" help:"The socket to make."`
	Pcap   string        `help:"Record the frames to FILE, which may be a pipe." placeholder:"FILE"`
	Medium config.Medium `help:"What the frames of the recording are: ${enum}." enum:"ethernet,token-ring,arcnet" default:"ethernet" placeholder:"MEDIUM"`
}

func (cableCommand) Help() string {
	return `A hub for hosts with port = "cable:PATH" in their configuration: each hears the frames of all others. It needs no privileges and no driver, and ends by SIGINT or SIGTERM. Only its user can join; chmod(1) lets others in.

A recording of ARCnet has whole packets, as bpf(4) shows them: fragments of others are not in it.

Examples:

    isat cable /run/isat/ring --medium token-ring --pcap ring.pcap
    isat cable /tmp/lan --pcap >(tcpdump -nr -)
`
}

// Run joins hosts until ctx is done.
func (c cableCommand) Run(ctx context.Context, a *app) (err error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return fmt.Errorf("making a cable: %w", err)
	}
	hub, err := cable.Listen(path)
	if err != nil {
		return err
	}
	defer hub.Close() // for the ways out before Run, which does it too
	if c.Pcap != "" {
		// Only now: if another hub is at path, the file may be its.
		file, err := os.Create(c.Pcap)
		if err != nil {
			return fmt.Errorf("recording a cable: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		record, err := recorder(file, c.Medium, a.logger())
		if err != nil {
			return fmt.Errorf("recording a cable: %w", err)
		}
		hub.Tap(record)
	}
	fmt.Fprintf(a.stdout, "hosts join with port = %q\n", "cable:"+path)
	if err := hub.Run(ctx); err != nil {
		return fmt.Errorf("running a cable: %w", err)
	}
	s := hub.Stats()
	fmt.Fprintf(a.stdout, "%d frames, %d lost on the way to slow hosts, %d too long, %d hosts too many\n", s.Frames, s.Lost, s.TooLong, s.Refused)
	return nil
}

// linkTypes are the link types of recordings.
var linkTypes = map[config.Medium]uint32{
	config.Ethernet:  pcap.LinkTypeEthernet,
	config.TokenRing: pcap.LinkTypeIEEE8025,
	config.ARCnet:    pcap.LinkTypeARCnet,
}

// recorder returns what records the frames of a medium to w. Hosts do not stop
// talking because a disk is full: the first error is logged, and ends the
// recording.
func recorder(w io.Writer, medium config.Medium, log *slog.Logger) (func(time.Time, []byte), error) {
	out, err := pcap.NewWriter(w, linkTypes[medium])
	if err != nil {
		return nil, err
	}
	// The link type of ARCnet is for whole packets.
	packets := arcnet.NewReassembler(link.ARCnet{}.MaxMTU())
	failed := false
	return func(now time.Time, frame []byte) {
		if medium == config.ARCnet {
			frame = packets.Add(now, frame)
		}
		if frame == nil || failed {
			return
		}
		if err := out.WriteFrame(now, frame); err != nil {
			failed = true
			log.Error("recording a cable ended", "err", err)
		}
	}, nil
}
