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
	// Without the handler the gateway does not refuse the token, and the check only confirms that.
	defaultWaitInVain = 3 * time.Second
)

// StillValid says what a failed check of revocation means.
const StillValid = "revoked tokens stay valid at the gateway until they expire"

// revokedRefused revokes the throw-away application's token, and checks that the gateway refuses it. If the gateway accepts it, that is
// a failure if IS has the handler that reports revoked tokens to API-M. Without the handler it is a warning.
func (i *inspection) revokedRefused(ctx context.Context) Check {
	r := i.run
	endpoint, ok := strings.CutSuffix(r.result.TokenEndpoint, "/token")
	switch {
	case !r.refuses:
		return skipped("", "the gateway did not refuse a wrong token")
	case !ok:
		return skipped("", "the address at which "+r.result.KeyManager+" revokes tokens is not known")
	}
	statement, _ := i.statement(ctx)
	handler := promised(statement, r.result.KeyManager == i.subject.Settings.KMName)
	var err error
	r.poll(ctx, revokedRefused, func() (bool, string) {
		err = wso2.RevokeToken(ctx, r.HTTP, endpoint+"/revoke", r.client.key, r.client.secret, r.token.AccessToken)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	if err != nil {
		return failed("", err.Error(), "check KM_TOKEN_ENDPOINT, and that the agent can reach "+endpoint+"/revoke")
	}
	expected, wait := handler || r.result.KeyManager == bootstrap.ResidentKeyManager, cmp.Or(r.WaitInVain, defaultWaitInVain)
	if expected {
		wait = revocationWait
	}
	var a wso2.Answer
	begin := time.Now()
	for {
		a, err = r.Gateway.Get(ctx, r.called, r.token.AccessToken)
		if err == nil && refused(a) {
			return passed("%s, %s after it was revoked", evidenceOf(a), time.Since(begin).Round(10*time.Millisecond))
		}
		if ctx.Err() != nil || time.Since(begin) > wait {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(firstWait / 2):
		}
	}
	if err != nil { // it says nothing about the token
		return failed("", err.Error(), "check GW_HOST and GW_PORT, and whether API-M is up")
	}
	evidence := StillValid + ": " + wait.String() + " after it was revoked, " + bodyless(a)
	switch {
	case r.result.KeyManager == bootstrap.ResidentKeyManager:
		return failed("", evidence, "check the [[event_listener]] token_revocation in API-M's deployment.toml, and look for errors in its log")
	case expected:
		return failed("", evidence, "IS has the handler that reports revoked tokens to API-M, but it does not work: look in IS's log for wso2is.notification.event.handlers, and check that IS trusts API-M's certificate and that the [[event_listener]] has API-M's password")
	}
	return Check{Verdict: Warn, Evidence: evidence,
		Remedy: "put the handler wso2is.notification.event.handlers into IS (ARTIFACTS=default next to IS, or ARTIFACT_SOURCE_DIR if it has no network) and restart it"}
}
