// Package remedy attaches to an error what a person can do about it. The text of such an error ends with the remedy, so that a
// log line has both. A command prints the remedy on a line of its own.
package remedy

import (
	"fmt"
	"slices"
	"strings"
)

// separator stands between an error and its remedy.
const separator = "; "

// Remedier is an error with a remedy. Its text ends with "; " and the remedy.
type Remedier interface {
	error
	Remedy() string // empty if only waiting helps
}

// remedied is an error that [Add] made.
type remedied struct {
	err    error
	remedy string
}

func (r remedied) Error() string  { return r.err.Error() + separator + r.remedy }
func (r remedied) Unwrap() error  { return r.err }
func (r remedied) Remedy() string { return r.remedy }

// Add returns an error that wraps err and has a remedy, such as "set PRODUCT to is or am". err must not be nil.
func Add(err error, format string, args ...any) error {
	return remedied{err, fmt.Sprintf(format, args...)}
}

// Split returns the text of err without remedies, and the remedies of err and of the errors that it wraps: the one nearest to the
// cause first, each once. It leaves out the remedy of a wrapped error whose text is not part of err's text.
func Split(err error) (text string, remedies []string) {
	text = err.Error()
	for _, inner := range unwrap(err) {
		innerText, more := Split(inner)
		if len(more) > 0 && strings.Contains(text, inner.Error()) {
			text = strings.Replace(text, inner.Error(), innerText, 1)
			remedies = append(remedies, more...)
		}
	}
	if r, ok := err.(Remedier); ok && r.Remedy() != "" {
		if before, cut := strings.CutSuffix(text, separator+r.Remedy()); cut {
			text, remedies = before, append(remedies, r.Remedy())
		}
	}
	return text, unique(remedies)
}

// unwrap returns the errors that err wraps directly.
func unwrap(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}
		}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}

// unique returns the texts in their order, each once.
func unique(texts []string) (once []string) {
	for _, t := range texts {
		if !slices.Contains(once, t) {
			once = append(once, t)
		}
	}
	return once
}
