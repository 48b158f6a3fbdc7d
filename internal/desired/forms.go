package desired

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"wso2agent/internal/yamlfile"
)

// The rules of API-M 4.5 and IS 7.1 for names and other texts (from their specifications, the checks in API-M's code, and what the
// servers do with texts that they do not check). With them the agent reports a mistake with its place before it changes anything on
// a server.

// form is what a text must look like.
type form struct {
	tidy    func(string) string // into the form that the servers store; nil: as it is
	least   int                 // characters
	most    int                 // characters; 0: no bound
	pattern string              // that the text matches, for the schema; the reader uses check
	also    []string            // further patterns that the text matches, for the schema
	not     string              // pattern that the text does not match, for the schema
	check   func(string) error  // nil: least and most are all
}

// apply returns the text as the servers store it, and what is wrong with it.
func (f form) apply(text string) (string, error) {
	if f.tidy != nil {
		text = f.tidy(text)
	}
	n := utf8.RuneCountInString(text)
	switch {
	case n == 0 && f.least > 0:
		return text, errors.New("must not be empty")
	case f.check != nil:
		if err := f.check(text); err != nil {
			return text, err
		}
	}
	switch {
	case n < f.least:
		return text, fmt.Errorf("has %d characters, at least %d are needed", n, f.least)
	case f.most > 0 && n > f.most:
		return text, fmt.Errorf("has %d characters, at most %d are allowed", n, f.most)
	}
	return text, nil
}

// singleSpaced returns a name as API-M stores it: without spaces around it, and with single spaces inside.
func singleSpaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// withSlash adds the slash at the beginning of a context that API-M would add.
func withSlash(s string) string {
	s = strings.TrimSpace(s)
	if s != "" && !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	return s
}

const (
	nameForbids = "~!@#;:%^*()+={}|\\<>\"',&$[]/"
	oneWord     = `^\S+$`
	aURL        = `^\s*[hH][tT][tT][pP][sS]?` + atAHost
	aBackend    = `^\s*([hH][tT][tT][pP]|[wW][sS])[sS]?` + atAHost
	// What url.Parse takes behind a scheme, without a user.
	atAHost  = `://(` + hostForm + `|\[[0-9a-fA-F.]*:[0-9a-fA-F:.]*\])(:[0-9]*)?` + `(/` + escaped + `)?(\?[^\x00-\x1f\x7f#]*)?(#(` + escaped + `|[?#])*)?\s*$`
	hostForm = `[^\x00-\x20\x7f/?#@:%\[\]\\^{|}` + "`" + `]+`
	escaped  = `([^\x00-\x1f\x7f%?#]|%[0-9a-fA-F]{2})*`
	// What java.net.URI takes, by which IS checks it (identity-inbound-auth-oauth, DCRMUtils), without a comma: API-M would make two of it.
	aCallback  = `^[A-Za-z][A-Za-z0-9+.-]*:(//([^/?#\[\]]+|\[[0-9a-fA-F.]*:[0-9a-fA-F:.]*\](:[0-9]*)?)(/[^?#\[\]]*)?|/?[^/?#\[\]][^?#\[\]]*|/)(\?[^#]*)?(#[^#]*)?$`
	noCallback = "[\x00- \",<>\\\\^`{|}\x7f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|%($|[^0-9a-fA-F]|[0-9a-fA-F]($|[^0-9a-fA-F]))"
	// API-M refuses the slash. Its registry, which has a document under its name, refuses the others, and API-M then answers HTTP 500
	// (wso2/product-apim, issue 9682).
	aDocument   = `^[^/~!@#;%^*()+={}|\\<>"',]*[^/~!@#;%^*()+={}|\\<>"',\s][^/~!@#;%^*()+={}|\\<>"',]*$`
	contextForm = `^[a-zA-Z0-9_${}/.;()-]+$`
	versionForm = `^[^~!@#;:%^*()+={}|\\<>"',&/$\[\]\s]+$`
)

// matches returns a check against a pattern. says completes the sentence that the value begins.
func matches(pattern, says string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(s string) error {
		if !re.MatchString(s) {
			return errors.New(says)
		}
		return nil
	}
}

// patterned returns a form whose pattern is all that it checks beside the length.
func patterned(least, most int, pattern, says string) form {
	return form{tidy: strings.TrimSpace, least: least, most: most, pattern: pattern, check: matches(pattern, says)}
}

// forms has the forms by the names that the tags of the model use. They never change.
var forms = sync.OnceValue(func() map[string]form {
	trimmed := func(most int) form { return form{tidy: strings.TrimSpace, least: 1, most: most, pattern: `\S`} }
	return map[string]form{
		"":                    {},
		"name":                {tidy: singleSpaced, least: 1, most: 60, check: checkName, pattern: "^[^" + regexp.QuoteMeta(nameForbids) + `]*[^\s` + regexp.QuoteMeta(nameForbids) + `][^` + regexp.QuoteMeta(nameForbids) + "]*$"},
		"version":             patterned(1, 30, versionForm, "must not contain spaces or special characters: write it as 1.0.0"),
		"context":             {tidy: withSlash, least: 1, most: 232, pattern: `^[a-zA-Z0-9_${}/.;()-]*[a-zA-Z0-9_${}.;()-]$`, check: checkContext(matches(contextForm, "may only contain letters, digits and _ $ { } / . ; ( ) -"))},
		"description":         {most: 32766},
		"summary":             trimmed(32766),
		"value":               {},
		"content":             {least: 1}, // API-M's specification has no empty one
		"alias":               {tidy: strings.TrimSpace, least: 1, most: 255, pattern: `^[^\s/\\]+$`, not: `^\s*\.\.?\s*$`, check: checkAlias},
		"text100":             trimmed(100),
		"text120":             trimmed(120),
		"text255":             trimmed(255),
		"text256":             trimmed(256),
		"text512":             {tidy: strings.TrimSpace, most: 512},
		"word":                patterned(1, 255, oneWord, "must be one word without spaces"),
		"tag":                 patterned(1, 255, `^[^,]*[^,\s][^,]*$`, "must not contain a comma: API-M would make two tags of it"),
		"policy":              trimmed(255),
		"subscription_policy": {tidy: strings.TrimSpace, least: 1, most: 255, pattern: `\S`, not: `^\s*DefaultSubscriptionless\s*$`, check: checkSubscriptionPolicy},
		"application":         trimmed(100),
		"key_manager":         trimmed(100),
		"role":                trimmed(255),
		"is_role":             patterned(1, 255, `^[^/]*[^/\s][^/]*$`, "must not contain a slash"),
		"permission":          {tidy: strings.TrimSpace, least: 1, most: 255, pattern: `^\s*\S+\s*$`, not: `^\s*internal_`, check: checkPermission},
		"scope":               {tidy: strings.TrimSpace, least: 1, most: 255, pattern: `^\s*\S+\s*$`, not: `^\s*[aA][pP][iI][mM]:`, check: checkScope},
		"document":            patterned(1, 255, aDocument, "must not contain a slash and any of ~ ! @ # ; % ^ * ( ) + = { } | \\ < > \" ' ,"),
		"environment":         patterned(1, 255, `^[a-zA-Z0-9_-]+$`, "may only contain letters, digits, _ and -"),
		"host":                patterned(1, 255, `^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])$`, "must be the name of a host, without a scheme and a port"),
		"header":              patterned(1, 255, `^[^~!@#;:%^*()+={}|\\<>"',&$\s]+$`, "must be the name of a header"),
		"email":               patterned(1, 255, `^[^\s@]+@[^\s@]+$`, "must be an e-mail address"),
		"target":              patterned(1, 0, oneWord, "must be one word without spaces"),
		"grant": patterned(1, 255, `^(authorization_code|client_credentials|implicit|kerberos|password|refresh_token|organization_switch)$|^\S+:\S+$`,
			"is no grant type: write authorization_code, client_credentials, implicit, kerberos, password, refresh_token, organization_switch, or one with a colon, such as urn:ietf:params:oauth:grant-type:token-exchange"),
		"callback": {tidy: strings.TrimSpace, least: 1, pattern: aCallback, not: noCallback, check: checkCallback},
		"url":      {tidy: strings.TrimSpace, least: 1, pattern: aURL, check: checkAddress(aURL)},
		"backend":  {tidy: strings.TrimSpace, least: 1, pattern: aBackend, check: checkAddress(aBackend)},
		"source":   {tidy: strings.TrimSpace, least: 1, pattern: `\S`, not: contents, check: checkSource},
		"file":     {tidy: strings.TrimSpace, least: 1, pattern: `\S`, not: `://`, check: checkFile},
		"user":     patterned(3, 50, `^[^\s*?%]+$`, "must not contain spaces, *, ? and %"),
		"password": {least: 8, most: 64, also: []string{"[0-9]", "[a-z]", "[A-Z]"}, check: checkPassword},
	}
})

func checkName(s string) error {
	if i := strings.IndexAny(s, nameForbids); i >= 0 {
		return fmt.Errorf("must not contain %q", s[i:i+1])
	}
	return nil
}

// checkContext has a word of its own for a slash at the end, which is a frequent mistake.
func checkContext(of func(string) error) func(string) error {
	return func(s string) error {
		if strings.HasSuffix(s, "/") {
			return errors.New("must not end with /")
		}
		return of(s)
	}
}

// checkAddress returns a check for an absolute address. It refuses one with a password, because API-M would show it to everybody who
// may see the API.
func checkAddress(pattern string) func(string) error {
	form := regexp.MustCompile(pattern)
	return func(s string) error {
		switch u, err := url.Parse(s); {
		case err == nil && u.User != nil && u.Hostname() != "":
			return errors.New("must not contain a user or a password")
		case err != nil, !form.MatchString(s):
			return errors.New("must be an address such as http://backend:8080/path")
		}
		return nil
	}
}

var (
	isCallback  = regexp.MustCompile(aCallback)
	isNoAddress = regexp.MustCompile(noCallback)
)

func checkCallback(s string) error {
	if !isCallback.MatchString(s) || isNoAddress.MatchString(s) {
		return errors.New("must be one address, without a comma, spaces and any of { } | \\ ^ ` < > \"")
	}
	return nil
}

// checkAlias refuses what leads to another address than that of the certificate, or to none: Tomcat refuses an encoded slash.
func checkAlias(s string) error {
	switch {
	case strings.ContainsFunc(s, unicode.IsSpace) || strings.ContainsAny(s, `/\`):
		return errors.New("must be one word without spaces and slashes")
	case s == "." || s == "..":
		return errors.New("must not be the name of a folder, \".\" or \"..\"")
	}
	return nil
}

// checkSubscriptionPolicy refuses the policy of APIs that need no subscription (API-M: 902019).
func checkSubscriptionPolicy(s string) error {
	if s == "DefaultSubscriptionless" {
		return errors.New("is for APIs without subscriptions: choose Unlimited, Gold, Silver, Bronze or one of your own")
	}
	return nil
}

// checkScope refuses names that API-M accepts though they do harm: IS can never delete one with a space, and one of API-M's own names
// gives rights over API-M.
func checkScope(s string) error {
	switch {
	case strings.ContainsFunc(s, unicode.IsSpace):
		return errors.New("must not contain spaces: IS could never delete the scope")
	case strings.HasPrefix(strings.ToLower(s), "apim:"):
		return errors.New("must not begin with apim:, as the scopes of API-M itself do")
	}
	return nil
}

// checkPermission refuses rights over IS itself.
func checkPermission(s string) error {
	switch {
	case strings.ContainsFunc(s, unicode.IsSpace):
		return errors.New("must be one word without spaces")
	case strings.HasPrefix(s, "internal_"):
		return errors.New("is a right over IS itself, which the agent gives to nobody")
	}
	return nil
}

// contents is what a file has, and no name of a file: several lines, or the beginning of a GraphQL schema.
const contents = `\S\s*[\r\n]\s*\S|^\s*(type|schema|extend|interface|enum|input|union)\s[^{]*\{`

var isContents = regexp.MustCompile(contents)

func checkSource(s string) error {
	if isContents.MatchString(s) {
		return errors.New("is what a file contains: put it into a file, and write the name of the file")
	}
	return nil
}

func checkFile(s string) error {
	if strings.Contains(s, "://") {
		return errors.New("must be the path of a file, not an address")
	}
	return nil
}

// checkPassword holds a password against the default rules of IS (20035).
func checkPassword(s string) error {
	has := func(low, high rune) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r >= low && r <= high })
	}
	if !has('0', '9') || !has('a', 'z') || !has('A', 'Z') {
		return errors.New("must contain a digit, an upper-case and a lower-case letter")
	}
	return nil
}

// CheckGrant and CheckCallback return what is wrong with a grant type and with a callback of a key. Their words follow the value.
func CheckGrant(text string) error    { return checkForm("grant", text) }
func CheckCallback(text string) error { return checkForm("callback", text) }

func checkForm(name, text string) error {
	_, err := forms()[name].apply(text)
	return err
}

// CheckKeyManagerName returns what is wrong with the name of a key manager. Its words follow the name.
func CheckKeyManagerName(name string) error {
	return checkForm("key_manager", name)
}

// The part of an address that may contain a password, with a scheme and without. A password may contain a slash or an @.
var (
	userinfo = regexp.MustCompile(`://\S*@`)
	bareUser = regexp.MustCompile(`^[^\s@]*:\S*@`)
)

// Shown returns a value for a message, without a password. It shortens a long one.
func Shown(value string) string { return yamlfile.Short(Hidden(value)) }

// Hidden returns a value without the part of an address that may contain a password.
func Hidden(value string) string {
	if strings.Contains(value, "://") {
		return userinfo.ReplaceAllString(value, "://(hidden)@")
	}
	return bareUser.ReplaceAllString(value, "(hidden)@")
}
