package remedy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"wso2agent/internal/remedy"
)

// ofServer is an error type with a remedy of its own, as package wso2 has one.
type ofServer struct{ remedy string }

func (e ofServer) Remedy() string { return e.remedy }
func (e ofServer) Error() string {
	if e.remedy == "" {
		return "HTTP 503"
	}
	return "HTTP 401; " + e.remedy
}

func TestSplit(t *testing.T) {
	missing := remedy.Add(fmt.Errorf("open store: %w", fs.ErrNotExist), "set %s", "CONFIG_DIR")
	for _, tc := range []struct {
		name     string
		err      error
		text     string
		remedies []string
	}{
		{"an error without a remedy, whose text has a semicolon", errors.New("bad; worse"), "bad; worse", nil},
		{"an error with a remedy", missing, "open store: file does not exist", []string{"set CONFIG_DIR"}},
		{"a wrapped error with a remedy", fmt.Errorf("init: %w", missing), "init: open store: file does not exist", []string{"set CONFIG_DIR"}},
		{"remedies of a cause and of what wraps it", remedy.Add(fmt.Errorf("timed out waiting for %w", missing), "raise INIT_TIMEOUT"),
			"timed out waiting for open store: file does not exist", []string{"set CONFIG_DIR", "raise INIT_TIMEOUT"}},
		{"a remedy that begins like a later one", remedy.Add(remedy.Add(errors.New("x; set A or B"), "set A or B"), "set A"), "x; set A or B", []string{"set A or B", "set A"}},
		{"joined errors with one remedy", errors.Join(missing, missing), "open store: file does not exist\nopen store: file does not exist", []string{"set CONFIG_DIR"}},
		{"two errors in one text", fmt.Errorf("%w: %w", fs.ErrInvalid, missing), "invalid argument: open store: file does not exist", []string{"set CONFIG_DIR"}},
		{"an error type with a remedy", fmt.Errorf("ask: %w", ofServer{"check the password"}), "ask: HTTP 401", []string{"check the password"}},
		{"an error type whose remedy is empty", fmt.Errorf("ask: %w", ofServer{}), "ask: HTTP 503", nil},
		{"a cause that the text does not show", hidden{missing}, "hidden", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, remedies := remedy.Split(tc.err)
			if text != tc.text || !slices.Equal(remedies, tc.remedies) {
				t.Errorf("%q, %q; want %q, %q", text, remedies, tc.text, tc.remedies)
			}
		})
	}
}

// hidden wraps an error and does not show its text.
type hidden struct{ error }

func (hidden) Error() string   { return "hidden" }
func (h hidden) Unwrap() error { return h.error }

// A log line keeps the remedy, and callers still find the cause.
func TestAddKeepsTextAndCause(t *testing.T) {
	err := remedy.Add(fs.ErrNotExist, "mount %s", "/exchange")
	if want := "file does not exist; mount /exchange"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("it does not wrap its cause")
	}
}
