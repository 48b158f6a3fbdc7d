package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/scopes"
	"wso2agent/internal/wso2"
)

// Exposure is what the client of any API subscriber can do in IS. Both were possible on IS 7.1.0 with the settings of the
// integration guide.
type Exposure struct {
	Scopes bool // the client gets scopes of IS's own administration
	SCIM11 bool // SCIM 1.1 (/wso2/scim) accepts its token as that of the client's owner
	// Narrowed says that a client gets every scope of the APIs of API-M, but none but its own once it is authorized for one. Only with
	// [IdentityServer.All] does Expose find that out.
	Narrowed bool
}

// Any reports whether anything is open.
func (e Exposure) Any() bool { return e.Scopes || e.SCIM11 }

// adminScope is the scope of IS's administration that the check requests. One is enough. IS refuses a token with all of them because
// of its length, which would look safe.
const adminScope = "internal_user_mgt_list"

// IdentityServer has the clients of IS that find out its exposure. OAuth and Authorization need the credentials of its administrator.
type IdentityServer struct {
	HTTP          *http.Client // for tokens
	OAuth         *wso2.Identity
	Authorization *wso2.Authorization
	All           bool // SCOPES is all
}

// narrowedBuild says what [Exposure.Narrowed] means: IS 7.2 before carbon-identity-framework #8169 (product-is#27644).
const narrowedBuild = "SCOPES is all, but this build of IS grants an application that is authorized for scopes no others (product-is#27644)"

// narrowedRemedy says what to do about it.
const narrowedRemedy = "set SCOPES=authorize, or update IS"

// The name of a throw-away client consists of throwAway, the caller's name, the Unix time in seconds, and random letters. With that
// nobody else deletes the client while its check runs: IS would then refuse the token, and would look closed. A client that is older
// than throwAwayClientAge belongs to a check that was killed: each of its four requests takes a minute at most.
const (
	throwAway          = "wso2agent-security-"
	throwAwayClientAge = 10 * time.Minute
)

// Expose finds out what a subscriber's client can do in the running IS. It registers a client, as API-M's connector does for a
// subscriber, tries, and deletes the client again. name is the caller's, and becomes part of the client's name. An error means that
// the exposure is not known. [wso2.IsPermanent] is true for the error only if IS refuses the administrator.
func Expose(ctx context.Context, is IdentityServer, name string) (e Exposure, err error) {
	deleteLeftBehind(ctx, is, name, time.Now())
	id, secret, err := is.OAuth.RegisterClient(ctx, fmt.Sprintf("%s%s-%d-%s", throwAway, name, time.Now().Unix(), strings.ToLower(rand.Text()[:8])))
	if err != nil {
		return Exposure{}, err
	}
	defer func() {
		// The client must not stay, even if ctx has ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if deleteErr := is.OAuth.DeleteClient(ctx, id); deleteErr != nil {
			err = errors.Join(err, fmt.Errorf("delete the client of the check, which stays in IS for now: %w", deleteErr))
		}
	}()
	token, err := wso2.FetchToken(ctx, is.HTTP, is.OAuth.TokenEndpoint(), id, secret, adminScope)
	if err != nil {
		return Exposure{}, fmt.Errorf("try as an API subscriber: %v", err) // a refusal of this client is transient, because the client is new
	}
	e.Scopes = slices.Contains(token.Scopes, adminScope)
	status, err := is.OAuth.SCIM11Users(ctx, token.AccessToken)
	if err != nil {
		return Exposure{}, err
	}
	switch {
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, status):
	case status == http.StatusOK:
		e.SCIM11 = true
	case status == http.StatusInternalServerError:
		// The service itself has answered. It refuses the request only because this client's owner may not administer users.
		e.SCIM11 = true
	default:
		return Exposure{}, fmt.Errorf("ask SCIM 1.1 for a user: HTTP %d says neither that it is open nor that it is closed", status)
	}
	if is.All {
		e.Narrowed = is.narrows(ctx, id, secret)
	}
	return e, nil
}

// narrows reports whether a client loses scopes when it is authorized for one. It needs two scopes of APIs. A look that fails finds nothing,
// because nobody can administer IS by that. The client's new authorization goes with the client.
func (is IdentityServer) narrows(ctx context.Context, id string, secret wso2.Secret) bool {
	resource, err := is.Authorization.FindResource(ctx, scopes.Resource)
	if err != nil || resource == "" {
		return false
	}
	all, err := is.Authorization.Scopes(ctx, resource)
	if err != nil || len(all) < 2 {
		return false
	}
	own, other := all[0].Name, all[1].Name
	granted := func() (ofOwn, ofOther bool) {
		token, err := wso2.FetchToken(ctx, is.HTTP, is.OAuth.TokenEndpoint(), id, secret, own, other)
		return err == nil && slices.Contains(token.Scopes, own), err == nil && slices.Contains(token.Scopes, other)
	}
	if _, before := granted(); !before { // IS does not run with authorize_all_scopes yet
		return false
	}
	page, err := is.Authorization.Applications(ctx, "clientId eq "+id, 0)
	if err != nil || len(page.Applications) != 1 {
		return false
	}
	if is.Authorization.Authorize(ctx, page.Applications[0].ID, resource, []string{own}) != nil {
		return false
	}
	hasOwn, hasOther := granted()
	return hasOwn && !hasOther
}

// deleteLeftBehind deletes throw-away clients of earlier checks of the caller that were killed. A client that it cannot read or
// delete stays until the next check, and does not disturb this one.
func deleteLeftBehind(ctx context.Context, is IdentityServer, name string, now time.Time) {
	form := regexp.MustCompile("^" + regexp.QuoteMeta(throwAway+name) + `-(\d{10})-[a-z2-7]{8}$`)
	page, err := is.Authorization.Applications(ctx, "name sw "+throwAway+name, 0)
	if err != nil {
		return
	}
	for _, app := range page.Applications {
		m := form.FindStringSubmatch(app.Name)
		if m == nil {
			continue
		}
		if made, err := strconv.ParseInt(m[1], 10, 64); err == nil && now.Sub(time.Unix(made, 0)) >= throwAwayClientAge {
			_ = is.OAuth.DeleteClient(ctx, app.ClientID)
		}
	}
}
