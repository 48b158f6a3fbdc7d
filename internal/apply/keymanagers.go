package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/product"
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
		list, err := r.Admin.KeyManagers(ctx)
		if err != nil {
			return err
		}
		if err := bootstrap.RefuseSecondIssuer(ctx, r.Admin, r.AM, list, name, want.Issuer.Value, "correct the issuer in the file"); err != nil {
			return moved(err)
		}
	}
	id, err := r.sendKeyManager(ctx, want, have)
	if err != nil {
		return noMutualTLS(want, unknownRole(want, moved(err)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids.KeyManagers[name] = id
	r.managers[name] = plan.KeyManagerBody(want, have)
	return nil
}

// unknownRole names the roles of a key manager if API-M does not know one. It answers 404 then, which no other try changes.
func unknownRole(want desired.KeyManager, err error) error {
	if !wso2.HasCode(err, codeNoPermissionRole) {
		return err
	}
	var roles []string
	for _, role := range want.Permissions.Value.Roles.Value {
		roles = append(roles, fmt.Sprintf("role of the permissions %q (%s)", role.Shown(), role.At))
	}
	return byHand(remedy.Add(fmt.Errorf("the file names %s: %w", strings.Join(roles, ", "), err), "correct the file, or make in API-M what it names"))
}

// codeConnector is API-M's answer (HTTP 400) to a key manager whose connector lacks a setting.
const codeConnector = 901401

// noMutualTLS explains the answer of an API-M whose connector calls IS with a password only: it misses the password. The answer has a
// remedy of its own, which does not fit.
func noMutualTLS(want desired.KeyManager, err error) error {
	if !want.MutualTLS() || !wso2.HasCode(err, codeConnector) {
		return err
	}
	return byHand(remedy.Add(fmt.Errorf("key manager %s with Authentication=MutualTLS: %v", want.Name.Shown(), err), "use API-M %s or later, or give the key manager username and password",
		product.Since(product.AM, func(f product.Facts) bool { return f.KeyManagerByTLS })))
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
