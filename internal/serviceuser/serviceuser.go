// Package serviceuser gives API-M's key manager a user of its own in IS, in place of IS's administrator.
//
// API-M's connector for IS 7 calls IS with the user and the password of the key manager. Whoever reads API-M's database, and every
// client that this user owns, acts with its rights. The agent makes a user whose only role has the rights that the connector needs and
// that cannot be used to get more. What the connector then cannot do, the agent does as administrator: it makes the API resource of all
// scopes, and binds scopes to roles.
//
// [Choose] decides which user the key manager has. [Maker.Ensure] makes one. The record with its password is written before IS is
// changed, so a run that is killed anywhere is completed by the next one.
package serviceuser

import (
	"strings"

	"wso2agent/internal/wso2"
)

// Values of KM_SERVICE_USER. Any other value is the name of a user that somebody else has made.
const (
	Create = "create"
	Admin  = "admin"
)

// RolesToo is the value of KM_RIGHTS with which the connector binds scopes to roles by itself.
const RolesToo = "roles"

// least are the rights that the connector needs to register clients and to keep scopes (asked of IS 7.1.0 by taking away one after the
// other). None of them gives another right as long as IS has authorize_all_scopes = false. Otherwise a client that the user registers can
// get every scope.
var least = []string{
	"internal_dcr_create", "internal_dcr_view", "internal_dcr_update", "internal_dcr_delete",
	"internal_api_resource_view", "internal_api_resource_update", "internal_api_resource_delete",
}

// forRoles are the rights with which the connector also binds scopes to roles. internal_role_mgt_update equals the administrator: its
// holder puts any right into a role, and themselves into that role.
var forRoles = []string{"internal_role_mgt_view", "internal_role_mgt_create", "internal_role_mgt_update"}

// Rights returns the rights of a service user for a value of KM_RIGHTS.
func Rights(setting string) []string {
	if setting == RolesToo {
		return append(append([]string{}, least...), forRoles...)
	}
	return append([]string{}, least...)
}

// Kind is a kind of user that the key manager can have.
type Kind int

// Kinds of users of the key manager.
const (
	Administrator Kind = iota // IS's administrator
	Made                      // a user that the agent makes
	Named                     // a user that somebody else has made, and that the settings name
	Kept                      // the one that API-M has: nobody has told the agent its password
)

// Choose decides which user the key manager has. setting is KM_SERVICE_USER; empty if it is not set. made is the user that the agent has
// made by its record; empty for none. registered is the user that API-M's key manager has now; empty without a key manager.
//
// Without the setting, a new key manager gets a user of its own, and an existing one keeps its user. A user that an agent with another
// record has made always stays: otherwise two agents, such as a Job and a sidecar, replace each other's user in every run.
func Choose(setting, made, registered, administrator string) Kind {
	others := IsMade(registered) && !Same(registered, made)
	switch {
	case setting == Admin:
		return Administrator
	case setting != "" && setting != Create:
		return Named
	case others:
		return Kept
	case setting == Create, made != "", registered == "":
		return Made
	case Same(registered, administrator):
		return Administrator
	}
	return Kept
}

// Same reports whether two names are those of the same user of IS. IS ignores the case of letters, the primary user store, and the
// domain of the super tenant.
func Same(a, b string) bool { return strings.EqualFold(plain(a), plain(b)) }

func plain(name string) string {
	if rest, ok := strings.CutPrefix(strings.ToUpper(name), "PRIMARY/"); ok {
		name = rest
	}
	name, _ = strings.CutSuffix(strings.ToLower(name), "@carbon.super")
	return name
}

// prefix begins the names of the users, and of their roles, that the agent makes.
const prefix = "wso2agent-km-"

// IsMade reports whether a name is that of a user, or of a role, that an agent has made.
func IsMade(name string) bool { return strings.HasPrefix(plain(name), prefix) }

// Account is what API-M's key manager calls IS with.
type Account struct {
	User     string
	Password wso2.Secret // [wso2.MaskedPassword] keeps the one that API-M has
}
