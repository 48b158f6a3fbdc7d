package bootstrap

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The rules of API-M 4.5 for names and other texts (from its Publisher and DevPortal specifications, and the checks in its code).
// With them the agent reports a mistake with its line before it changes anything on a server.

const nameForbids = "~!@#;:%^*()+={}|\\<>\"',&$[]/"

var (
	contextForm = regexp.MustCompile(`^[a-zA-Z0-9_${}/.;()-]+$`)
	versionForm = regexp.MustCompile(`^[^~!@#;:%^*()+={}|\\<>"',&/$\[\]\s]+$`)
)

func asIs(s string) string { return s }

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

func checkName(s string) error {
	if i := strings.IndexAny(s, nameForbids); i >= 0 {
		return fmt.Errorf("must not contain %q", s[i:i+1])
	}
	return length(s, 60)
}

func checkVersion(s string) error {
	if s != "" && !versionForm.MatchString(s) {
		return errors.New("must not contain spaces or special characters: write it as 1.0.0")
	}
	return length(s, 30)
}

func checkContext(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case strings.HasSuffix(s, "/"):
		return errors.New("must not end with /")
	case !contextForm.MatchString(s):
		return errors.New("may only contain letters, digits and _ $ { } / . ; ( ) -")
	}
	return length(s, 232)
}

// checkBackendURL accepts an absolute address. It refuses one with a password, because API-M would show it to everybody who may
// see the API.
func checkBackendURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("must be an address such as http://backend:8080/path")
	case u.User != nil:
		return errors.New("must not contain a user or a password")
	}
	return nil
}

func checkDescription(s string) error { return atMost(s, 32766) }

func checkApplicationName(s string) error { return length(s, 100) }

func checkTag(s string) error { return length(s, 255) }

func checkPolicy(s string) error { return length(s, 255) }

// checkSubscriptionPolicy refuses the policy of APIs that need no subscription (API-M: 902019).
func checkSubscriptionPolicy(s string) error {
	if s == "DefaultSubscriptionless" {
		return errors.New("is for APIs without subscriptions: choose Unlimited, Gold, Silver, Bronze or one of your own")
	}
	return checkPolicy(s)
}

func length(s string, most int) error {
	if s == "" {
		return errors.New("must not be empty")
	}
	return atMost(s, most)
}

func atMost(s string, most int) error {
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Errorf("has %d characters, at most %d are allowed", n, most)
	}
	return nil
}
