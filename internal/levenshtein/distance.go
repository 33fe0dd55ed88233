// Package levenshtein tells how far two words are apart, for messages that guess
// what somebody meant to write.
package levenshtein

// Distance returns the number of bytes to insert, delete or replace that make b
// of a.
func Distance(a, b string) int {
	row := make([]int, len(b)+1) // from the part of a seen so far to every beginning of b
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
