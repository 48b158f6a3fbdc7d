package wso2sim

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// trustedIssuer is an identity provider that is registered in IS, whose tokens IS takes for its own. The stand-in forgets it when it stops.
type trustedIssuer struct {
	alias string // that the audience of its tokens must have
	key   *rsa.PublicKey
}

// issuerRoutes has what registers a trusted token issuer (identity-api-server, IdentityProviderPOSTRequest: name, idpIssuerName, alias,
// certificate with certificates as base64 of PEM).
func (is *IS) issuerRoutes(mux *http.ServeMux) {
	const path = "/api/server/v1/identity-providers"
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Name        string `json:"name"`
			Issuer      string `json:"idpIssuerName"`
			Alias       string `json:"alias"`
			Certificate struct {
				Certificates []string `json:"certificates"`
			} `json:"certificate"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != nil || body.Name == "" || body.Issuer == "" || len(body.Certificate.Certificates) != 1 || pinnedKey(body.Certificate.Certificates[0]) == nil {
			applicationFault(w, 400, "IDP-60001", "Invalid input.", "The stand-in takes an identity provider with a name, an issuer and one certificate")
			return
		}
		is.mu.Lock()
		defer is.mu.Unlock()
		is.issuers[body.Issuer] = trustedIssuer{body.Alias, pinnedKey(body.Certificate.Certificates[0])}
		id := newUUID()
		w.Header().Set("Location", path+"/"+id)
		writeJSON(w, http.StatusCreated, object{"id": id, "name": body.Name, "alias": body.Alias, "idpIssuerName": body.Issuer, "isEnabled": true})
	})
}

// faultExpiredCertificate: the certificate of the key that signs tokens is the one that is shipped, which has expired.
var faultExpiredCertificate = &oauthFault{400, "invalid_grant", "X509Certificate has expired."}

// grantAssertion gives a token for the JWT of a trusted issuer (RFC 7523). The refusals of what IS cannot use are recorded; those of JWTs of
// a trusted issuer are the words and the order of JWTBearerGrantHandler (identity-carbon-auth-oauth jwt-bearer grant).
func (is *IS) grantAssertion(c *oauthClient, want accessToken, form url.Values) (*accessToken, *oauthFault) {
	assertion := form.Get("assertion")
	if assertion == "" {
		return nil, &oauthFault{400, "invalid_request", "Missing parameters: assertion"}
	}
	parsed, err := parseJWT(assertion)
	issuer, known := is.issuers[parsed.claims.Issuer]
	switch {
	case err != nil:
		return nil, &oauthFault{400, "invalid_grant", "Error while parsing the JWT."}
	case parsed.claims.Issuer == is.oauth.issuer:
		return nil, faultExpiredCertificate
	case !known:
		return nil, &oauthFault{400, "invalid_grant", "No registered identity provider found for the JWT with issuer name : " + parsed.claims.Issuer}
	}
	if why := issuer.refuses(parsed); why != "" {
		return nil, &oauthFault{400, "invalid_grant", why}
	}
	return is.issueFor(c, want, parsed, form), nil
}

// grantExchange gives a token for that of a trusted issuer (RFC 8693). It refuses as grantAssertion does, with other words.
func (is *IS) grantExchange(c *oauthClient, want accessToken, form url.Values) (*accessToken, *oauthFault) {
	token, kind := form.Get("subject_token"), form.Get("subject_token_type")
	var missing []string
	for _, p := range [][2]string{{"subject_token_type", kind}, {"subject_token", token}} {
		if p[1] == "" {
			missing = append(missing, p[0])
		}
	}
	if len(missing) > 0 {
		return nil, &oauthFault{400, "invalid_request", "Missing parameters: " + strings.Join(missing, " ")}
	}
	const types = "urn:ietf:params:oauth:token-type:"
	if kind != types+"jwt" && kind != types+"access_token" {
		return nil, &oauthFault{400, "invalid_request", fmt.Sprintf("Unsupported subject token type : %s provided", kind)}
	}
	parsed, err := parseJWT(token)
	issuer, known := is.issuers[parsed.claims.Issuer]
	switch {
	case err != nil:
		return nil, &oauthFault{400, "invalid_request", "Error while parsing the JWT"}
	case parsed.claims.Issuer == is.oauth.issuer:
		return nil, faultExpiredCertificate
	case !known:
		return nil, &oauthFault{400, "invalid_request", "No Registered IDP found for the JWT with issuer name : " + parsed.claims.Issuer}
	}
	if why := issuer.refuses(parsed); why != "" {
		return nil, &oauthFault{400, "invalid_request", why}
	}
	return is.issueFor(c, want, parsed, form), nil
}

// refuses says why a token of the issuer is not good; empty if it is.
func (t trustedIssuer) refuses(p parsedJWT) string {
	switch {
	case p.claims.Subject == "" || p.claims.Expiry == 0:
		return "Mandatory fields are empty in the given JSON Web Token."
	case !p.signedBy(t.key):
		return "Signature or Message Authentication invalid."
	case !slices.Contains(audiences(p.claims.Audience), t.alias):
		return "None of the audience values matched the tokenEndpoint Alias " + t.alias
	case time.Now().After(time.Unix(p.claims.Expiry, 0)):
		return fmt.Sprintf("JSON Web Token is expired. Expiration Time(ms) : %d", p.claims.Expiry*1000)
	}
	return ""
}

func audiences(claim any) (all []string) {
	if one, is := claim.(string); is {
		return []string{one}
	}
	list, _ := claim.([]any)
	for _, item := range list {
		if text, is := item.(string); is {
			all = append(all, text)
		}
	}
	return all
}

// issueFor gives a token of the subject.
func (is *IS) issueFor(c *oauthClient, want accessToken, of parsedJWT, form url.Values) *accessToken {
	want.user = of.claims.Subject
	want.scopes = is.grantedScopes(c, want.user, strings.Fields(form.Get("scope")))
	return is.oauth.issue(want)
}
