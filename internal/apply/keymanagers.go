package apply

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// keyManager makes a key manager. API-M loads it some seconds after its answer.
func (r *round) keyManager(ctx context.Context, c plan.Change, want desired.KeyManager) error {
	name := want.Name.Value
	have, exists := c.Have.(plan.Object)
	if !exists && !want.Issuer.Set && name == r.want.Own.Name.Value {
		discovery, err := r.IS.Discovery(ctx)
		if err != nil {
			return err
		}
		want.Issuer = desired.Text{Set: true, Value: discovery.Issuer}
	}
	r.issuers.Lock() // two that are made at the same time are compared too
	defer r.issuers.Unlock()
	if want.Issuer.Value != "" && want.Issuer.Value != textOf(have, "issuer") {
		if err := r.refuseSecondIssuer(ctx, name, want.Issuer.Value); err != nil {
			return err
		}
	}
	id, err := r.sendKeyManager(ctx, want, have)
	if err != nil {
		return moved(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids.KeyManagers[name] = id
	r.managers[name] = plan.KeyManagerBody(want, have)
	return nil
}

// sendKeyManager writes a key manager with its secrets; a new one if have is nil. API-M loads it, even if nothing differs.
func (r *round) sendKeyManager(ctx context.Context, want desired.KeyManager, have plan.Object) (id string, err error) {
	if own := r.want.Own.Name; own.Set && want.Name.Value == own.Value && !want.Username.Set && r.account.User != "" {
		want.Username = desired.Text{Set: true, Value: r.account.User}
		want.Password = desired.Password{Set: true, Value: desired.NewSecret(string(r.account.Password), "KM_SERVICE_USER")}
		defer func() {
			if err == nil {
				err = r.account.Taken()
			}
		}()
	}
	body, secrets := plan.KeyManagerBody(want, have), secretsOf(want.Password)
	if have == nil {
		return r.Admin.CreateKeyManagerObject(ctx, body, secrets...)
	}
	return textOf(have, "id"), r.Admin.UpdateKeyManagerObject(ctx, textOf(have, "id"), body, secrets...)
}

// refuseSecondIssuer returns an error if another key manager has the issuer. API-M would take both. Its gateway would then use one of
// them for all tokens, and refuse the clients of the other.
func (r *round) refuseSecondIssuer(ctx context.Context, name, issuer string) error {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return err
	}
	for _, km := range list {
		if km.Name == name {
			continue
		}
		has, err := r.issuerOf(ctx, km)
		if err != nil {
			return moved(err)
		}
		if has != issuer {
			continue
		}
		hint := fmt.Sprintf("delete key manager %q in the Admin Portal, or correct the issuer of %q in the file", km.Name, name)
		if km.Name == bootstrap.ResidentKeyManager {
			hint = `give each server a host name of its own ([server] hostname in deployment.toml, as shipped "localhost" in both) and restart it`
		}
		return byHand(remedy.Add(fmt.Errorf("key manager %q has the issuer %s, which %q is to have too: API-M's gateway would mix up their tokens", km.Name, issuer, name), "%s", hint))
	}
	return nil
}

// issuerOf returns the issuer of a key manager; "" if it has none. API-M does not always show the one of its own key manager, which has
// a discovery document.
func (r *round) issuerOf(ctx context.Context, km wso2.KeyManagerInfo) (string, error) {
	o, err := r.Admin.KeyManagerObject(ctx, km.ID)
	issuer := textOf(o.Fields, "issuer")
	if err != nil || issuer != "" || km.Name != bootstrap.ResidentKeyManager {
		return issuer, err
	}
	discovery, err := r.AM.Discovery(ctx)
	if wso2.HasStatus(err, http.StatusNotFound) {
		return "", nil
	}
	return discovery.Issuer, err
}

// sendAgain sends a key manager again that has made no keys for a while. API-M sometimes loses the event on which it loads a key manager,
// and an update sends another one. Or API-M has an old password of IS, and the update has the right one.
func (r *round) sendAgain(ctx context.Context, name string) error {
	all := r.want.KeyManagers(r.have.Issuer)
	i := slices.IndexFunc(all, func(km desired.Field[desired.KeyManager]) bool { return km.Value.Name.Value == name })
	have := r.have.KeyManagers[name]
	if i < 0 || have == nil || !r.past.due("key manager "+name) {
		return nil
	}
	if _, err := r.sendKeyManager(ctx, all[i].Value, have); err != nil {
		return err
	}
	r.log.Warn("sent the key manager again", "name", name, "because", "it has made no keys", "after", r.past.wait)
	return nil
}
