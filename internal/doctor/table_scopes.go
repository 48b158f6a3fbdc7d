package doctor

import (
	"fmt"
	"slices"
)

func scopeTroubles() []Trouble {
	return []Trouble{
		{
			ID: "scopes.unauthorized", Name: "An application is not authorized for the scopes of APIs", Fix: FixScopes,
			Explains: []string{"scopes.authorized"},
			Symptom:  "The token has no scope, and the gateway answers 403 (900910).",
			Remedy:   "run agent scopes sync or agent doctor --fix; agent run next to IS does it all the time",
			find: func(f *Facts) finding {
				if f.Settings.AllScopes {
					return finding{}
				}
				return sure(f.Scopes.Unauthorized...)
			},
		},
		{
			ID: "scopes.absent", Name: "A scope of an API is not in IS",
			Explains: []string{"scopes.reached", "scopes.authorized"},
			Symptom:  "No token ever gets the scope (900910). API-M answers with success although nothing has reached IS: the key manager's user lacks a right, or the key manager did not work.",
			Remedy:   "correct the key manager first, then save the API again in the Publisher, or run agent apply",
			find:     absentScopes,
		},
		{
			ID: "scopes.roles", Name: "Roles of scopes do not arrive in IS",
			Symptom: `"Error while updating resource to scope attachment in Key Manager" or "Failed to create role" in API-M's log. Tokens of users lack the scope (900910).`,
			Remedy:  "run agent run next to API-M, which binds the scopes to IS's roles, and give users the role system_primary_<role> in IS; or set KM_RIGHTS=roles",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logRoles)...) },
		},
		{
			ID: "scopes.refused", Name: "The gateway has refused a token that lacks a scope",
			Symptom: "403 (900910). The token of a user has a scope only if the user has IS's role for it. That of a client has it only if the client asks for it and is authorized.",
			Remedy:  "for a user: give the role of IS that has the scope, such as system_primary_<role>, with agent roles assign, and request a new token. For a client: request the scope, and see scopes.unauthorized and scopes.absent",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logScope)...) },
		},
		{
			ID: "claims.missing", Name: "API-M cannot read the claims of users",
			Symptom: `"Error while retrieving User claims from Key Manager" in API-M's log. The backend JWT has no claims of the user.`,
			Remedy:  "see km.user-info and settings.user-info. Claims also need [apim.jwt] enable = true and enable_user_claims = true in API-M's deployment.toml",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logClaims)...) },
		},
	}
}

func absentScopes(f *Facts) finding {
	km, found := f.own()
	if !f.Scopes.Read || !f.APIs.Read || !found || !km.Enabled {
		return finding{}
	}
	var evidence []string
	for _, api := range f.APIs.List {
		for _, scope := range api.Scopes {
			if api.accepts(km.Name) && !slices.Contains(f.Scopes.InIS, scope) {
				evidence = append(evidence, fmt.Sprintf("API %q has the scope %q, and IS has not", api.Name, scope))
			}
		}
	}
	return sure(evidence...)
}
