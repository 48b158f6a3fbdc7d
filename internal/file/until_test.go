package file

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestWorkIsCancelledOnlyByAChangeThatMatters(t *testing.T) {
	overtaken, failed := errors.New("overtaken"), errors.New("failed")
	for name, c := range map[string]struct {
		changes int   // that arrive while the work runs
		matters int   // the number of the change that matters; 0 for none
		work    error // of work that nobody cancels
		want    error
	}{
		"no change":                  {0, 0, nil, nil},
		"no change, and a failure":   {0, 0, failed, failed},
		"changes that do not matter": {3, 0, failed, failed},
		"the second change matters":  {3, 2, nil, overtaken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				changes, asked := make(chan struct{}), 0
				done := make(chan error, 1)
				finish := make(chan struct{})
				returned := false
				go func() {
					done <- Until(t.Context(), changes, func() error {
						if asked++; asked == c.matters {
							return overtaken
						}
						return nil
					}, func(ctx context.Context) error {
						defer func() { returned = true }()
						select {
						case <-ctx.Done():
							return context.Cause(ctx)
						case <-finish:
							return c.work
						}
					})
				}()
				for n := range c.changes {
					if c.matters > 0 && n >= c.matters {
						break
					}
					changes <- struct{}{}
				}
				synctest.Wait()
				if c.matters == 0 {
					close(changes) // as when the agent stops
					synctest.Wait()
					close(finish)
				}
				if err := <-done; !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || !returned {
					t.Errorf("%v, want %v; the work has returned: %v", err, c.want, returned)
				}
			})
		})
	}
}
