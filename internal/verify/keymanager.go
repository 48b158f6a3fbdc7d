package verify

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

// kmRegistered finds IS in the list of key managers. Two of one name share their tokens by luck.
func (i *inspection) kmRegistered(ctx context.Context) Check {
	if i.subject.Settings.SkipKeyManager {
		return skipped("", withoutIS)
	}
	name := i.subject.Settings.KMName
	list, err := i.Admin.KeyManagers(ctx)
	if err != nil {
		return broken(err, "look for errors in API-M's log")
	}
	count := 0
	for _, km := range list {
		if km.Name == name {
			i.registered = km
			count++
		}
	}
	switch {
	case count == 0:
		return failed("", fmt.Sprintf("API-M has no key manager %s", name), "run agent bootstrap, or correct KM_NAME")
	case count > 1:
		return failed("", fmt.Sprintf("API-M has %d key managers %s", count, name), "run agent bootstrap, which keeps one of them")
	}
	if i.manager, err = i.Admin.KeyManager(ctx, i.registered.ID); err != nil {
		return broken(err, "look for errors in API-M's log")
	}
	return passed("%s, id %s", name, i.registered.ID)
}

func (i *inspection) kmEnabled(context.Context) Check {
	if !i.registered.Enabled {
		return failed("", i.registered.Name+" is disabled: the gateway refuses its tokens", "enable it in the Admin Portal, or run agent bootstrap")
	}
	return passed("%s is enabled", i.registered.Name)
}

func (i *inspection) kmType(ctx context.Context) Check {
	if i.manager.Type != wso2.TypeIS7 {
		return failed("", fmt.Sprintf("the type is %s, and IS 7 needs %s", i.manager.Type, wso2.TypeIS7), "delete the key manager in the Admin Portal, and run agent bootstrap")
	}
	if risk, remedy := i.subject.Settings.CertificateRisk(ctx); i.manager.MutualTLS && risk != "" {
		return Check{Verdict: Warn, Evidence: risk, Remedy: remedy}
	}
	return passed("%s", i.manager.Type)
}

// kmIssuer compares the issuers. The gateway finds the key manager of a token by its issuer.
func (i *inspection) kmIssuer(context.Context) Check {
	if i.manager.Issuer != i.announced {
		return failed("", fmt.Sprintf("the key manager has %q, and IS announces %q", i.manager.Issuer, i.announced),
			"run agent bootstrap; if IS announces a name by which nobody reaches it, set [server] hostname in its deployment.toml and restart it")
	}
	return passed("%s", i.announced)
}

// kmUserInfo compares the endpoint, and calls it with IS's administrator.
func (i *inspection) kmUserInfo(ctx context.Context) Check {
	u, err := url.Parse(i.manager.UserInfo)
	if err != nil || u.Path != wso2.UserInfoPath {
		return failed("", fmt.Sprintf("UserInfo is %q, and the connector can only use %s", i.manager.UserInfo, wso2.UserInfoPath), "run agent bootstrap, which sets it")
	}
	if err := i.IS.Me(ctx, ""); err != nil {
		return broken(err, "look for errors in IS's log")
	}
	return passed("%s answers", i.manager.UserInfo)
}

// kmJWKS compares the address of the keys with that of the document that API-M has read (trust.am). If both are at one server, API-M
// reaches the keys as it has reached the document. A token that the gateway accepts (api.called) shows it in any case.
func (i *inspection) kmJWKS(ctx context.Context) Check {
	have := i.manager.Certificates
	const remedy = "run agent bootstrap, which sets the address"
	switch {
	case have.Type != "JWKS":
		return failed("", "the key manager has fixed keys ("+have.Type+"): the gateway refuses a token with the next key of IS", remedy)
	case pathOf(have.Value) != pathOf(i.document.JWKS):
		return failed("", fmt.Sprintf("the key manager has %s, and the document that API-M has read names %s", have.Value, i.document.JWKS), remedy)
	}
	raw, err := wso2.FetchJWKS(ctx, i.HTTP, i.IS.JWKSURL())
	if err != nil {
		return broken(err, "look for errors in IS's log")
	}
	keys, err := tokens.ParseKeys(raw)
	if err != nil || len(keys.Keys) == 0 {
		return failed("", i.IS.JWKSURL()+" has no keys that may verify signatures", "look for errors in IS's log")
	}
	if serverOf(have.Value) != serverOf(i.manager.WellKnown) {
		return Check{Verdict: Warn, Evidence: have.Value + " is at another server than the document that API-M has read",
			Remedy: "run agent verify --write: a token that the gateway accepts shows that API-M reaches the keys"}
	}
	return passed("%s, at the server whose document API-M itself has read; keys: %d", have.Value, len(keys.Keys))
}

func pathOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Path
	}
	return address
}

// serverOf returns the host and the port of an address.
func serverOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return strings.ToLower(u.Host)
	}
	return address
}
