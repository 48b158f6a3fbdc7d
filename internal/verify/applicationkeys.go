package verify

import (
	"context"
	"fmt"
	"net/http"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/wso2"
)

// keysManager looks at the first application of the file: it needs production keys of KEY_MANAGER_NAME, which are those of KEYS_FILE. The
// gateway accepts keys of another key manager, too, but clients get their tokens at another place.
func (i *inspection) keysManager(ctx context.Context) Check {
	if i.subject.Want.File == nil || len(i.subject.Want.File.Applications.Value) == 0 {
		return skipped("", "the file names no application")
	}
	name, manager := i.subject.Want.File.Applications.Value[0].Value.Name.Value, i.subject.Settings.KeyManagerName
	list, err := i.DevPortal.Applications(ctx, name)
	if err != nil {
		return broken(err, "look for errors in API-M's log")
	}
	for _, app := range list {
		if app.Name != name {
			continue
		}
		rows, err := i.DevPortal.Keys(ctx, app.ID)
		if err != nil {
			return broken(err, "look for errors in API-M's log")
		}
		return i.keysOf(name, manager, rows)
	}
	return failed("", fmt.Sprintf("API-M has no application %q of %s", name, i.subject.Settings.AMCredentials.User), "run agent bootstrap")
}

// keysOf compares the production keys of an application with the key manager and with KEYS_FILE.
func (i *inspection) keysOf(name, manager string, rows []wso2.Keys) Check {
	var others []string
	for _, row := range rows {
		switch {
		case row.KeyType != wso2.Production || row.ConsumerKey == "":
		case row.KeyManager != manager:
			others = append(others, row.KeyManager)
		default:
			if own := i.ownKey(); own.ConsumerKey != "" && own.Application == name && own.ConsumerKey != row.ConsumerKey {
				return failed("", fmt.Sprintf("API-M has the consumer key %s, and KEYS_FILE has %s", short(row.ConsumerKey), short(own.ConsumerKey)), "run agent bootstrap, which writes KEYS_FILE")
			}
			return passed("%s has production keys of %s", name, manager)
		}
	}
	if len(others) > 0 {
		return failed("", fmt.Sprintf("%s has production keys of %s, and none of %s", name, listed(others), manager), "run agent bootstrap, or correct KEY_MANAGER_NAME")
	}
	return failed("", fmt.Sprintf("%s has no production keys", name), "run agent bootstrap; keys whose client IS has lost do not count")
}

// ownKey returns the first key of KEYS_FILE; the zero value if there is none.
func (i *inspection) ownKey() keysfile.Key { return bootstrap.FilesOf(i.subject.Config).Key() }

// keysAccepted asks the token endpoint whether it accepts the keys of KEYS_FILE. It requests no token: that would end the one in use.
func (i *inspection) keysAccepted(ctx context.Context) Check {
	own := i.ownKey()
	if own.ConsumerKey == "" || own.TokenEndpoint == "" {
		return skipped("", "there are no keys here (KEYS_FILE)")
	}
	err := wso2.CheckClient(ctx, i.HTTP, own.TokenEndpoint, own.ConsumerKey, own.ConsumerSecret)
	switch {
	case wso2.HasStatus(err, http.StatusUnauthorized) && wso2.HasCodeText(err, wso2.CodeTextNoClient):
		return failed("", fmt.Sprintf("%s refuses the keys of %s: %s", own.TokenEndpoint, own.Application, wso2.CodeTextNoClient),
			"the secret in KEYS_FILE is not valid any more: remove it from the file, and the next apply makes another; if the client is gone, run agent apply")
	case err != nil:
		return broken(err, "check KM_TOKEN_ENDPOINT")
	}
	return passed("%s accepts the keys of %s", own.TokenEndpoint, own.Application)
}
