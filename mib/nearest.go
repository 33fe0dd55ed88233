package mib

import (
	"iter"
	"strings"
)

// nearest returns the name that the writer of the unknown name most likely
// meant, or "" if none is similar. A last part alone, such as max_age, means the
// full name; else up to a fifth of the characters may be wrong.
func nearest(unknown string, names iter.Seq[string]) string {
	best, bestDistance := "", len(unknown)/5+1
	for name := range names {
		if unknown != "" && strings.HasSuffix(name, "."+unknown) {
			return name
		}
		d := distance(unknown, name)
		if d < bestDistance || d == bestDistance && best != "" && name < best { // the order of names is random
			best, bestDistance = name, d
		}
	}
	return best
}

// distance returns the number of bytes to insert, delete or replace that turn a
// into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // distances of the part of a seen so far to every beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
