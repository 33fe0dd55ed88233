package mib

import (
	"cmp"
	"iter"
	"strings"

	"github.com/isat-project/isat/internal/levenshtein"
)

// nearest returns the name that the writer of an unknown name most likely meant,
// or "" if none is similar. What counts is the part after the last dot, so that
// max_age is near its full name; a third of it may be wrong. Among equals it is
// the name that is nearest as a whole, then the first.
func nearest(unknown string, names iter.Seq[string]) string {
	part := lastPart(unknown)
	allowed := max(1, len(part)/3)
	type candidate struct {
		name        string
		last, whole int // distances of the last part and of the whole name
	}
	var best candidate
	for name := range names {
		c := candidate{name, levenshtein.Distance(part, lastPart(name)), levenshtein.Distance(unknown, name)}
		if c.last > allowed {
			continue
		}
		if best.name == "" || cmp.Or(cmp.Compare(c.last, best.last), cmp.Compare(c.whole, best.whole), cmp.Compare(c.name, best.name)) < 0 {
			best = c
		}
	}
	return best.name
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
