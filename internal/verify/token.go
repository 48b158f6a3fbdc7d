package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

// tokenClient requests a token in the same way as a client of an application.
func (r *run) tokenClient(ctx context.Context) Check {
	var err error
	r.poll(ctx, tokenClient, func() (bool, string) {
		r.token, err = wso2.FetchToken(ctx, r.HTTP, r.result.TokenEndpoint, r.client.key, r.client.secret)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	switch {
	case err != nil:
		return failed("", err.Error(), "check KM_TOKEN_ENDPOINT, and that the application's keys are those of this key manager")
	case r.token.AccessToken == "":
		return failed("", r.result.TokenEndpoint+" answered without a token", "check KM_TOKEN_ENDPOINT")
	}
	return passed("%s gave a token for %s", r.result.TokenEndpoint, r.token.ExpiresIn.Round(time.Second))
}

func (r *run) tokenSignature(ctx context.Context) Check { return r.signature(ctx, r.token.AccessToken) }

// signature verifies a token with the issuer's published keys (RFC 7515, RFC 7517).
func (r *run) signature(ctx context.Context, text wso2.Secret) Check {
	if r.result.JWKS == "" {
		return skipped("", "the key manager names no address of its keys")
	}
	token, err := tokens.Decode(string(text))
	if err != nil || !token.Signed() {
		return failed("", "the token is not a signed JWT", "let the key manager issue JWTs: the IS client's token type must be JWT")
	}
	var raw json.RawMessage
	r.poll(ctx, tokenSignature, func() (bool, string) {
		raw, err = wso2.FetchJWKS(ctx, r.HTTP, r.result.JWKS)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	var keys tokens.KeySet
	if err == nil {
		keys, err = tokens.ParseKeys(raw)
	}
	if err != nil {
		return failed("", fmt.Sprintf("no keys from %s: %v", r.result.JWKS, err), "check the address of the key manager's certificates (JWKS)")
	}
	if err = keys.Verify(token); err == nil {
		return passed("%s, by key %s of %s", token.Algorithm(), short(token.KeyID()), r.result.JWKS)
	}
	return failed("", fmt.Sprintf("no key of %s has signed it: %v", r.result.JWKS, err),
		"the token comes from another server than the keys, or that server has new keys: compare the addresses of the key manager")
}

// tokenIssuer compares the token's issuer with the key manager's, because the gateway finds the key manager of a token by the issuer.
func (r *run) tokenIssuer(context.Context) Check {
	token, err := tokens.Decode(string(r.token.AccessToken))
	if err != nil || !token.Signed() {
		return skipped("", "the token is not a signed JWT")
	}
	switch {
	case r.result.Issuer == "":
		return skipped("", "the key manager names no issuer; the token's is "+token.Text("iss"))
	case token.Text("iss") != r.result.Issuer:
		return failed("", fmt.Sprintf("the token's is %q, the key manager's %q", token.Text("iss"), r.result.Issuer),
			"set [server] hostname in the issuing server's deployment.toml to the name by which it is reached, restart it, and run bootstrap again")
	}
	return passed("%s", token.Text("iss"))
}

// short returns the beginning of a key's id, which is enough to find the key in a list.
func short(id string) string {
	if len(id) > 12 {
		return id[:12] + "…"
	}
	return id
}
