package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
)

// version is set by the build: go build -ldflags "-X main.version=…".
var version = "unknown"

func versionCommand(_ context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) > 0 {
		return usageError{"agent version takes no arguments"}
	}
	fmt.Fprintf(stdout, "agent %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
