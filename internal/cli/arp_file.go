package cli

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/lladdr"
)

// maxLine is the longest line of a file in bytes: more is no line of arp(8), and
// memory stays bounded.
const maxLine = 4096

// maxSetting bounds the requests of a file that are on their way at once. The
// daemon carries them out one by one, but reads and answers them side by side.
const maxSetting = 16

// arpFile is a run of -f.
type arpFile struct {
	*arpTool
	name  string // as errors show it
	hosts hostLines
}

// fileLine is a line of a file that sets something, or is wrong.
type fileLine struct {
	number int // from 1
	host   string
	entry  api.SetEntry
	note   string        // to print
	err    error         // why it is not set
	fatal  bool          // nothing that follows is read
	done   chan struct{} // closed when note and err are there
}

// file is -f: a set on every line of the file, of standard input for "-".
func (t *arpTool) file(ctx context.Context, name string) error {
	f := &arpFile{arpTool: t, name: name}
	if name == "-" {
		return f.setLines(ctx, t.stdin)
	}
	r, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", name, errors.Unwrap(err))
	}
	defer r.Close()
	return f.setLines(ctx, r)
}

// setLines sets what each line of r says, and tells of the lines in their order.
// A bad line does not keep the others from being set.
func (f *arpFile) setLines(whole context.Context, r io.Reader) error {
	ctx, stop := context.WithCancel(whole)
	defer stop()
	lines := make(chan *fileLine, maxSetting)
	go f.read(ctx, r, lines)
	var failed error
	for l := range lines {
		<-l.done
		if ctx.Err() != nil {
			continue // told already; the reader ends soon
		}
		io.WriteString(f.stdout, l.note)
		if l.err == nil {
			continue
		}
		failed = errTold
		if l.fatal {
			f.tell("arp", fmt.Errorf("reading %s: %w", f.name, l.err))
		} else {
			f.tell("arp", fmt.Errorf("%s:%d: %w", f.name, l.number, l.err))
		}
		var dial *net.OpError
		if errors.As(l.err, &dial) {
			stop() // what is left would fail like this
		}
	}
	if whole.Err() != nil {
		return fmt.Errorf("reading %s: interrupted", f.name)
	}
	return failed
}

// read sends the lines of r on and begins to set each, until ctx is done. It
// closes lines.
func (f *arpFile) read(ctx context.Context, r io.Reader, lines chan<- *fileLine) {
	defer close(lines)
	b := bufio.NewReaderSize(r, maxLine)
	for number := 1; ctx.Err() == nil; number++ {
		text, tooLong, err := readLine(b)
		if err == io.EOF {
			return
		}
		l := &fileLine{number: number, done: make(chan struct{})}
		switch {
		case err != nil:
			l.err, l.fatal = withoutPath(err), true
		case number == math.MaxUint32:
			l.err, l.fatal = errors.New("too many lines"), true
		case tooLong:
			l.err = errors.New("bad line: too long")
		default:
			if !f.parse(ctx, l, text) {
				continue
			}
		}
		fatal := l.fatal
		if l.err != nil {
			close(l.done)
		} else {
			go func() {
				defer close(l.done)
				l.note, l.err = f.put(ctx, l.host, l.entry)
			}()
		}
		lines <- l // who reads them does so to the end
		if fatal {
			return
		}
	}
}

// withoutPath returns why a file cannot be read: its name is told with the line.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// readLine returns a line without its end. Of one that is too long only the
// beginning is kept.
func readLine(b *bufio.Reader) (text string, tooLong bool, err error) {
	line, long, err := b.ReadLine()
	text, tooLong = string(line), long
	for long && err == nil {
		_, long, err = b.ReadLine()
	}
	return text, tooLong, err
}

// parse reads what a line says into l: the operands of -s, or ethers(5), where the
// address comes first. '#' begins a comment. It reports whether there is anything.
func (f *arpFile) parse(ctx context.Context, l *fileLine, text string) bool {
	text, _, _ = strings.Cut(text, "#")
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return false
	case len(words) == 1 || len(words) > 6:
		l.err = fmt.Errorf("bad line: %s", strings.TrimSpace(text))
		return true
	}
	if isEthers(words) {
		words[0], words[1] = words[1], words[0]
	}
	l.host = words[0]
	if l.entry, l.err = f.entry(ctx, words); l.err != nil {
		return true
	}
	if first := f.hosts.add(l.entry, l.number); first != 0 {
		l.err = fmt.Errorf("set %s: the same host is in line %d", l.host, first)
	}
	return true
}

// hostLines are the lines of the hosts of a file. One that is published only is
// apart from the ordinary one. It takes some 20 bytes a host: 20 MB for a million
// lines, 80 GB for all of IPv4.
type hostLines struct {
	ordinary, only map[uint32]uint32
}

// add notes the line of a host, and returns that of the same host before, 0 if
// there is none.
func (h *hostLines) add(e api.SetEntry, number int) (first int) {
	lines := &h.ordinary
	if e.Pub == api.PublishOnly {
		lines = &h.only
	}
	if *lines == nil {
		*lines = make(map[uint32]uint32)
	}
	ip := e.IP.As4()
	host := binary.BigEndian.Uint32(ip[:])
	if n, ok := (*lines)[host]; ok {
		return int(n)
	}
	(*lines)[host] = uint32(number)
	return 0
}

// isEthers reports whether the words are those of ethers(5): a link-layer
// address, which no host's name looks like, and then a host that is none.
func isEthers(words []string) bool {
	if _, err := netip.ParseAddr(words[0]); err == nil || !strings.Contains(words[0], ":") {
		return false
	}
	_, err := lladdr.Parse(words[0])
	return err == nil
}
