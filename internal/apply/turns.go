package apply

import (
	"context"
	"log/slog"
	"os"

	"wso2agent/internal/actual"
	"wso2agent/internal/lease"
)

// Turns returns what [Options] needs for runs on several machines to change the servers one after the other: the lease on API-M. command
// names this run for others that wait for it.
func Turns(c actual.Clients, log *slog.Logger, command string) func(context.Context) (held context.Context, release func(), waited bool, err error) {
	return func(ctx context.Context) (context.Context, func(), bool, error) {
		return lease.Acquire(ctx, c.DevPortal, holder(command), log)
	}
}

// holder returns what others read about this run while they wait for its lease.
func holder(command string) string {
	host, err := os.Hostname()
	if err != nil {
		return command
	}
	return command + " on " + host
}
