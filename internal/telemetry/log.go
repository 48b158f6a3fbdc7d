// Package telemetry reports what the agent does: in its log, and as conditions and metrics on /livez, /readyz, /status and
// /metrics.
package telemetry

import (
	"io"
	"log/slog"
	"os"
)

// Logger returns a logger that writes to w. level is debug, info, warn or error; any other value counts as info. format is
// text or json. The empty format is text on a terminal and JSON anywhere else.
func Logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "text" || (format == "" && IsTerminal(w)) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// IsTerminal reports whether w is a terminal, or another device that takes characters.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
