package config

import (
	"math"

	"github.com/isat-project/isat/internal/levenshtein"
)

// nearest returns the word that s was probably meant to be: one that differs in
// at most two letters and less than half of them; "" if there is none.
func nearest(s string, words []string) string {
	best, least := "", math.MaxInt
	for _, w := range words {
		if d := levenshtein.Distance(s, w); d <= 2 && 2*d < len(w) && d < least {
			best, least = w, d
		}
	}
	return best
}
