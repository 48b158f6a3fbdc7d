package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

// makeApplication makes the throw-away application, with subscriptions to the APIs of the file and with keys. It never takes the keys of
// another application, because a new token would end the one in use.
func (i *inspection) makeApplication(ctx context.Context) Check {
	s := i.subject.Settings
	if s.KeyManagerName == s.KMName {
		if _, err := i.IS.Discovery(ctx); err != nil {
			return skipped("", "the keys are of IS, which does not serve requests (is.ready)")
		}
	}
	var err error
	if i.subject.Result == nil {
		patience, cancel := context.WithTimeout(ctx, i.Wait)
		defer cancel()
		if i.result, err = bootstrap.Choose(patience, i.log, i.Servers, s, s.KeyManagerName); err != nil {
			return broken(err, "correct KEY_MANAGER_NAME")
		}
	}
	i.apiTargets(ctx)
	i.deleteApplicationsLeftBehind(ctx, time.Now())
	i.poll(ctx, application, func() (bool, string) {
		err = i.makeClient(ctx)
		return err == nil || wso2.IsPermanent(err) || errors.Is(err, errNotAllowed), said(err, "")
	})
	switch {
	case errors.Is(err, errNotAllowed):
		return skipped("", err.Error())
	case err != nil:
		return broken(err, "look for errors in API-M's log: it could not make an application, or keys at "+i.result.KeyManager)
	}
	return passed("it has keys of %s", i.result.KeyManager)
}

// claims are what a token says about itself (RFC 7519, and azp of OpenID Connect).
type claims struct {
	ID       string   `json:"jti"`
	Azp      string   `json:"azp"`
	Audience audience `json:"aud"`
	Expires  int64    `json:"exp"` // Unix time, in seconds
	From     int64    `json:"nbf"`
	Issued   int64    `json:"iat"`
}

// audience is one text, or a list of them (RFC 7519, section 4.1.3).
type audience []string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// claimsOf reads the claims of a token, whose signature another check verifies.
func claimsOf(token wso2.Secret) (c claims, err error) {
	parsed, err := tokens.Decode(string(token))
	if err != nil || !parsed.Signed() {
		return c, errors.New("the token is not a signed JWT")
	}
	if err := parsed.ReadClaims(&c); err != nil {
		return c, errors.New("the token's claims cannot be read")
	}
	return c, nil
}

// tokenAudience compares the claims with the consumer key. The gateway finds the application of a token by azp. IS also sets aud.
func (i *inspection) tokenAudience(context.Context) Check {
	c, err := claimsOf(i.token.AccessToken)
	switch {
	case err != nil:
		return failed("", err.Error(), "let the key manager issue JWTs")
	case c.Azp != i.client.key:
		return failed("", fmt.Sprintf("azp is %q, and the consumer key %q", c.Azp, i.client.key), "the consumer key claim of the key manager must be azp, and its tokens must have that claim")
	case !slices.Contains(c.Audience, c.Azp):
		return failed("", fmt.Sprintf("aud is %q, without the consumer key %q", []string(c.Audience), c.Azp), "remove the audience that somebody has set for the client in IS")
	}
	return passed("azp and aud are the consumer key")
}

// tokenLifetime compares the times in the token with the answer of the token endpoint, and with the agent's clock.
func (i *inspection) tokenLifetime(context.Context) Check {
	c, err := claimsOf(i.token.AccessToken)
	if err != nil {
		return failed("", err.Error(), "let the key manager issue JWTs")
	}
	now, issued, expires := time.Now(), time.Unix(c.Issued, 0), time.Unix(c.Expires, 0)
	switch {
	case c.Expires == 0:
		return failed("", "the token never expires: it has no exp", "set a lifetime of access tokens in IS")
	case now.After(expires):
		return failed("", "the token has expired "+now.Sub(expires).Round(time.Second).String()+" ago, by the agent's clock", "synchronize the clocks (NTP)")
	case max(issued.Sub(now), time.Unix(c.From, 0).Sub(now)) > mostSkew:
		return failed("", "the token is valid only in "+max(issued.Sub(now), time.Unix(c.From, 0).Sub(now)).Round(time.Second).String()+", by the agent's clock", "synchronize the clocks (NTP)")
	}
	if differs := expires.Sub(issued) - i.token.ExpiresIn; differs.Abs() > 2*time.Second {
		return failed("", fmt.Sprintf("the token says %s, and the token endpoint %s", expires.Sub(issued), i.token.ExpiresIn), "look for a proxy that keeps answers of the token endpoint")
	}
	return passed("%s from now", expires.Sub(now).Round(time.Second))
}

// tokenPassword gets a token with the password of IS's administrator, and verifies its signature. It sends the password only to IS, and the
// token nowhere: a back end that gets it could act as the administrator.
func (i *inspection) tokenPassword(ctx context.Context) Check {
	s := i.subject.Settings
	if serverOf(i.result.TokenEndpoint) != serverOf(s.ISURL) {
		return skipped("", "the token endpoint is not at IS_HOST, and only IS may see the password of its administrator")
	}
	var token wso2.Token
	var err error
	i.poll(ctx, tokenPassword, func() (bool, string) {
		token, err = wso2.FetchUserToken(ctx, i.HTTP, i.result.TokenEndpoint, i.client.key, i.client.secret, s.ISCredentials.User, s.ISCredentials.Password)
		return err == nil || wso2.IsPermanent(err), said(err, "")
	})
	switch {
	case wso2.HasCodeText(err, wso2.CodeTextUnauthorizedClient):
		return skipped("", "IS does not allow the client the password grant")
	case err != nil:
		return broken(err, "check IS_ADMIN_USER and IS_ADMIN_PASS")
	}
	c := i.signature(ctx, token.AccessToken)
	c.Evidence = "a token of " + s.ISCredentials.User + ": " + c.Evidence
	return c
}

// accepted returns an API that has answered to the throw-away application's token; nil if there is none.
func (i *inspection) accepted() *target {
	for _, t := range i.targets {
		if t.accepted() {
			return t
		}
	}
	return nil
}

// callUntil calls an API until the answer is as wanted, or Wait is over.
func (i *inspection) callUntil(ctx context.Context, t *target, token wso2.Secret, wanted func(wso2.Answer) bool) (a wso2.Answer, ok bool, err error) {
	i.poll(ctx, "call "+t.path, func() (bool, string) {
		a, err = i.Gateway.Call(ctx, t.method, t.path, token)
		ok = err == nil && wanted(a)
		lacks := said(err, evidenceOf(a))
		if err == nil && !ok && served(a) { // HTTP 200 alone looks like a success
			lacks = "the gateway still accepts the token: " + bodyless(a)
		}
		return ok || wso2.IsPermanent(err), lacks
	})
	return a, ok, err
}
