package file

import (
	"cmp"
	"context"
)

// Until does work until it returns. When a change arrives and stale returns why that matters, Until cancels the work and
// returns that reason after the work has returned. It ignores changes after the channel is closed.
func Until(ctx context.Context, changes <-chan struct{}, stale func() error, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := make(chan error, 1)
	go func() { result <- work(ctx) }()
	var why error
	for {
		select {
		case err := <-result:
			return cmp.Or(why, err)
		case _, open := <-changes:
			switch {
			case !open: // the agent is stopping, and the work too
				changes = nil
			case why == nil:
				if why = stale(); why != nil {
					cancel(why)
				}
			}
		}
	}
}
