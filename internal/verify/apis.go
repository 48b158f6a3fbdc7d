package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/wso2"
)

const (
	shippedEventWait = 5 * time.Second  // wait of the gateway before each deployment, as the product ships it
	perDeployment    = time.Second      // time that a deployment may take after that wait
	progressEvery    = 15 * time.Second // how often the log says how many APIs are still to come
	calledAtOnce     = 8                // APIs to call at the same time: a backend that hangs must not delay the others
)

// limit returns how long the gateway may take to load the deployed APIs. It loads one after the other. The running server may have
// the wait of the product, even if its deployment.toml has another one by now.
func (r *run) limit(targets []*target) time.Duration {
	return r.Wait + r.queue(targets)
}

// queue returns how long the gateway is busy with new and changed APIs.
func (r *run) queue(targets []*target) (sum time.Duration) {
	for _, t := range targets {
		if t.api.Changed {
			sum += max(r.EventWait, shippedEventWait) + perDeployment
		}
	}
	return sum
}

// callAPIs calls every target until each has passed or its time is over. A target has Wait from when the gateway has it, and until
// then as long as the gateway may take (see limit). The gateway loads APIs, clients and subscriptions with a delay.
func (r *run) callAPIs(ctx context.Context, targets []*target) {
	begin := time.Now()
	deadline, settled := begin.Add(r.limit(targets)), begin.Add(r.queue(targets))
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(0))
	for said := begin; ; {
		pending := unfinished(targets)
		before := len(pending)
		r.look(ctx, pending, settled)
		now := time.Now()
		for _, t := range pending {
			t.finished = t.finished || t.once || now.After(deadline) || !t.loaded.IsZero() && now.Sub(t.loaded) >= r.Wait
		}
		if pending = unfinished(pending); len(pending) == 0 || ctx.Err() != nil {
			return
		}
		if len(pending) < before { // the gateway loads one after the other: the next one comes soon
			waits.Reset()
		}
		if now.Sub(said) >= progressEvery {
			said = now
			r.log.Info("waiting for the gateway", "APIs still to come", len(pending), "of", len(targets), "for", now.Sub(begin).Round(time.Second).String(),
				"at most", deadline.Sub(begin).String(), "next", pending[0].check.Name, "so far", pending[0].check.Evidence)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(waits.NextBackOff()):
		}
	}
}

func unfinished(targets []*target) (pending []*target) {
	for _, t := range targets {
		if !t.finished {
			pending = append(pending, t)
		}
	}
	return pending
}

// look tries each target once, several at the same time.
func (r *run) look(ctx context.Context, targets []*target, settled time.Time) {
	var all sync.WaitGroup
	free := make(chan struct{}, calledAtOnce)
	for _, t := range targets {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			if ctx.Err() == nil {
				if verdict, evidence, remedy := r.try(ctx, t, settled); ctx.Err() == nil {
					t.check.Verdict, t.check.Evidence, t.check.Remedy = verdict, evidence, remedy
				}
			}
		})
	}
	all.Wait()
}

// try asks the gateway which backend it has for a new or changed API, and calls the API. If the gateway does not show the revision,
// try assumes that it is loaded once the gateway's queue must be empty.
func (r *run) try(ctx context.Context, t *target, settled time.Time) (v Verdict, evidence, remedy string) {
	shows := unknown
	if (t.api.Changed || t.path == "") && t.loaded.IsZero() {
		addresses, err := r.Gateway.Endpoints(ctx, t.api.Name, t.api.Version)
		if none := new(wso2.Error); errors.As(err, &none) && none.Status == 0 {
			return Fail, err.Error(), "check AM_HOST and AM_PORT"
		}
		if shows = loadingOf(addresses, t.api.BackendURL); shows == old {
			return Fail, fmt.Sprintf("the gateway still has an earlier revision, which calls %s and not %s", otherThan(addresses, t.api.BackendURL), t.api.BackendURL), remedyLoading
		}
		if t.path == "" { // a call would reach the back end, whatever token it has
			if len(addresses) == 0 {
				return Skip, "its operations ask for no token, so only a call that reaches its back end shows whether the gateway has it", ""
			}
			t.finished = true
			return Pass, "the gateway shows its back end: " + masked(addresses[0]), ""
		}
	}
	a, err := r.call(ctx, t)
	if err != nil {
		t.finished = wso2.IsPermanent(err)
		return Fail, err.Error(), "check GW_HOST and GW_PORT"
	}
	has, ok := t.answered(a)
	if has && t.loaded.IsZero() {
		if t.api.Changed && !t.api.Made && shows == unknown && time.Now().Before(settled) {
			return Fail, "the gateway has the API, but does not show which revision", remedyLoading
		}
		t.loaded = time.Now()
	}
	if !ok {
		return Fail, evidenceOf(a), t.remedy(a)
	}
	t.finished = true
	return Pass, bodyless(a), ""
}

const remedyLoading = "the gateway has not loaded the new revision: look for errors in API-M's log"

// call calls an API with the target's method and path. An answer to HEAD has no body, so the gateway's own 404 looks like one of a
// backend. A further GET, which the API does not declare, distinguishes them.
func (r *run) call(ctx context.Context, t *target) (wso2.Answer, error) {
	token := r.token.AccessToken
	if !t.token {
		token = noToken
	}
	a, err := r.Gateway.Call(ctx, t.method, t.path, token)
	if err != nil || t.method != http.MethodHead || a.Status != http.StatusNotFound {
		return a, err
	}
	asked, err := r.Gateway.Call(ctx, http.MethodGet, t.path, tampered(token))
	if asked.Code == wso2.GatewayUnknown {
		a.Code, a.Message = asked.Code, asked.Message
	}
	return a, err
}
