package doctor

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

func keyManagerTroubles() []Trouble {
	own := func(f *Facts, says func(km KeyManager) string) finding {
		km, found := f.own()
		if !found {
			return finding{}
		}
		if text := says(km); text != "" {
			return sure(fmt.Sprintf("key manager %q: %s", km.Name, text))
		}
		return finding{}
	}
	usable := func(km KeyManager) bool { return km.Type == wso2.TypeIS7 }
	return []Trouble{
		{
			ID: "km.missing", Name: "IS is not registered as a key manager", Fix: FixKeyManager,
			Explains: []string{"km.registered"},
			Symptom:  "The tokens of applications have API-M's own issuer (iss).",
			Remedy:   "run agent apply or agent bootstrap, or agent doctor --fix",
			find: func(f *Facts) finding {
				if _, found := f.own(); found || !f.KeyManagers.Read {
					return finding{}
				}
				var names []string
				for _, km := range f.KeyManagers.List {
					names = append(names, km.Name)
				}
				return sure(fmt.Sprintf("API-M has no key manager %q (KM_NAME), only %s", f.Settings.KeyManager, quoted(names)))
			},
		},
		{
			ID: "km.disabled", Name: "The key manager is disabled", Fix: FixKeyManager,
			Explains: []string{"km.enabled", "app.made", "api.called"},
			Symptom:  "The gateway refuses its tokens within seconds (900901), and keys cannot be made (901403).",
			Remedy:   "enable it in the Admin Portal, or run agent apply or agent doctor --fix",
			find: func(f *Facts) finding {
				return own(f, func(km KeyManager) string {
					if usable(km) && !km.Enabled {
						return "it is disabled"
					}
					return ""
				})
			},
		},
		{
			ID: "km.resident-disabled", Name: "API-M's own key manager is disabled, and the application's keys come from it",
			Explains: []string{"app.made", "api.called"},
			Symptom:  "Keys cannot be made (901403), and the gateway refuses the tokens.",
			Remedy:   "enable Resident Key Manager in the Admin Portal, or set KEY_MANAGER_NAME to the key manager for IS",
			find: func(f *Facts) finding {
				for _, km := range f.KeyManagers.List {
					if km.Name == bootstrap.ResidentKeyManager && km.Name == f.Settings.KeysFrom && !km.Enabled {
						return sure(fmt.Sprintf("%q is disabled, and KEY_MANAGER_NAME names it", km.Name))
					}
				}
				return finding{}
			},
		},
		{
			ID: "km.type", Name: "The key manager has the wrong type",
			Explains: []string{"km.type", "app.made"},
			Symptom:  "It never works: the type WSO2-IS is for IS 5 and 6.",
			Remedy:   "delete it in the Admin Portal, and run agent apply; or set KM_NAME to another name. Keys that applications have at it end with it",
			find: func(f *Facts) finding {
				return own(f, func(km KeyManager) string {
					if usable(km) {
						return ""
					}
					return "its type is " + km.Type + ", not " + wso2.TypeIS7
				})
			},
		},
		{
			ID: "km.issuer", Name: "The issuer of the key manager is not the one that IS announces", Fix: FixKeyManager,
			Explains: []string{"km.issuer", "token.issuer", "api.called"},
			Symptom:  "The gateway refuses every token of IS (900901). The host name of IS has changed, or a proxy is in front of it.",
			Remedy:   "run agent apply or agent doctor --fix. If the issuer that IS announces is wrong, correct [server] hostname in IS's deployment.toml (IS_HOST for the agent) first",
			find: func(f *Facts) finding {
				return own(f, func(km KeyManager) string {
					if !usable(km) || f.IS.Issuer == "" || km.Issuer == f.IS.Issuer {
						return ""
					}
					return fmt.Sprintf("its issuer is %q, and IS announces %q", km.Issuer, f.IS.Issuer)
				})
			},
		},
		{
			ID: "km.user-info", Name: "The UserInfo endpoint of the key manager is not /scim2/Me", Fix: FixKeyManager,
			Explains: []string{"km.userinfo"},
			Symptom:  "UserInfo answers 401 or 403, claims are missing in the backend JWT, or the key manager never works. Discovery in the Admin Portal fills in /oauth2/userinfo.",
			Remedy:   "run agent apply or agent doctor --fix, or set it in the Admin Portal",
			find: func(f *Facts) finding {
				return own(f, func(km KeyManager) string {
					if !usable(km) || strings.HasSuffix(km.UserInfo, "/scim2/Me") {
						return ""
					}
					return fmt.Sprintf("its UserInfo endpoint is %q", km.UserInfo)
				})
			},
		},
		{
			ID: "km.differs", Name: "The key manager differs from what IS needs", Fix: FixKeyManager,
			Explains: []string{"km.jwks", "token.audience"},
			Symptom:  "Keys, scopes or tokens of IS fail. A list endpoints[] in a request is accepted and ignored, opaque tokens are never accepted, and absent fields become null or false.",
			Remedy:   "run agent apply or agent doctor --fix",
			find:     func(f *Facts) finding { return sure(f.KeyManagers.Differ...) },
		},
		{
			ID: "km.same-issuer", Name: "Two key managers have the same issuer",
			Explains: []string{"api.called"},
			Symptom:  "The gateway uses one of them for all tokens, and refuses the clients of the other (900908).",
			Remedy:   "give each server a host name of its own ([server] hostname, \"localhost\" as shipped in both), and restart it; or delete one of the key managers",
			find:     sameIssuer,
		},
		{
			ID: "km.not-loaded", Name: "API-M has not loaded the key manager",
			Explains: []string{"app.made"},
			Symptom:  `"Key Manager NAME not configured" in API-M's log when somebody makes keys. API-M can lose the event of a new key manager.`,
			Remedy:   "save the key manager again in the Admin Portal, or run agent bootstrap, which waits until it is usable and sends it again",
			find:     func(f *Facts) finding { return likely(f.Logs.of(logNotLoaded)...) },
		},
	}
}

func sameIssuer(f *Facts) finding {
	by := map[string][]string{}
	for _, km := range f.KeyManagers.List {
		if km.Issuer != "" {
			by[km.Issuer] = append(by[km.Issuer], km.Name)
		}
	}
	var evidence []string
	for issuer, names := range by {
		if len(names) > 1 {
			evidence = append(evidence, fmt.Sprintf("%s have the issuer %s", quoted(names), issuer))
		}
	}
	slices.Sort(evidence)
	return sure(evidence...)
}
