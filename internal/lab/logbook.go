package lab

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// logLine is a line of a log and when it came.
type logLine struct {
	at   time.Time
	text string
}

// logKept bounds what a [logBook] remembers: enough for a scenario that went
// wrong.
const logKept = 10_000

// logBook is where the daemon logs to. It is an [io.Writer], safe for concurrent
// use.
type logBook struct {
	also io.Writer // gets everything as well; may be nil

	mu    sync.Mutex
	rest  []byte // the line not finished yet
	lines []logLine
	read  int // lines that diagnostics has looked at
}

// Write implements [io.Writer].
func (l *logBook) Write(b []byte) (int, error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			break
		}
		if len(l.lines) < logKept {
			l.lines = append(l.lines, logLine{now, string(line)})
		}
		l.rest = rest
	}
	if l.also != nil {
		return l.also.Write(b)
	}
	return len(b), nil
}

// diagnostics returns the diagnostics of ARP since the last call, without what
// the log puts around them.
func (l *logBook) diagnostics() (found []logLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; l.read < len(l.lines); l.read++ {
		line := l.lines[l.read]
		if text, ok := diagnostic(line.text); ok {
			found = append(found, logLine{line.at, text})
		}
	}
	return found
}

// tail returns the last lines, n at most.
func (l *logBook) tail(n int) (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines[max(0, len(l.lines)-n):] {
		texts = append(texts, line.text)
	}
	return texts
}

// containing returns the lines with a text in them.
func (l *logBook) containing(text string) (texts []string) {
	for _, line := range l.tail(logKept) {
		if strings.Contains(line, text) {
			texts = append(texts, line)
		}
	}
	return texts
}

// last returns the last line, for the reader of an error.
func (l *logBook) last() string {
	if lines := l.tail(1); len(lines) > 0 {
		return lines[0]
	}
	return "it said nothing"
}

// diagnosticWords are those that a line of arp(4) or arp(7P), section DIAGNOSTICS,
// begins with.
var diagnosticWords = regexp.MustCompile(`arp: |[^\s"]+ has duplicate address |Node [^\s"]+ is using our IP address |Recovered address `)

// diagnostic cuts such a line out of a log line of any format: bare, or as a quoted
// value of log/slog.
func diagnostic(line string) (text string, ok bool) {
	at := diagnosticWords.FindStringIndex(line)
	if at == nil {
		return "", false
	}
	begin := at[0]
	text = line[begin:]
	if begin > 0 && line[begin-1] == '"' {
		text, _, _ = strings.Cut(text, `"`)
	}
	return text, true
}
