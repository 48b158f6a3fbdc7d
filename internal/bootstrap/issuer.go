package bootstrap

import (
	"context"
	"fmt"
	"net/http"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// RefuseSecondIssuer returns an error that wraps [ErrPermanent] if a key manager of a list other than name has an issuer. API-M would accept
// both. Its gateway would then use one of them for all tokens, and refuse the clients of the other. otherwise says what a person can do
// instead of deleting the other one. am is API-M's own OAuth server.
func RefuseSecondIssuer(ctx context.Context, admin *wso2.Admin, am *wso2.Identity, list []wso2.KeyManagerInfo, name, issuer, otherwise string) error {
	for _, km := range list {
		if km.Name == name {
			continue
		}
		has, err := issuerOf(ctx, admin, am, km)
		if err != nil {
			return err
		}
		if has != issuer {
			continue
		}
		hint := fmt.Sprintf("delete key manager %q in API-M's Admin Portal, or %s", km.Name, otherwise)
		if km.Name == ResidentKeyManager {
			hint = `give each server a host name of its own ([server] hostname in deployment.toml, as shipped "localhost" in both) and restart it`
		}
		return Permanent(remedy.Add(fmt.Errorf("key manager %q has the issuer %s, which %q is to have too: API-M's gateway would mix up their tokens", km.Name, issuer, name), "%s", hint))
	}
	return nil
}

// issuerOf returns a key manager's issuer; "" if it has none or API-M does not show it. API-M does not always show the issuer of
// its own key manager, which has a discovery document.
func issuerOf(ctx context.Context, admin *wso2.Admin, am *wso2.Identity, km wso2.KeyManagerInfo) (string, error) {
	stored, err := admin.KeyManager(ctx, km.ID)
	if err != nil || stored.Issuer != "" || km.Name != ResidentKeyManager {
		return stored.Issuer, err
	}
	return residentIssuer(ctx, am)
}

func residentIssuer(ctx context.Context, am *wso2.Identity) (string, error) {
	d, err := am.Discovery(ctx)
	if wso2.HasStatus(err, http.StatusNotFound) {
		return "", nil
	}
	return d.Issuer, err
}
