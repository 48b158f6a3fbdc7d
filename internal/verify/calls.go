package verify

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// noToken is no token of anybody. The gateway refuses it after it has found the API.
const noToken wso2.Secret = "no-token"

// apisLoaded calls every API of the file with a wrong token. The gateway answers 401 if it has the API. It passes the call on to the
// back end only if the operation needs no token (auth None): then any answer below 500 shows that the gateway has the API.
func (i *inspection) apisLoaded(ctx context.Context) []Check {
	seen := i.apis(ctx)
	switch {
	case seen.err != nil:
		return []Check{broken(seen.err, "look for errors in API-M's log")}
	case len(seen.list) == 0:
		return []Check{skipped("", "the file names no API that the gateway serves over HTTP")}
	}
	results := make([]Check, len(seen.list))
	var all sync.WaitGroup
	free := make(chan struct{}, calledAtOnce)
	for n, api := range seen.list {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			results[n] = i.loaded(ctx, api)
		})
	}
	all.Wait()
	return results
}

func (i *inspection) loaded(ctx context.Context, api bootstrap.PublishedAPI) Check {
	t := targets([]bootstrap.PublishedAPI{api}, i.Resource, true)[0]
	t.onlyKnown()
	name := func(c Check) Check {
		c.Name, c.API = t.check.Name, cmp.Or(api.ID, api.Name)
		return c
	}
	if api.ID == "" {
		return name(failed("", "API-M has no such API", "run agent bootstrap, or agent plan, which shows what is missing"))
	}
	a, err := i.Gateway.Call(ctx, http.MethodGet, t.path, noToken)
	if err != nil {
		return name(broken(err, "check GW_HOST and GW_PORT"))
	}
	if _, ok := t.answered(a); !ok {
		return name(failed("", evidenceOf(a), t.remedy(a)))
	}
	return name(passed("%s", bodyless(a)))
}

// apisCalled calls every API of the file with a good token, if that is possible without a method that writes.
func (i *inspection) apisCalled(ctx context.Context) (results []Check) {
	switch {
	case i.seen.err != nil:
		return []Check{skipped("", "api.loaded has failed")}
	case len(i.targets) == 0:
		return []Check{skipped("", "the file names no API that the gateway serves over HTTP")}
	}
	i.callAPIs(ctx, slices.DeleteFunc(slices.Clone(i.targets), func(t *target) bool { return !t.token }))
	for _, t := range i.targets {
		if !t.token {
			t.check.Verdict, t.check.Remedy = Skip, ""
			t.check.Evidence = "it cannot be called by GET or HEAD with a token of " + i.result.KeyManager + ": see api.loaded"
		} else if t.check.Verdict == Pass && t.method == http.MethodGet && i.called == "" {
			i.called = t.path
		}
		results = append(results, t.check)
	}
	return results
}

func (i *inspection) wrongTokenRefused(ctx context.Context) Check { return i.wrongToken(ctx) }

// subscriptionRefused calls an API with the token of a second throw-away application, which has no subscription.
func (i *inspection) subscriptionRefused(ctx context.Context) Check {
	var to *target
	for _, t := range i.targets {
		if t.token && t.check.Verdict == Pass && t.api.Policy != "" && t.api.Policy != wso2.SubscriptionLess {
			to = t
			break
		}
	}
	if to == nil {
		return skipped("", "no API that answered needs a subscription")
	}
	other := *i.run
	other.targets, other.client = nil, client{}
	if err := other.makeClient(ctx); err != nil {
		return broken(err, "look for errors in API-M's log")
	}
	defer other.removeClient(ctx)
	token, err := wso2.FetchToken(ctx, i.HTTP, i.result.TokenEndpoint, other.client.key, other.client.secret)
	if err != nil {
		return broken(err, "look for errors in IS's log")
	}
	a, err := i.Gateway.Call(ctx, to.method, to.path, token.AccessToken)
	switch {
	case err != nil:
		return broken(err, "check GW_HOST and GW_PORT")
	case a.Status != http.StatusForbidden:
		return failed("", bodyless(a), "the gateway lets an application in that has not subscribed to the API: look for the policy "+wso2.SubscriptionLess+" in the Publisher")
	}
	return passed("%s", bodyless(a))
}

// scopeRefused calls an operation that demands a scope with a token that has none.
func (i *inspection) scopeRefused(ctx context.Context) Check {
	for _, t := range i.targets {
		if !t.token || t.check.Verdict != Pass {
			continue
		}
		path, scope, ok := scoped(t, i.Resource)
		if !ok {
			continue
		}
		a, err := i.Gateway.Get(ctx, path, i.token.AccessToken)
		switch {
		case err != nil:
			return broken(err, "check GW_HOST and GW_PORT")
		case a.Code != wso2.GatewayNoScope:
			return failed("", fmt.Sprintf("the operation demands %s, which the token has not: %s", scope, bodyless(a)), "deploy a revision of the API again: the gateway runs with one that demands no scope")
		}
		return passed("%s", bodyless(a))
	}
	return skipped("", "no API that answered has a GET operation without path parameters that demands a scope")
}

// scoped returns a path of an API whose GET demands a scope.
func scoped(t *target, resource string) (path, scope string, ok bool) {
	for _, op := range t.api.Operations {
		if op.Verb != http.MethodGet || len(op.Scopes) == 0 || strings.Contains(op.Target, "{") {
			continue
		}
		path := strings.TrimSuffix(op.Target, "*")
		if op.Target == "/*" {
			path = resource
		}
		return t.api.Path + path, listed(op.Scopes), true
	}
	return "", "", false
}

// revokedRefused revokes the token at the key manager, and measures how long the gateway accepts it.
func (i *inspection) revokedRefused(ctx context.Context) Check {
	statement, _ := i.statement(ctx)
	i.Handler = promised(statement, i.result.KeyManager == i.subject.Settings.KMName)
	return i.revocation(ctx)
}

// noticeAccepted reports a new token as revoked to API-M, as IS's handler does, and waits until the gateway refuses it. If that works and
// gateway.revoked does not, the mistake is at IS: its handler, its settings or its trust.
func (i *inspection) noticeAccepted(ctx context.Context) Check {
	t := i.accepted()
	token, err := wso2.FetchToken(ctx, i.HTTP, i.result.TokenEndpoint, i.client.key, i.client.secret)
	if err != nil {
		return broken(err, "look for errors in IS's log")
	}
	c, err := claimsOf(token.AccessToken)
	if err != nil {
		return failed("", err.Error(), "let the key manager issue JWTs")
	}
	if a, ok, err := i.callUntil(ctx, t, token.AccessToken, func(a wso2.Answer) bool { return !refused(a) }); err != nil || !ok {
		return failed("", "the gateway does not accept a new token: "+said(err, bodyless(a)), "look for errors in API-M's log")
	}
	if err := i.Gateway.Notify(ctx, wso2.Notice{ID: c.ID, Expires: time.Unix(c.Expires, 0), Client: i.client.key}); err != nil {
		return broken(err, "API-M must accept AM_ADMIN_USER at /internal/data/v1/notify, which IS calls, too")
	}
	begin := time.Now()
	a, ok, err := i.callUntil(ctx, t, token.AccessToken, refused)
	switch {
	case err != nil:
		return broken(err, "check GW_HOST and GW_PORT")
	case !ok:
		return failed("", "API-M has accepted the notice, and its gateway still accepts the token: "+bodyless(a), "look for errors in API-M's log: the notice does not reach the gateway (event hub, port 9611 or 5672)")
	}
	return passed("the gateway refuses the token %s after the notice", time.Since(begin).Round(10*time.Millisecond))
}
