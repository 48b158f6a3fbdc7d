package wso2

import (
	"context"
	"errors"
	"fmt"
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

// send makes a request, and makes it again if its context and its failure allow that. Any status of 300 and above is an error, and an
// answer that use refuses: a server that starts or stops answers 200 with an empty body or with a page. use may be nil.
func (c caller) send(ctx context.Context, r request, use func(body []byte) error) (answer, error) {
	repeats := r.reads() && ctx.Value(repeatsReads{}) != nil
	wait := firstWait
	for try := 1; ; try++ {
		a, err := c.sendOnce(ctx, r)
		if err == nil && use != nil {
			err = c.used(r, a, use)
		}
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

// used returns an error if an answer is not what belongs to its request.
func (c caller) used(r request, a answer, use func(body []byte) error) error {
	if err := use(a.body); err != nil {
		return c.failed(r, &Error{Status: a.status, Err: fmt.Errorf("%w: %w", ErrNoDocument, err)})
	}
	return nil
}
