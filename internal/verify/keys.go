package verify

import (
	"context"
	"fmt"

	"wso2agent/internal/wso2"
)

// keys verifies the application's own keys at the token endpoint. With new keys it requests a token, and calls an API to which the
// application is subscribed. With older keys a new token would revoke the one that people use. Then keys only checks that the token
// endpoint accepts the keys.
func (r *run) keys(ctx context.Context) Check {
	name := fmt.Sprintf("keys of application %q", r.result.Application)
	if r.result.ConsumerKey == "" {
		return skipped(name, "the file names no key with which a client gets tokens for itself")
	}
	const remedy = "check KM_TOKEN_ENDPOINT, and that the application's keys are those of this key manager; it may have lost the client"
	var subscribed *target
	for _, t := range r.targets {
		if t.api.Subscribed && t.token && t.check.Verdict == Pass {
			subscribed = t
			break
		}
	}
	var err error
	if !r.result.NewKeys || r.client.application == "" || subscribed == nil {
		r.poll(ctx, name, func() (bool, string) {
			err = wso2.CheckClient(ctx, r.HTTP, r.result.TokenEndpoint, r.result.ConsumerKey, r.result.ConsumerSecret)
			return err == nil || wso2.IsPermanent(err), said(err, "")
		})
		if err != nil {
			return failed(name, err.Error(), remedy)
		}
		return Check{Name: name, Verdict: Pass, Evidence: r.result.TokenEndpoint + " accepts them"}
	}
	var token wso2.Token
	var a wso2.Answer
	taken := false
	r.poll(ctx, name, func() (bool, string) {
		if token.AccessToken == "" {
			token, err = wso2.FetchToken(ctx, r.HTTP, r.result.TokenEndpoint, r.result.ConsumerKey, r.result.ConsumerSecret)
		}
		if err != nil {
			return wso2.IsPermanent(err), err.Error()
		}
		if a, err = r.Gateway.Call(ctx, subscribed.method, subscribed.path, token.AccessToken); err == nil {
			_, taken = subscribed.answered(a)
		}
		return taken || wso2.IsPermanent(err), said(err, evidenceOf(a))
	})
	switch {
	case err != nil:
		return failed(name, err.Error(), remedy)
	case !taken:
		return failed(name, evidenceOf(a), remedyOf(a))
	}
	return Check{Name: name, Verdict: Pass, Evidence: bodyless(a)}
}
