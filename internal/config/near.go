package config

import "math"

// nearest returns the word that s was probably meant to be: one that differs in
// at most two letters and less than half of them; "" if there is none.
func nearest(s string, words []string) string {
	best, least := "", math.MaxInt
	for _, w := range words {
		if d := distance(s, w); d <= 2 && 2*d < len(w) && d < least {
			best, least = w, d
		}
	}
	return best
}

// distance returns the number of bytes to insert, delete or replace that make b
// of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
