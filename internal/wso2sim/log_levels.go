package wso2sim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// logLevels are the levels of Java's loggers as log4j2.properties has them, by the name of the logger; "" is the root.
type logLevels map[string]slog.Level

var levelNames = map[string]slog.Level{
	"ALL": slog.LevelDebug - 8, "TRACE": slog.LevelDebug - 4, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
	"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": slog.LevelError + 4, "OFF": slog.LevelError + 8,
}

// readLogLevels reads log4j2.properties of a home. Without the file everything from INFO on is logged.
func readLogLevels(home string) (logLevels, error) {
	path := filepath.Join(home, loggingFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return logLevels{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the levels of loggers: %w", err)
	}
	properties := javaLines(string(text))
	levels := logLevels{}
	set := func(logger, level string) {
		if parsed, ok := levelNames[strings.ToUpper(level)]; ok {
			levels[logger] = parsed
		}
	}
	set("", properties["rootLogger.level"])
	// The list is closed: a logger that it does not name does not exist, whatever else the file says of it.
	for key := range strings.SplitSeq(properties["loggers"], ",") {
		key = "logger." + strings.TrimSpace(key)
		set(properties[key+".name"], properties[key+".level"])
	}
	return levels, nil
}

// of is the level of a logger: its own, or else that of the next one above it.
func (l logLevels) of(logger string) slog.Level {
	for {
		if level, ok := l[logger]; ok {
			return level
		}
		if logger == "" {
			return slog.LevelInfo
		}
		logger = logger[:max(0, strings.LastIndexByte(logger, '.'))]
	}
}

// javaLines reads a properties file: "key = value", comments with # or !, and a backslash that continues a line.
func javaLines(text string) map[string]string {
	properties := map[string]string{}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\\\n", "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			continue
		}
		properties[strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
	}
	return properties
}

// logAs logs a line of a Java class, unless the level of its logger is above the line's.
func (s *server) logAs(logger string, level slog.Level, message string, args ...any) {
	if level >= s.levels.of(logger) {
		s.log.Log(context.Background(), level, message, append([]any{"logger", logger}, args...)...)
	}
}
