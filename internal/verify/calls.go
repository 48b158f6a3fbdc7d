package verify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"wso2agent/internal/wso2"
)

// noToken is no token of anybody. The gateway refuses it after it has found the API.
const noToken wso2.Secret = "no-token"

// apisLoaded calls every API with a wrong token. The gateway answers 401 if it has the API, and no back end sees the call. After a
// bootstrap it waits until the gateway has what was made or changed.
func (i *inspection) apisLoaded(ctx context.Context) (results []Check) {
	seen := i.apis(ctx)
	switch {
	case seen.err != nil:
		return []Check{broken(seen.err, "look for errors in API-M's log")}
	case len(seen.list) == 0:
		return []Check{skipped("", "the file names no API that the gateway serves over HTTP")}
	}
	var known []*target
	for _, t := range i.apiTargets(ctx) {
		k := t.known()
		k.once = i.subject.Result == nil
		if t.api.ID == "" {
			k.check, k.finished = failedAPI(k.check, "API-M has no such API", "run agent bootstrap, or agent plan, which shows what is missing"), true
		}
		known = append(known, k)
	}
	i.callAPIs(ctx, known)
	for n, k := range known {
		i.targets[n].loaded, i.targets[n].missing = k.loaded, k.check.Verdict == Fail
		results = append(results, k.check)
	}
	return results
}

// failedAPI returns the check of an API with a failure.
func failedAPI(c Check, evidence, remedy string) Check {
	c.Verdict, c.Evidence, c.Remedy = Fail, evidence, remedy
	return c
}

// apiTargets returns the APIs with the calls that a good token allows.
func (i *inspection) apiTargets(ctx context.Context) []*target {
	if i.targets == nil {
		i.targets = targets(i.apis(ctx).list, i.subject.Result == nil) // an error is that of api.loaded
	}
	return i.targets
}

// apisCalled calls APIs with a good token, if that is possible without a method that writes.
func (i *inspection) apisCalled(ctx context.Context) (results []Check) {
	switch {
	case i.seen.err != nil:
		return []Check{skipped("", apiLoaded+" has failed")}
	case len(i.targets) == 0:
		return []Check{skipped("", "the file names no API that the gateway serves over HTTP")}
	}
	var called []*target
	for _, t := range i.targets {
		if t.token && !t.missing {
			if called = append(called, t); !t.loaded.IsZero() {
				t.loaded = time.Now() // from now on it is the back end's turn
			}
		}
	}
	i.callAPIs(ctx, called)
	for _, t := range i.targets {
		switch {
		case t.missing:
			t.check.Verdict, t.check.Evidence, t.check.Remedy = Skip, apiLoaded+" has failed for it", ""
		case !t.token && i.subject.Result != nil && !t.api.Changed: // api.loaded is enough
			continue
		case !t.token:
			t.check.Verdict, t.check.Remedy = Skip, ""
			t.check.Evidence = "it cannot be called by GET or HEAD with a token of " + i.result.KeyManager + ": see " + apiLoaded
		case t.check.Verdict == Pass && t.method == http.MethodGet && !t.open && i.called == "":
			i.called = t.path
		}
		results = append(results, t.check)
	}
	if len(results) == 0 {
		return []Check{skipped("", "no API has changed, and none can be called by GET or HEAD with a token of "+i.result.KeyManager)}
	}
	return results
}

// subscriptionRefused calls an API with the token of a second throw-away application, which has no subscription.
func (i *inspection) subscriptionRefused(ctx context.Context) Check {
	var to *target
	for _, t := range i.targets {
		if t.accepted() && t.api.Policy != "" && t.api.Policy != wso2.SubscriptionLess {
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
	a, ok, err := i.callUntil(ctx, to, token.AccessToken, func(a wso2.Answer) bool { return a.Status == http.StatusForbidden })
	switch {
	case err != nil:
		return broken(err, "check GW_HOST and GW_PORT")
	case !ok:
		return failed("", bodyless(a), "the gateway lets an application in that has not subscribed to the API: look for the policy "+wso2.SubscriptionLess+" in the Publisher")
	}
	return passed("%s", bodyless(a))
}

// scopeRefused calls an operation that demands a scope with a token that has none.
func (i *inspection) scopeRefused(ctx context.Context) Check {
	for _, t := range i.targets {
		if !t.accepted() {
			continue
		}
		path, scope, ok := scoped(t)
		if !ok {
			continue
		}
		a, ok, err := i.callUntil(ctx, &target{method: http.MethodGet, path: path}, i.token.AccessToken, func(a wso2.Answer) bool { return a.Code == wso2.GatewayNoScope })
		switch {
		case err != nil:
			return broken(err, "check GW_HOST and GW_PORT")
		case !ok:
			return failed("", fmt.Sprintf("the operation demands %s, which the token has not: %s", scope, bodyless(a)), "deploy a revision of the API again: the gateway runs with one that demands no scope")
		}
		return passed("%s", bodyless(a))
	}
	return skipped("", "no API that answered has a GET operation without path parameters that demands a scope")
}

// scoped returns a path of an API whose GET demands a scope.
func scoped(t *target) (path, scope string, ok bool) {
	for _, op := range t.api.Operations {
		if op.Verb == http.MethodGet && len(op.Scopes) > 0 && !op.Open && !strings.Contains(op.Target, "{") {
			return t.api.Path + callPath(op), listed(op.Scopes), true
		}
	}
	return "", "", false
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
