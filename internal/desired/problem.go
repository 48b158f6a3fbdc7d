package desired

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"wso2agent/internal/sorting"
)

// ErrInvalid says that a person must change the files. Every error of [Load] and [Parse] wraps it.
var ErrInvalid = errors.New("the API configuration is not usable")

// Problem is one mistake in a file.
type Problem struct {
	At      Place
	Message string // without the hint
	Hint    string // what to do, or what may be meant; may be empty
	Excerpt string // the line up to an unknown key, and below it a caret; empty for other mistakes
}

// String returns the place, the mistake and the hint in one line.
func (p Problem) String() string {
	s := p.Message
	if p.At != (Place{}) {
		s = fmt.Sprintf("%s: %s", p.At, s)
	}
	if p.Hint != "" {
		s += ": " + p.Hint
	}
	return s
}

// Problems are all mistakes in the files of one [Load], in the order of the files and of their lines. They wrap [ErrInvalid].
type Problems []Problem

// Error returns a line for each mistake.
func (ps Problems) Error() string {
	lines := []string{ErrInvalid.Error()}
	for _, p := range ps {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns [ErrInvalid].
func (ps Problems) Unwrap() error { return ErrInvalid }

// Err returns the mistakes as an error, or nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Add adds a mistake at a place.
func (ps *Problems) Add(at Place, hint, format string, args ...any) {
	*ps = append(*ps, Problem{At: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// Sorted returns mistakes in the order of the files of f, and of their lines, each once.
func (f *File) Sorted(ps Problems) Problems {
	var sorted Problems
	known := map[Problem]bool{}
	for _, p := range ps {
		if !known[p] {
			sorted = append(sorted, p)
		}
		known[p] = true
	}
	order := map[string]int{}
	for i, name := range f.files {
		order[name] = i + 1 // 0: what stands in no file
	}
	sorting.By(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(order[a.At.File], order[b.At.File]), a.At.compare(b.At))
	})
	return sorted
}
