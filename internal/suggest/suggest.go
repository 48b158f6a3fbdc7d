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

// Nearest returns the known word that takes the fewest mistakes to turn into word, without regard to case. It is empty if even the
// nearest one takes more than one mistake for every three letters of word. One mistake is always allowed.
func Nearest(word string, known []string) string {
	best, fewest := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if n := mistakes(strings.ToLower(word), strings.ToLower(k)); n < fewest {
			best, fewest = k, n
		}
	}
	return best
}

// mistakes returns the least number of letters to insert, delete or replace, and of neighbours to swap, to turn a into b (the
// optimal string alignment distance).
func mistakes(a, b string) int {
	rows := make([][]int, len(a)+1) // rows[i][j] is the number for the first i letters of a and the first j of b
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			if i == 0 || j == 0 {
				rows[i][j] = i + j
				continue
			}
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
