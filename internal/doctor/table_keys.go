package doctor

import (
	"fmt"
	"strings"
)

func keyTroubles() []Trouble {
	keys := func(f *Facts, says func(Key) string) (evidence []string) {
		for _, k := range f.Applications.Keys {
			if text := says(k); text != "" {
				evidence = append(evidence, fmt.Sprintf("application %q, %s key at %q: %s", k.Application, k.Type, k.Manager, text))
			}
		}
		return evidence
	}
	return []Trouble{
		{
			ID: "keys.half-made", Name: "An application has a half-made key",
			Explains: []string{"keys.manager"},
			Symptom:  `"Key Mappings already exists" (901409) at each try: a generation that failed has left a row without a client.`,
			Remedy:   "press Clean Up in the Developer Portal, and generate the keys again; or run agent apply, which does both for the applications of its file",
			find: func(f *Facts) finding {
				evidence := keys(f, func(k Key) string {
					if k.Half {
						return "it has no consumer key"
					}
					return ""
				})
				if len(evidence) > 0 {
					return sure(evidence...)
				}
				return likely(f.Logs.of(logHalf)...)
			},
		},
		{
			ID: "keys.lost-client", Name: "IS does not know the client of an application",
			Explains: []string{"keys.accepted", "keys.manager"},
			Symptom:  "invalid_client when the application requests a token. IS has a new database, or somebody has deleted the client.",
			Remedy:   "delete the keys in the Developer Portal, and generate them again; or run agent apply, and give clients the new keys",
			find: func(f *Facts) finding {
				if f.Applications.Lost == "" {
					return finding{}
				}
				return sure(f.Applications.Lost)
			},
		},
		{
			ID: "keys.other-manager", Name: "The keys of the application belong to another key manager",
			Explains: []string{"keys.manager"},
			Symptom:  "The issuer (iss) of its tokens is API-M's instead of IS's, or the other way round.",
			Remedy:   "run agent apply with the KEY_MANAGER_NAME that you want, and give clients the new keys",
			find: func(f *Facts) finding {
				if is := f.Applications.FileManager; is != "" {
					return sure(fmt.Sprintf("the keys in KEYS_FILE are of key manager %q, and KEY_MANAGER_NAME is %q", is, f.Settings.KeysFrom))
				}
				return finding{}
			},
		},
		{
			ID: "keys.wrong-endpoint", Name: "A token of another key manager was used",
			Symptom: `401 with a token that looks valid, and "ACTIVE access token is not found" from OAuthOpaqueAuthenticatorImpl in the log of API-M.`,
			Remedy:  "request the token from the token endpoint of the key manager that has made the application's keys: tokenEndpoint in KEYS_FILE, or the Developer Portal shows it",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logOpaque)...) },
		},
		{
			ID: "tokens.one-at-a-time", Name: "A new token of a client ends the one before it",
			Explains: []string{"is.settings"},
			Symptom:  "401 (900901) with a token that has not expired, as soon as another process has requested one with the same client.",
			Remedy:   howTo + ". Or give each process an application of its own",
			find:     func(f *Facts) finding { return sure(f.lacks(starts(sideBySide))...) },
		},
		{
			ID: "subscriptions.blocked", Name: "A subscription is blocked, or waits for an approval",
			Symptom: "401 (900907), although the application has subscribed to the API.",
			Remedy:  "unblock it in the Publisher (the API's subscriptions), or approve it in the Admin Portal",
			find: func(f *Facts) finding {
				if len(f.Applications.Blocked) > 0 {
					return sure(f.Applications.Blocked...)
				}
				return likely(f.Logs.of(logBlocked)...)
			},
		},
		{
			ID: "keys.default-application", Name: "A script makes an application that exists",
			Symptom: "HTTP 409 for DefaultApplication: API-M makes it at the first request of a user to the Developer Portal.",
			Remedy:  "look for the application by its exact name first, as agent apply does, and use the one that exists",
			find:    func(f *Facts) finding { return sure(f.Logs.of(logDuplicate)...) },
		},
		{
			ID: "setup.failed", Name: "A setup script of the integration guide has failed",
			Symptom: `"API setup failed": API-M was not ready, a name with spaces was not encoded in a search, or DefaultApplication existed (409).`,
			Remedy:  "use agent apply or agent bootstrap: it waits for the right health check, compares names exactly, and takes up what exists",
			find: func(f *Facts) finding {
				evidence := f.Logs.of(logSetup)
				if len(evidence) == 0 {
					return finding{}
				}
				for _, api := range f.APIs.List {
					if strings.Contains(api.Name[:max(strings.LastIndex(api.Name, " "), 0)], " ") {
						evidence = append(evidence, fmt.Sprintf("API %q has a space in its name", api.Name))
					}
				}
				return sure(evidence...)
			},
		},
	}
}
