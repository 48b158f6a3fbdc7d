// Package telemetry is how the agent tells what it does: its log, and the conditions behind /livez, /readyz, /status
// and /metrics.
package telemetry

import (
	"io"
	"log/slog"
	"os"
)

// Logger returns the log that goes to w. Level is debug, info, warn or error; format is text, json, or empty for text
// on a terminal and JSON elsewhere.
func Logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "text" || (format == "" && isTerminal(w)) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
