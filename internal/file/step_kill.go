//go:build killpoints

package file

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// killVariable is the number of the point at which this process kills itself. Points count from 1: before the first change,
// after the first, before the second and so on. Unset or 0 means never.
const killVariable = "AGENT_KILL_AT"

// passed is the number of points that this process has passed.
var passed atomic.Int64

func step(what, path string, change func() error) error {
	point("before", what, path)
	err := change()
	point("after", what, path)
	return err
}

func point(when, what, path string) {
	at, _ := strconv.ParseInt(os.Getenv(killVariable), 10, 64)
	if n := passed.Add(1); n == at {
		fmt.Fprintf(os.Stderr, "killed at %d, %s this: %s %s\n", n, when, what, path)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // make no further change until the signal arrives
	}
}
