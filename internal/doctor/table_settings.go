package doctor

import (
	"slices"
	"strings"
)

// howTo is what to do about a setting that a server lacks.
const howTo = "agent run next to the server makes the setting, unless SETTINGS=none; agent config diff shows it. Then restart the server"

// sideBySide is the table of IS's settings with which tokens of one client live next to each other (TOKENS_SIDE_BY_SIDE).
const sideBySide = "oauth.jwt.renew_token_without_revoking_existing"

// starts returns a function that reports whether the name of a setting begins with one of the prefixes.
func starts(prefixes ...string) func(setting string) bool {
	return func(setting string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(setting, p) })
	}
}

func settingsTroubles() []Trouble {
	const me, listener, hostname = "resource.access_control[(.*)/scim2/Me]", "event_listener", "server.hostname"
	const eventWait = "apim.sync_runtime_artifacts.gateway.event_waiting_time" // only makes deployments faster, so its absence is no trouble
	special := starts(me, listener, hostname, "transport.https.properties.proxyPort", eventWait, sideBySide)
	return []Trouble{
		{
			ID: "settings.refused", Name: "The server does not start with its deployment.toml",
			Symptom: "The server exits at its start, often without a line that names the reason.",
			Remedy:  "correct the line",
			find: func(f *Facts) finding {
				if f.Deployment.Refused == "" {
					return finding{}
				}
				return sure(f.Deployment.Refused)
			},
		},
		{
			ID: "settings.user-info", Name: "IS has no access rule for the UserInfo endpoint",
			Explains: []string{"is.settings", "is.me"},
			Symptom:  "UserInfo (/scim2/Me) answers 401 or 403 to API-M.",
			Remedy:   howTo,
			find:     func(f *Facts) finding { return sure(f.lacks(starts(me))...) },
		},
		{
			ID: "settings.listener", Name: "IS does not report revoked tokens to API-M",
			Explains: []string{"is.settings", "gateway.revoked"},
			Symptom:  "Revoked tokens still work at the gateway. The header's value is WSO2-IS whatever the key manager's name is, and its name needs quotes in deployment.toml.",
			Remedy:   howTo,
			find:     func(f *Facts) finding { return sure(f.lacks(starts(listener))...) },
		},
		{
			ID: "settings.host-name", Name: "A host name or proxy port in the settings is not the one that others use",
			Explains: []string{"is.settings", "km.issuer"},
			Symptom:  "The issuer is wrong, the login redirects to another address, or \"Registered callback does not match with the provided url\".",
			Remedy:   howTo + ". For API-M's own portals, also correct the callback of their service providers, because API-M keeps the one of its first start",
			find: func(f *Facts) finding {
				if evidence := f.lacks(starts(hostname, "transport.https.properties.proxyPort")); len(evidence) > 0 {
					return sure(evidence...)
				}
				return likely(f.Logs.of(logCallback)...)
			},
		},
		{
			ID: "settings.differ", Name: "The settings of the server lack what the two products need",
			Explains: []string{"is.settings"},
			Symptom:  "It depends on the setting. A server ignores a misspelt one without a word.",
			Remedy:   howTo,
			find: func(f *Facts) finding {
				other := func(s string) bool { return !special(s) }
				if slices.ContainsFunc(f.Deployment.Lacks, func(l Lack) bool { return other(l.Setting) && !l.Kept }) {
					return sure(f.lacks(other)...)
				}
				return likely(f.lacks(other)...)
			},
		},
		{
			ID: "settings.open", Name: "Any API subscriber can administer IS",
			Explains: []string{"security.scopes", "security.scim11"},
			Symptom:  "A token of any client gets scopes such as internal_user_mgt_create, or lists users over SCIM 1.1.",
			Remedy:   "leave SCOPES=authorize, and run agent run next to IS: it authorizes the applications first, and then closes both. docs/security.md has the details",
			find:     func(f *Facts) finding { return sure(f.Deployment.Open...) },
		},
		{
			ID: "settings.known-key", Name: "IS encrypts secrets with the key that everybody knows",
			Explains: []string{"is.settings"},
			Symptom:  "Nothing, until somebody gets a copy of the database: the secrets in it, such as passwords of user stores, can be read.",
			Remedy:   "give IS a key of its own as WSO2's documentation says, with the former one as old_key in [encryption]; docs/operating.md, The encryption key",
			find: func(f *Facts) finding {
				if f.Deployment.OpenKey == "" {
					return finding{}
				}
				return sure(f.Deployment.OpenKey)
			},
		},
		{
			ID: "settings.lost-key", Name: "The key with which the server encrypted its secrets is unknown or lost",
			Explains: []string{"is.settings"},
			Symptom:  "agent init refuses to start the server. Without it, key managers, endpoints and user stores fail with errors of decryption after a start.",
			Remedy:   "restore .agent/encryption-key on the config volume from the backup of the database's time, or set ENCRYPTION_KEY_FILE to a file with the key, before the next start; docs/operating.md, The encryption key",
			find: func(f *Facts) finding {
				if f.Deployment.LostKey == "" {
					return finding{}
				}
				return sure(f.Deployment.LostKey)
			},
		},
		{
			ID: "revocation.handler", Name: "IS lacks the library that reports revoked tokens",
			Explains: []string{"is.handler", "gateway.revoked"},
			Symptom:  "Revoked tokens still work at the gateway until they expire.",
			Remedy:   "set ARTIFACTS=default for agent init next to IS, or put a version of wso2is.notification.event.handlers that fits IS into repository/components/dropins of the artifact volume, and restart IS",
			find: func(f *Facts) finding {
				switch {
				case len(f.Volume.Broken) > 0:
					return sure(f.Volume.Broken...)
				case f.Volume.HandlerRead && len(f.Volume.Handlers) == 0:
					return sure("no wso2is.notification.event.handlers*.jar in repository/components/dropins of the artifact volume, the config volume and the home")
				}
				return finding{}
			},
		},
		{
			ID: "revocation.refused", Name: "API-M refuses what IS reports about revoked tokens",
			Explains: []string{"notify.endpoint", "gateway.revoked"},
			Symptom:  "Revoked tokens still work at the gateway, and IS's log has no error: IS ignores the status of the answer.",
			Remedy:   "write the account of API-M's administrator to the event listener in IS's deployment.toml, because ${admin.username} there is IS's own; agent run next to IS does that",
			find: func(f *Facts) finding {
				if f.Deployment.Listener == "" {
					return finding{}
				}
				return sure(f.Deployment.Listener)
			},
		},
		{
			ID: "revocation.notice", Name: "A notice of a revoked token did not reach API-M",
			Explains: []string{"gateway.revoked"},
			Symptom:  `"Error while sending Revocation Event" in IS's log. IS tries once, and the token stays valid until it expires.`,
			Remedy:   "the lines below that one in IS's log name the reason: a certificate (trust.name, trust.refused), or an API-M that was down",
			find:     func(f *Facts) finding { return sure(f.Logs.of(logNotice)...) },
		},
	}
}
