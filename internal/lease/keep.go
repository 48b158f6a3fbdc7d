package lease

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// releaseIn is the most time that the release of a lease takes.
const releaseIn = 10 * time.Second

// keep renews a lease in the background, until release is called, ctx ends, or the lease is lost.
func (c *claim) keep(ctx context.Context, own grant) (held context.Context, release func()) {
	held, end := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		if err := c.renew(held, own); err != nil {
			end(err)
		}
	})
	return held, sync.OnceFunc(func() {
		end(context.Canceled)
		renewing.Wait() // a renewal after the deletion would be of no use
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseIn)
		defer cancel()
		if err := gone(c.DeleteApplication(ctx, own.id)); err != nil {
			c.log.Warn("cannot release the lease on API-M, which others wait for until it expires", "wait", c.life, "error", err)
		}
	})
}

// renew renews the lease in every third of its life. It returns nil when ctx ends, and an error that wraps [ErrLost] if somebody has
// deleted the lease, or if no renewal has succeeded for its whole life: another run may have taken it over from then on.
func (c *claim) renew(ctx context.Context, own grant) error {
	for wait := c.life / 3; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(wait, own.until.Sub(c.now()))):
		}
		sent := c.now()
		var err error
		if sent.Before(own.until) {
			if err = c.renewOnce(ctx, own, sent); err == nil && c.now().Before(own.until) {
				own.until, wait = sent.Add(c.life), c.life/3
				continue
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case isGone(err):
			return fmt.Errorf("%w: somebody has deleted application %s: %w", ErrLost, Application, err)
		case !c.now().Before(own.until):
			return fmt.Errorf("%w: API-M has confirmed no renewal for %s", ErrLost, c.life)
		}
		wait = c.life / 12
		c.log.Warn("cannot renew the lease on API-M, trying again", "lease until", own.until, "error", err)
	}
}

// renewOnce sends the lease again. A request that hangs leaves time for others.
func (c *claim) renewOnce(ctx context.Context, own grant, sent time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, min(c.life/6, own.until.Sub(sent)))
	defer cancel()
	_, err := c.UpdateApplicationObject(ctx, own.id, c.fields(own.run, sent.Add(c.life)))
	return err
}
