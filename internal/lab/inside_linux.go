package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/isat-project/isat/internal/lab/lan"
)

// script returns how a scenario is played against real kernels.
func script(name string) func(context.Context, *stage) error {
	return map[string]func(context.Context, *stage) error{
		"resolve":   playResolve,
		"age":       playAge,
		"down":      playDown,
		"move":      playMove,
		"impostor":  playImpostor,
		"permanent": playPermanent,
		"crash":     playCrash,
		"hang":      playHang,
		"errors":    playErrors,
		"proxy":     playProxy,
		"proxyall":  playProxyAll,
		"duplicate": playDuplicate,
		"defend":    playDefend,
		"recover":   playRecover,
		"vip":       playVIP,
	}[name]
}

// inside plays in namespaces of its own, with its files in dir.
func (o Options) inside(ctx context.Context, dir string) (ok bool, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// One network for a try: a user namespace may be granted and be worth nothing.
	net, err := lan.New()
	if err != nil {
		if r := explain(err, readSysctl); r != nil {
			return o.playSegment(ctx, r)
		}
		return false, err
	}
	if err := net.Close(); err != nil {
		return false, err
	}
	ok = true
	if len(o.chosen()) > 0 {
		ok, err = o.play(ctx, func(ctx context.Context, s outline, story *Story) Result {
			return o.playOne(ctx, s, story, dir)
		})
	}
	if o.Once || err != nil {
		return ok, err
	}
	return ok, o.stay(ctx, dir)
}

// playOne plays one scenario with the daemon's files in dir, and clears up.
func (o Options) playOne(ctx context.Context, s outline, story *Story, dir string) (r Result) {
	if s.name == mediaName {
		return o.playMedia(ctx, s, story)
	}
	r = Result{Scenario: s.name, About: s.about, On: Namespaces}
	stage, err := newStage(story, dir)
	if err != nil {
		r.failed(err)
		return r
	}
	stage.noTUN = o.noTUN
	if o.patience > 0 {
		stage.patience = o.patience
	}
	err = tryPlay(ctx, script(s.name), stage)
	err = errors.Join(err, stage.broken, stage.record(o.Pcap, s.name))
	story.catchUp()
	if err != nil || len(story.wrong) > 0 {
		stage.tellLog()
	}
	if err = errors.Join(err, stage.close()); err != nil {
		r.failed(err)
	}
	return r
}

// tryPlay turns a panic into an error, so that the stage is cleared.
func tryPlay(ctx context.Context, play func(context.Context, *stage) error, s *stage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := play(ctx, s); err != nil {
		return err
	}
	return ctx.Err()
}

// stay keeps a network and a daemon up until ctx ends.
func (o Options) stay(ctx context.Context, dir string) (err error) {
	net, err := lan.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	d, err := newDaemonWith(net.Isat, net.Isat.Interface(), dir, &logBook{also: o.Stderr}, detecting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Start(ctx); err != nil {
		return err
	}
	if err := o.guide(net, d.socket()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-d.process.Done():
		return fmt.Errorf("the daemon ended by itself: %s", d.log.last())
	}
}
