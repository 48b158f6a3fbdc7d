package wso2sim

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// clientSettings are what a client has next to its grants and redirects. Lifetimes are in seconds.
type clientSettings struct {
	Application, User, Refresh, ID int
	PKCE, PlainPKCE, Public        bool
}

func defaultClientSettings() clientSettings {
	return clientSettings{Application: 3600, User: 3600, Refresh: 86400, ID: 3600}
}

// settingNames are the additional properties of a key, in the order of clientSettings.
type settingNames struct{ application, user, refresh, id, pkce, plainPKCE, public string }

var (
	extSettings = settingNames{
		"ext_application_token_lifetime", "ext_user_token_lifetime", "ext_refresh_token_lifetime", "ext_id_token_lifetime",
		"ext_pkce_mandatory", "ext_pkce_support_plain", "ext_public_client",
	}
	residentSettings = settingNames{
		"application_access_token_expiry_time", "user_access_token_expiry_time", "refresh_token_expiry_time", "id_token_expiry_time",
		"pkceMandatory", "pkceSupportPlain", "bypassClientCredentials",
	}
)

func (n settingNames) lifetimes() []string { return []string{n.application, n.user, n.refresh, n.id} }
func (n settingNames) flags() []string     { return []string{n.pkce, n.plainPKCE, n.public} }

// show is how additional properties are shown: as numbers and booleans.
func (n settingNames) show(s clientSettings) object {
	return object{
		n.application: s.Application, n.user: s.User, n.refresh: s.Refresh, n.id: s.ID, n.pkce: s.PKCE, n.plainPKCE: s.PlainPKCE, n.public: s.Public,
	}
}

func badProperties(why string) *fault {
	return &fault{status: 400, code: 900970, message: "Invalid application additional properties",
		description: "Invalid additional properties. Application configuration values cannot have " + why + " values."}
}

// read takes the texts among additional properties. Numbers and booleans are ignored, though they are shown. An update
// also looks at names that nobody knows.
func (n settingNames) read(given object, updating bool) (map[string]string, error) {
	known := map[string]string{}
	for name, v := range given {
		text, isText := v.(string)
		lifetime, flag := slices.Contains(n.lifetimes(), name), slices.Contains(n.flags(), name)
		switch {
		case lifetime && (!isText || text == "" || text == "N/A"), flag && !isText, !lifetime && !flag && !updating:
			continue
		case flag:
			known[name] = text
			continue
		case !lifetime && !isText:
			text = fmt.Sprint(v)
		}
		seconds, err := strconv.Atoi(text)
		if err != nil {
			return nil, badProperties("string")
		}
		if seconds < 0 {
			return nil, badProperties("negative")
		}
		if lifetime && seconds > 0 {
			known[name] = text
		}
	}
	return known, nil
}

// apply changes the settings of a client. What is absent goes back to its default, save for the lifetimes of access
// tokens.
func (n settingNames) apply(s clientSettings, texts map[string]string) clientSettings {
	out := defaultClientSettings()
	out.Application, out.User = s.Application, s.User
	for name, at := range map[string]*int{n.application: &out.Application, n.user: &out.User, n.refresh: &out.Refresh, n.id: &out.ID} {
		if seconds, err := strconv.Atoi(texts[name]); err == nil {
			*at = seconds
		}
	}
	for name, at := range map[string]*bool{n.pkce: &out.PKCE, n.plainPKCE: &out.PlainPKCE, n.public: &out.Public} {
		*at = texts[name] == "true"
	}
	return out
}

// names are those of the properties of a key manager's clients.
func (k *keyManager) settingNames() settingNames {
	if k.resident() {
		return residentSettings
	}
	return extSettings
}

// checkCallback asks for a callback where a grant needs one.
func checkCallback(grants []string, callback string) error {
	if callback == "" && (slices.Contains(grants, "authorization_code") || slices.Contains(grants, "implicit")) {
		return badRequest("The callback url must have at least one URI value when using Authorization code or implicit grant types.")
	}
	return nil
}

// joinedRedirects is how several redirects are kept: as one pattern.
func joinedRedirects(uris []string) []string {
	if len(uris) < 2 {
		return uris
	}
	return []string{"regexp=(" + strings.Join(uris, "|") + ")"}
}

// isRedirect reports whether a text can be redirected to: it must be a URI as java.net.URI reads one
// (identity-inbound-auth-oauth, DCRMUtils.isRedirectionUriValid).
func isRedirect(uri string) bool {
	return uri != "" && javaURI().MatchString(uri) && !strings.ContainsFunc(uri, func(r rune) bool { return unicode.Is(unicode.Z, r) })
}

// javaURI is the grammar of java.net.URI: RFC 2396, and any letter beyond ASCII.
var javaURI = sync.OnceValue(func() *regexp.Regexp {
	const (
		scheme = `[a-zA-Z][a-zA-Z0-9+.-]*:`
		plain  = `a-zA-Z0-9_!.~'()*,;@&=+$\x{a0}-\x{10ffff}-`
		coded  = `%[0-9a-fA-F]{2}`
		one    = `([:` + plain + `]|` + coded + `)`
		path   = `([:/` + plain + `]|` + coded + `)*`
		query  = `([:/?\[\]` + plain + `]|` + coded + `)*`
		host   = `(` + one + `+|([^@\[\]/?#]*@)?\[[0-9a-fA-F:.]+\](:[0-9]*)?)`
	)
	return regexp.MustCompile(`^((` + scheme + `)?(//` + host + `(/` + path + `)?|///` + path + `|/(` + one + path + `)?)(\?` + query + `)?` +
		`|(([` + plain + `]|` + coded + `)+(/` + path + `)?)?(\?` + query + `)?` + // relative
		`|` + scheme + `([:?\[\]` + plain + `]|` + coded + `)` + query + `)(#` + query + `)?$`) // opaque
})

// registrable reports whether a client may have a grant.
func registrable(grant string) bool {
	return grant == "implicit" || slices.Contains(supportedGrants, grant)
}

// changeResident changes a client of the Resident Key Manager, which refuses what it does not know. A callback cannot be
// emptied. The lock is held.
func (am *AM) changeResident(c *oauthClient, grants []string, callback string, texts map[string]string) error {
	redirects := redirectURIs(callback)
	pattern := strings.HasPrefix(callback, "regexp=")
	switch {
	case slices.ContainsFunc(grants, func(g string) bool { return !registrable(g) }),
		checkCallback(grants, callback) != nil,
		!pattern && slices.ContainsFunc(redirects, func(uri string) bool { return !isRedirect(uri) }):
		return errGeneral
	}
	c.grants, c.settings = grants, residentSettings.apply(c.settings, texts)
	if pattern {
		c.redirects = []string{callback}
	} else if len(redirects) > 0 {
		c.redirects = joinedRedirects(redirects)
	}
	am.changed("client", c.id)
	return nil
}

var errKeyDelete = &fault{status: http.StatusInternalServerError, code: http.StatusInternalServerError, message: errInternal.message,
	description: "Error occurred while application key delete process"}

// describe is what the DevPortal says of the additional properties of a key.
func (n settingNames) describe() []object {
	out := []object{}
	add := func(kind, preset string, names ...string) {
		for _, name := range names {
			out = append(out, object{
				"name": name, "label": name, "type": kind, "required": false, "mask": false, "multiple": false, "tooltip": name,
				"values": []any{}, "default": preset,
			})
		}
	}
	add("input", "N/A", n.lifetimes()...)
	add("checkbox", "false", n.flags()...)
	return out
}
