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

	"wso2agent/internal/wso2"
)

// Exposure is what any API subscriber's client can do to IS. Both were possible on IS 7.1.0 with the settings that the
// integration guide gives.
type Exposure struct {
	Scopes bool // it gets scopes of IS's own administration
	SCIM11 bool // its token is taken for its owner by SCIM 1.1, /wso2/scim
}

// Any tells whether anything is open.
func (e Exposure) Any() bool { return e.Scopes || e.SCIM11 }

// adminScope is the scope of IS's administration that is asked for. One is enough, and a token with all of them is refused
// for its length, which would look safe.
const adminScope = "internal_user_mgt_list"

// IdentityServer are the clients of IS with which its exposure is found out. Both need its administrator.
type IdentityServer struct {
	HTTP          *http.Client // for tokens
	OAuth         *wso2.Identity
	Authorization *wso2.Authorization
}

// Throw-away clients are named throwAway, the caller's name, the Unix time in seconds, and something random: nobody else may
// delete the client of a check that is under way, or its token would be refused and IS would look closed. One that is older
// than throwAwayAge was left behind by a check that was killed.
const (
	throwAway    = "wso2agent-security-"
	throwAwayAge = time.Hour
)

// Expose finds out what a subscriber's client can do at the running IS: it registers a client, as API-M's connector does for
// a subscriber, tries, and deletes it again. name is the caller's, as part of the client's name. An error says that nothing
// was found out; [wso2.IsPermanent] is true for it only where IS refuses the administrator.
func Expose(ctx context.Context, is IdentityServer, name string) (e Exposure, err error) {
	deleteLeftBehind(ctx, is, name, time.Now())
	id, secret, err := is.OAuth.RegisterClient(ctx, fmt.Sprintf("%s%s-%d-%s", throwAway, name, time.Now().Unix(), strings.ToLower(rand.Text()[:8])))
	if err != nil {
		return Exposure{}, err
	}
	defer func() {
		// Also when ctx has ended: the client must not stay.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if deleteErr := is.OAuth.DeleteClient(ctx, id); deleteErr != nil {
			err = errors.Join(err, fmt.Errorf("the client that tried it stays in IS for now: %w", deleteErr))
		}
	}()
	token, err := wso2.FetchToken(ctx, is.HTTP, is.OAuth.TokenEndpoint(), id, secret, adminScope)
	if err != nil {
		return Exposure{}, fmt.Errorf("try as an API subscriber: %v", err) // a refusal of this client passes: it was just made
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
		// The service itself has answered: only because this client's owner may not administer users was it refused.
		e.SCIM11 = true
	default:
		return Exposure{}, fmt.Errorf("ask SCIM 1.1 for a user: HTTP %d says neither that it is open nor that it is closed", status)
	}
	return e, nil
}

// deleteLeftBehind removes throw-away clients of the caller's earlier checks that did not come to their end. What cannot be
// read or deleted stays for the next time: it keeps nothing from being found out.
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
		if made, err := strconv.ParseInt(m[1], 10, 64); err == nil && now.Sub(time.Unix(made, 0)) >= throwAwayAge {
			_ = is.OAuth.DeleteClient(ctx, app.ClientID)
		}
	}
}
