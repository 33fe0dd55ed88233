package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/isat-project/isat/event"
)

// logEvents writes the diagnostic lines among the events to the log, until ctx
// is done.
func (d *Daemon) logEvents(ctx context.Context) {
	r := d.events.Reader(0)
	for {
		e, err := r.Next(ctx)
		if err != nil {
			for {
				e, ok := r.TryNext()
				if !ok {
					return
				}
				d.logEvent(e)
			}
		}
		d.logEvent(e)
	}
}

// logEvent writes one, if log_level does not hold it back. What is for debugging
// is written whatever the level of the daemon's own log: who raises log_level to 7
// wants just that. The file of the log is slow, so this happens far from the
// host's lock.
func (d *Daemon) logEvent(e event.Event) {
	if e.Message == "" || e.Severity > d.mib.Settings("").LogLevel {
		return
	}
	ctx, l, out := context.Background(), level(e.Severity), d.log.Handler()
	if out.Enabled(ctx, l) || e.Severity == event.Debug {
		_ = out.Handle(ctx, slog.NewRecord(time.Now(), l, e.Message, 0)) // as slog.Logger does
	}
}

// level returns the level of the log that a severity of syslog has.
func level(s event.Severity) slog.Level {
	switch {
	case s <= event.Error:
		return slog.LevelError
	case s == event.Warning:
		return slog.LevelWarn
	case s <= event.Info:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
