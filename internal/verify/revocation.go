package verify

import (
	"cmp"
	"context"
	"strings"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// How long the gateway may take to refuse a revoked token. On IS 7.1.0 and API-M 4.5.0 it took 0.2 to 1.1 s.
const (
	revocationWait = 15 * time.Second
	// Without the handler nothing will come, and the check only makes sure of that.
	defaultWaitInVain = 3 * time.Second
)

// Revocation is the name of the check that a revoked token is refused.
const Revocation = "revoked token refused"

// StillValid is what a failed check of revocation means.
const StillValid = "revoked tokens stay valid at the gateway until they expire"

// revocation revokes the throw-away application's token, and sees the gateway refuse it. Where nobody knows that IS has the
// handler that tells API-M, it is a warning if the gateway does not: then revocation was never promised.
func (r *run) revocation(ctx context.Context) Check {
	const name = Revocation
	endpoint, ok := strings.CutSuffix(r.result.TokenEndpoint, "/token")
	switch {
	case !r.refuses:
		return skipped(name, "the gateway was not seen to refuse a wrong one")
	case r.client.application == "":
		return skipped(name, "the token is the application's own")
	case !ok:
		return skipped(name, "where "+r.result.KeyManager+" revokes tokens is not known")
	}
	var err error
	r.poll(ctx, name, func() (bool, string) {
		err = wso2.RevokeToken(ctx, r.HTTP, endpoint+"/revoke", r.client.key, r.client.secret, r.token.AccessToken)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	if err != nil {
		return failed(name, err.Error(), "check that "+endpoint+"/revoke can be reached, next to KM_TOKEN_ENDPOINT")
	}
	expected, wait := r.Handler || r.result.KeyManager == bootstrap.ResidentKeyManager, cmp.Or(r.WaitInVain, defaultWaitInVain)
	if expected {
		wait = revocationWait
	}
	var a wso2.Answer
	begin := time.Now()
	for {
		a, err = r.Gateway.Get(ctx, r.called, r.token.AccessToken)
		if err == nil && refused(a) {
			return Check{Name: name, Verdict: Pass, Evidence: evidenceOf(a) + ", " + time.Since(begin).Round(10*time.Millisecond).String() + " after it was revoked"}
		}
		if ctx.Err() != nil || time.Since(begin) > wait {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(firstWait / 2):
		}
	}
	if err != nil { // it says nothing of the token
		return failed(name, err.Error(), "check GW_HOST and GW_PORT, and whether API-M is up")
	}
	a.Body = nil // the backend's words are of no interest here, and stay in /readyz
	evidence := StillValid + ": " + wait.String() + " after it was revoked, " + evidenceOf(a)
	switch {
	case r.result.KeyManager == bootstrap.ResidentKeyManager:
		return failed(name, evidence, "look at the [[event_listener]] token_revocation in API-M's deployment.toml, and for errors in its log")
	case expected:
		return failed(name, evidence, "IS has the handler that tells API-M of revoked tokens, and it does not work: look in IS's log for wso2is.notification.event.handlers, and check that IS trusts API-M's certificate and that the [[event_listener]] has API-M's password")
	}
	return Check{Name: name, Verdict: Warn, Evidence: evidence,
		Remedy: "put the handler wso2is.notification.event.handlers into IS (ARTIFACTS=default next to IS, or ARTIFACT_SOURCE_DIR where it has no network) and restart it"}
}
