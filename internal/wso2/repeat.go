package wso2

import (
	"context"
	"errors"
	"time"
)

// Bounds of the tries of one request that reads.
const (
	ReadTries = 4
	firstWait = 100 * time.Millisecond // between two tries; doubled each time
	mostWait  = 5 * time.Second        // a server that wants a longer one gets it from the caller
)

type repeatsReads struct{}

// RepeatReads returns a context in which a request that changes nothing is tried up to [ReadTries] times, unless another try is of no
// use. A task of many requests would seldom succeed if one failed request ended it.
func RepeatReads(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatsReads{}, true)
}

// send makes a request, and makes it again if its context and its failure allow that. Any status of 300 and above is an error.
func (c caller) send(ctx context.Context, r request) (answer, error) {
	repeats := r.reads() && ctx.Value(repeatsReads{}) != nil
	wait := firstWait
	for try := 1; ; try++ {
		a, err := c.sendOnce(ctx, r)
		var e *Error
		if !repeats || try == ReadTries || !errors.As(err, &e) || e.Permanent() || e.RetryAfter > mostWait {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, err
		case <-time.After(max(wait, e.RetryAfter)):
		}
		wait *= 2
	}
}
