package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

// fetchToken requests a token in the same way as a client of an application.
func (r *run) fetchToken(ctx context.Context) Check {
	name := "token from " + r.result.KeyManager
	if r.client.key == "" {
		return skipped(name, "there is no application to request it for")
	}
	var err error
	r.poll(ctx, name, func() (bool, string) {
		r.token, err = wso2.FetchToken(ctx, r.HTTP, r.result.TokenEndpoint, r.client.key, r.client.secret)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	switch {
	case err != nil:
		return failed(name, err.Error(), "check KM_TOKEN_ENDPOINT, and that the application's keys are those of this key manager")
	case r.token.AccessToken == "":
		return failed(name, r.result.TokenEndpoint+" answered without a token", "check KM_TOKEN_ENDPOINT")
	}
	return Check{Name: name, Verdict: Pass, Evidence: fmt.Sprintf("%s gave a token for %s", r.result.TokenEndpoint, r.token.ExpiresIn.Round(time.Second))}
}

// signature verifies the token with the issuer's published keys (RFC 7515, RFC 7517).
func (r *run) signature(ctx context.Context) Check {
	const name = "signature of the token"
	switch {
	case r.token.AccessToken == "":
		return skipped(name, "there is no token")
	case r.result.JWKS == "":
		return skipped(name, "the key manager names no address of its keys")
	}
	token, err := tokens.Decode(string(r.token.AccessToken))
	if err != nil || !token.Signed() {
		return failed(name, "the token is not a signed JWT", "let the key manager issue JWTs: the IS client's token type must be JWT")
	}
	var raw json.RawMessage
	r.poll(ctx, name, func() (bool, string) {
		raw, err = wso2.FetchJWKS(ctx, r.HTTP, r.result.JWKS)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	var keys []tokens.Key
	if err == nil {
		keys, err = tokens.ParseKeys(raw)
	}
	if err != nil {
		return failed(name, fmt.Sprintf("no keys from %s: %v", r.result.JWKS, err), "check the address of the key manager's certificates (JWKS)")
	}
	if _, signed := token.SignedByOneOf(keys); signed {
		return Check{Name: name, Verdict: Pass, Evidence: fmt.Sprintf("%s, by key %s of %s", token.Algorithm(), short(token.KeyID()), r.result.JWKS)}
	}
	return failed(name, fmt.Sprintf("no key of %s has signed it; it names key %s", r.result.JWKS, short(token.KeyID())),
		"the token comes from another server than the keys, or that server has new keys: compare the addresses of the key manager")
}

// issuer compares the token's issuer with the key manager's, because the gateway finds the key manager of a token by the issuer.
func (r *run) issuer(context.Context) Check {
	const name = "issuer of the token"
	if r.token.AccessToken == "" {
		return skipped(name, "there is no token")
	}
	token, err := tokens.Decode(string(r.token.AccessToken))
	if err != nil || !token.Signed() {
		return skipped(name, "the token is not a signed JWT")
	}
	switch {
	case r.result.Issuer == "":
		return skipped(name, "the key manager names no issuer; the token's is "+token.Text("iss"))
	case token.Text("iss") != r.result.Issuer:
		return failed(name, fmt.Sprintf("the token's is %q, the key manager's %q", token.Text("iss"), r.result.Issuer),
			"set [server] hostname in the issuing server's deployment.toml to the name by which it is reached, restart it, and run bootstrap again")
	}
	return Check{Name: name, Verdict: Pass, Evidence: token.Text("iss")}
}

// short returns the beginning of a key's id, which is enough to find the key in a list.
func short(id string) string {
	if len(id) > 12 {
		return id[:12] + "…"
	}
	return id
}
