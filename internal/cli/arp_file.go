package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/isat-project/isat/lladdr"
)

// maxLine is the longest line of a file in bytes: more is no line of arp(8), and
// memory stays bounded.
const maxLine = 4096

// file is -f: a set on every line of the file, of standard input for "-".
func (t *arpTool) file(ctx context.Context, name string) error {
	if name == "-" {
		return t.lines(ctx, name, t.stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", name, errors.Unwrap(err))
	}
	defer f.Close()
	return t.lines(ctx, name, f)
}

// lines sets what each line of r says; name is that of the file. A bad line does
// not keep the others from being set.
func (t *arpTool) lines(ctx context.Context, name string, r io.Reader) error {
	var failed error
	lines := bufio.NewReaderSize(r, maxLine)
	for number := 1; ; number++ {
		text, long, err := lines.ReadLine()
		tooLong := long
		for long && err == nil {
			_, long, err = lines.ReadLine()
		}
		if err == io.EOF {
			return failed
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		err = t.line(ctx, string(text))
		if tooLong {
			err = errors.New("bad line: too long")
		}
		if err != nil {
			t.tell("arp", fmt.Errorf("%s:%d: %w", name, number, err))
			failed = errTold
		}
		var dial *net.OpError
		if ctx.Err() != nil || errors.As(err, &dial) {
			return errTold // what is left would fail like this
		}
	}
}

// line sets what a line of a file says: the operands of -s, or ethers(5), where
// the address comes first. '#' begins a comment.
func (t *arpTool) line(ctx context.Context, text string) error {
	text, _, _ = strings.Cut(text, "#")
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return nil
	case len(words) == 1 || len(words) > 6:
		return fmt.Errorf("bad line: %s", strings.TrimSpace(text))
	}
	if isEthers(words) {
		words[0], words[1] = words[1], words[0]
	}
	return t.set(ctx, words)
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
