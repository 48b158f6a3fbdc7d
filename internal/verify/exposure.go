package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// Expose finds out what a subscriber's client can do at the running IS: it registers a client under name, as API-M's
// connector does for a subscriber, tries, and deletes it again. An error says that nothing was found out.
func Expose(ctx context.Context, hc *http.Client, is *wso2.Identity, name string) (e Exposure, err error) {
	id, secret, err := is.RegisterClient(ctx, name)
	if wso2.HasStatus(err, http.StatusBadRequest) { // left behind by a check that was killed
		if id, err = is.FindClient(ctx, name); err == nil && id != "" {
			err = is.DeleteClient(ctx, id)
		}
		if err == nil {
			id, secret, err = is.RegisterClient(ctx, name)
		}
	}
	if err != nil {
		return Exposure{}, err
	}
	defer func() {
		// Also when ctx has ended: the client must not stay.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if deleteErr := is.DeleteClient(ctx, id); deleteErr != nil {
			err = errors.Join(err, fmt.Errorf("the client that tried it stays in IS: %w", deleteErr))
		}
	}()
	token, err := wso2.FetchToken(ctx, hc, is.TokenEndpoint(), id, secret, adminScope)
	if err != nil {
		return Exposure{}, err
	}
	e.Scopes = slices.Contains(token.Scopes, adminScope)
	status, err := is.SCIM11Users(ctx, token.AccessToken)
	if err != nil {
		return Exposure{}, err
	}
	switch {
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, status):
	case status >= 200 && status < 300:
		e.SCIM11 = true
	case status == http.StatusInternalServerError:
		// The service itself has answered: only because this client's owner may not administer users was it refused.
		e.SCIM11 = true
	default:
		return Exposure{}, fmt.Errorf("ask SCIM 1.1 for a user: HTTP %d says neither that it is open nor that it is closed", status)
	}
	return e, nil
}
