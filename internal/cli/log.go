package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
)

// logger returns the logger of the daemon: to standard error, at the level and
// in the format asked for.
func (a *app) logger() *slog.Logger {
	if a.logJSON {
		return slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: a.logLevel}))
	}
	journald := false
	if a.stderr == io.Writer(os.Stderr) {
		journald, _ = journal.StderrIsJournalStream() // an error: it is not
	}
	return slog.New(newLineHandler(a.stderr, a.logLevel, journald))
}

// lineHandler writes a record as the line that operators know from syslog: the
// message as it is, then the attributes as name=value. Time and level are
// journald's to add; it learns the level from a prefix (sd-daemon(3)).
type lineHandler struct {
	out *lineOutput

	// attributes writes the attributes of a record, and nothing else of it, to
	// out.buffer. It knows those of With and WithGroup.
	attributes slog.Handler
}

type lineOutput struct {
	mu       sync.Mutex
	w        io.Writer
	journald bool
	buffer   bytes.Buffer
}

func newLineHandler(w io.Writer, level slog.Level, journald bool) lineHandler {
	out := &lineOutput{w: w, journald: journald}
	return lineHandler{out, slog.NewTextHandler(&out.buffer, &slog.HandlerOptions{Level: level, ReplaceAttr: onlyAttributes})}
}

// onlyAttributes drops what slog.TextHandler writes of its own accord.
func onlyAttributes(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && (attr.Key == slog.TimeKey || attr.Key == slog.LevelKey || attr.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return attr
}

func (h lineHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.attributes.Enabled(ctx, level)
}

func (h lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lineHandler{h.out, h.attributes.WithAttrs(attrs)}
}

func (h lineHandler) WithGroup(name string) slog.Handler {
	return lineHandler{h.out, h.attributes.WithGroup(name)}
}

func (h lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.buffer.Reset()
	if err := h.attributes.Handle(ctx, r); err != nil {
		return err
	}
	line := make([]byte, 0, len(r.Message)+h.out.buffer.Len()+4)
	if h.out.journald {
		line = fmt.Appendf(line, "<%d>", severity(r.Level))
	}
	line = append(line, r.Message...)
	if h.out.buffer.Len() > 1 { // more than the end of the line
		line = append(line, ' ')
	}
	line = append(line, h.out.buffer.Bytes()...)
	_, err := h.out.w.Write(line)
	return err
}

// severity returns the severity of syslog(3) for a level; between Info and Warn
// is Notice.
func severity(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level > slog.LevelInfo:
		return 5
	case level == slog.LevelInfo:
		return 6
	}
	return 7
}
