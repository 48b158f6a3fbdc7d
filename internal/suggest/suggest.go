// Package suggest finds the known word that somebody may have meant by an unknown one.
package suggest

import (
	"fmt"
	"strings"
)

// Hint names the nearest known word, or all known words if none is near. Its words follow an error: it begins with a colon,
// or is empty if nothing is known.
func Hint(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	if len(known) == 0 {
		return ""
	}
	return ": known are " + strings.Join(known, ", ")
}

// Nearest returns the known word that differs from word in the fewest letters, without regard to case. It is empty if the
// nearest one differs in more than two letters and in more than a third of word.
func Nearest(word string, known []string) string {
	best, distance := "", 1+max(2, len(word)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance returns the least number of letters to insert, delete or replace to turn a into b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
