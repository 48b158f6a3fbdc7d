package doctor

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// Troubles returns the table of troubles. docs/troubleshooting.md is made from it. Names and symptoms come from the troubleshooting
// section of the integration guide and from public issue trackers; what recognizes them from the products' answers, which were
// recorded, and from the log lines in logs.go.
func Troubles() []Trouble {
	return slices.Concat(serverTroubles(), trustTroubles(), keyManagerTroubles(), keyTroubles(), settingsTroubles(), scopeTroubles(), apiTroubles(), volumeTroubles())
}

func serverTroubles() []Trouble {
	return []Trouble{
		{
			ID: "server.away", Name: "A server does not answer",
			Symptom: "Connections are refused or time out. IS refuses connections until it is up completely.",
			Remedy:  "start the server, and see its log; check IS_HOST, IS_PORT, AM_HOST and AM_PORT, and that this machine reaches these addresses",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string { return s.Away })...)
			},
		},
		{
			ID: "server.starting", Name: "A server answers, but does not serve yet",
			Symptom: `A script ends with "API setup failed": the pages of the Publisher and /services/Version answer long before the REST APIs and the gateway work.`,
			Remedy:  "wait: API-M needs one to three minutes on a busy machine. Ask /api/am/gateway/v2/server-startup-healthcheck, as agent bootstrap and agent apply do, and not /publisher. If it does not end, see trust.own and password.own-calls",
			find: func(f *Facts) finding {
				return likely(f.eachServer(func(s Server) string { return s.Starting })...)
			},
		},
		{
			ID: "server.health-check", Name: "A health check stops the server before it is up",
			Symptom: "The server starts again and again, and its log never says that it has started.",
			Remedy:  "give the health check 10 minutes: start_period: 600s in Compose, a startupProbe on Kubernetes. agent probe --server asks what matters, and compose.yml has these times",
			find: func(f *Facts) finding {
				return likely(f.Logs.Restarts...)
			},
		},
		{
			ID: "server.other-certificate", Name: "A server presents another certificate than its agent has published",
			Symptom: "The agent refuses to connect, because the certificate is not the one that the peer published.",
			Remedy:  "if somebody has changed the certificate, start the agent next to that server, and restart the server. If not, something else answers at this address",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string { return s.Other })...)
			},
		},
		{
			ID: "server.unverified", Name: "This machine cannot verify the certificate of a server",
			Symptom: "agent plan, apply and doctor on a laptop or in CI report an unknown authority or a wrong name.",
			Remedy:  "set TLS_CA_FILE to the CA of the servers, or run the command next to a server, where it finds the certificates on the exchange volume",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string {
					if s.expired(f.At) { // which no CA helps; trust.expired says so
						return ""
					}
					return s.Unverified
				})...)
			},
		},
		{
			ID: "password.refused", Name: "A server refuses the administrator's password",
			Symptom: "HTTP 401. Somebody has changed the password, or deployment.toml has another one than the database: a database keeps the password that it was made with.",
			Remedy:  "set AM_ADMIN_PASS or IS_ADMIN_PASS to the password that the server has",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string { return s.Refused })...)
			},
		},
		{
			ID: "password.own-calls", Name: "API-M has another password of its administrator in its settings than in its database",
			Symptom: "The portals accept the password, but the gateway gets no APIs, and its health check stays at 500.",
			Remedy:  "write the present password to [super_admin] in API-M's deployment.toml, and restart API-M",
			find: func(f *Facts) finding {
				if f.Deployment.OwnCalls != "" {
					return sure(f.Deployment.OwnCalls)
				}
				return likely(f.Logs.of(logPassword)...)
			},
		},
		{
			ID: "clock.skew", Name: "The clocks of the servers differ",
			Symptom: "Tokens are refused as expired or not yet valid (900901), often only for some seconds after they were issued.",
			Remedy:  "keep all machines in step with NTP; on Kubernetes check the nodes",
			find:    clockSkew,
		},
	}
}

// skewLimit is the difference of two clocks that matters. The clock of a server is known to a second.
const skewLimit = 5

func clockSkew(f *Facts) finding {
	var evidence []string
	compare := func(a, b string, seconds Seconds) {
		if seconds < 0 {
			a, b, seconds = b, a, -seconds
		}
		if seconds >= skewLimit {
			evidence = append(evidence, fmt.Sprintf("the clock of %s is %d s ahead of that of %s", a, seconds, b))
		}
	}
	if f.AM.Clock && f.IS.Clock {
		compare("IS", "API-M", f.IS.Ahead-f.AM.Ahead)
	}
	for _, s := range f.servers() {
		if s.Clock {
			compare(s.name, "this machine", s.Ahead)
		}
	}
	return sure(evidence...)
}

// named is a server with the name that people see.
type named struct {
	name string
	Server
}

// servers returns both servers.
func (f *Facts) servers() []named { return []named{{"API-M", f.AM}, {"IS", f.IS}} }

// eachServer returns what a function says of the servers that were asked, with their names.
func (f *Facts) eachServer(says func(Server) string) (evidence []string) {
	for _, s := range f.servers() {
		if text := says(s.Server); s.Asked && text != "" {
			evidence = append(evidence, s.name+": "+text)
		}
	}
	return evidence
}

func trustTroubles() []Trouble {
	return []Trouble{
		{
			ID: "trust.missing", Name: "The truststore lacks the certificate of the other server", Fix: FixTrust,
			Symptom: `"unable to find valid certification path to requested target" or SSLHandshakeException in the server's log.`,
			Remedy:  "run agent run next to the server, or agent doctor --fix: it imports the certificate and requests the restart",
			find:    func(f *Facts) finding { return sure(f.Trust.Missing...) },
		},
		{
			ID: "trust.restart", Name: "A server runs with older files than those on disk", Fix: FixTrust,
			Symptom: "The certificate is in the truststore, and the server still refuses it: servers read their stores and settings only at a start.",
			Remedy:  "restart the server. With agent exec, agent run or agent doctor --fix requests the restart",
			find: func(f *Facts) finding {
				if f.Trust.Due != "" {
					return sure(append([]string{f.Trust.Due}, f.Trust.Untrusting...)...)
				}
				return likely(f.Trust.Untrusting...)
			},
		},
		{
			ID: "trust.own", Name: "The truststore lacks the server's own certificate", Fix: FixTrust,
			Symptom: "IS issues tokens, but its login page is 404. API-M's portals work, but its gateway gets no API, and its health check stays at 500.",
			Remedy:  "run agent run next to the server, or agent doctor --fix: it imports the server's own certificate too, and requests the restart",
			find: func(f *Facts) finding {
				if !f.Trust.OwnMissing {
					return finding{}
				}
				return sure(fmt.Sprintf("%s has no entry with the certificate that %s presents", f.Trust.Store, f.Settings.Server))
			},
		},
		{
			ID: "trust.unpublished", Name: "The other server's agent has published no usable certificate",
			Symptom: "The agent waits for the certificate of a peer.",
			Remedy:  "start the agent next to the other server, with the same exchange volume and the name that PEERS has",
			find:    func(f *Facts) finding { return sure(f.Trust.Unpublished...) },
		},
		{
			ID: "trust.store", Name: "The server cannot read its truststore, or will fail with it",
			Symptom: "The server does not start, or every connection that it makes fails.",
			Remedy:  "agent certs check names each entry; set TRUSTSTORE_PASS if the password is wrong",
			find:    func(f *Facts) finding { return sure(f.Trust.Findings...) },
		},
		{
			ID: "trust.refused", Name: "A server has refused the certificate of another one",
			Symptom: `"PKIX path building failed" or "unable to find valid certification path" in the server's log since its last start.`,
			Remedy:  "import the certificate into this server's truststore and restart it: agent run does both. For a backend, upload its certificate in the Publisher",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logPKIX)...) },
		},
		{
			ID: "trust.expired", Name: "A certificate has expired",
			Symptom: "Browsers and clients refuse the server. The stock certificates of IS expire.",
			Remedy:  "set TLS_MODE=issue, or TLS_MODE=files with a certificate of yours, for the agent next to the server. Elsewhere, commands reach such a server only with EXCHANGE_DIR and PRODUCT, by the certificate that is published there",
			find: func(f *Facts) finding {
				evidence := f.eachServer(func(s Server) string {
					if !s.expired(f.At) {
						return ""
					}
					return "the certificate at " + s.Address + " has expired on " + s.NotAfter.UTC().Format("2006-01-02")
				})
				if len(evidence) > 0 {
					return sure(evidence...)
				}
				return likely(f.Logs.of(logExpired)...)
			},
		},
		{
			ID: "trust.name", Name: "A certificate does not have the name by which the other server calls it",
			Symptom: `"Certificate for <wso2am> doesn't match any of the subject alternative names": IS verifies host names, and the stock certificates are for localhost. Revoked tokens stay valid.`,
			Remedy:  "set TLS_MODE=issue for the agent next to that server: the certificate then has SERVER_NAME and TLS_NAMES",
			find: func(f *Facts) finding {
				evidence := f.eachServer(func(s Server) string {
					if !s.Misnamed {
						return ""
					}
					return fmt.Sprintf("the certificate at %s is not for %s", s.Address, s.CalledAs)
				})
				if len(evidence) > 0 {
					return sure(evidence...)
				}
				return likely(f.Logs.of(logName)...)
			},
		},
		{
			ID: "trust.stale-alias", Name: "The truststore has an older certificate of the same subject",
			Symptom: `"TrustAnchor with subject NAME is not a CA certificate" in the server's log, after a certificate was replaced.`,
			Remedy:  "delete the old entry with agent certs delete, and restart the server. The agent does that for the aliases that it owns",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logAnchor)...) },
		},
	}
}

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
			Symptom: "The tokens of applications have API-M's own issuer (iss).",
			Remedy:  "run agent apply or agent bootstrap, or agent doctor --fix",
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
			Symptom: "The gateway refuses its tokens within seconds (900901), and keys cannot be made (901403).",
			Remedy:  "enable it in the Admin Portal, or run agent apply or agent doctor --fix",
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
			Symptom: "Keys cannot be made (901403), and the gateway refuses the tokens.",
			Remedy:  "enable Resident Key Manager in the Admin Portal, or set KEY_MANAGER_NAME to the key manager for IS",
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
			Symptom: "It never works: the type WSO2-IS is for IS 5 and 6.",
			Remedy:  "delete it in the Admin Portal, and run agent apply; or set KM_NAME to another name. Keys that applications have at it end with it",
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
			Symptom: "The gateway refuses every token of IS (900901). The host name of IS has changed, or a proxy is in front of it.",
			Remedy:  "run agent apply or agent doctor --fix. If the issuer that IS announces is wrong, correct [server] hostname in IS's deployment.toml (IS_HOST for the agent) first",
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
			Symptom: "UserInfo answers 401 or 403, claims are missing in the backend JWT, or the key manager never works. Discovery in the Admin Portal fills in /oauth2/userinfo.",
			Remedy:  "run agent apply or agent doctor --fix, or set it in the Admin Portal",
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
			Symptom: "Keys, scopes or tokens of IS fail. A list endpoints[] in a request is accepted and ignored, opaque tokens are never accepted, and absent fields become null or false.",
			Remedy:  "run agent apply or agent doctor --fix",
			find:    func(f *Facts) finding { return sure(f.KeyManagers.Differ...) },
		},
		{
			ID: "km.same-issuer", Name: "Two key managers have the same issuer",
			Symptom: "The gateway uses one of them for all tokens, and refuses the clients of the other (900908).",
			Remedy:  "give each server a host name of its own ([server] hostname, \"localhost\" as shipped in both), and restart it; or delete one of the key managers",
			find:    sameIssuer,
		},
		{
			ID: "km.not-loaded", Name: "API-M has not loaded the key manager",
			Symptom: `"Key Manager NAME not configured" in API-M's log when somebody makes keys. API-M can lose the event of a new key manager.`,
			Remedy:  "save the key manager again in the Admin Portal, or run agent bootstrap, which waits until it is usable and sends it again",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logNotLoaded)...) },
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
			Symptom: `"Key Mappings already exists" (901409) at each try: a generation that failed has left a row without a client.`,
			Remedy:  "press Clean Up in the Developer Portal, and generate the keys again; or run agent apply, which does both for the applications of its file",
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
			Symptom: "invalid_client when the application requests a token. IS has a new database, or somebody has deleted the client.",
			Remedy:  "delete the keys in the Developer Portal, and generate them again; or run agent apply, and give clients the new keys",
			find: func(f *Facts) finding {
				if f.Applications.Lost == "" {
					return finding{}
				}
				return sure(f.Applications.Lost)
			},
		},
		{
			ID: "keys.other-manager", Name: "The keys of the application belong to another key manager",
			Symptom: "The issuer (iss) of its tokens is API-M's instead of IS's, or the other way round.",
			Remedy:  "run agent apply with the KEY_MANAGER_NAME that you want, and give clients the new keys",
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

func settingsTroubles() []Trouble {
	starts := func(prefixes ...string) func(string) bool {
		return func(setting string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(setting, p) })
		}
	}
	const me, listener, hostname = "resource.access_control[(.*)/scim2/Me]", "event_listener", "server.hostname"
	const eventWait = "apim.sync_runtime_artifacts.gateway.event_waiting_time" // only makes deployments faster, so its absence is no trouble
	special := starts(me, listener, hostname, "transport.https.properties.proxyPort", eventWait)
	const howTo = "agent run next to the server makes the setting, unless SETTINGS=none; agent config diff shows it. Then restart the server"
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
			Symptom: "UserInfo (/scim2/Me) answers 401 or 403 to API-M.",
			Remedy:  howTo,
			find:    func(f *Facts) finding { return sure(f.lacks(starts(me))...) },
		},
		{
			ID: "settings.listener", Name: "IS does not report revoked tokens to API-M",
			Symptom: "Revoked tokens still work at the gateway. The header's value is WSO2-IS whatever the key manager's name is, and its name needs quotes in deployment.toml.",
			Remedy:  howTo,
			find:    func(f *Facts) finding { return sure(f.lacks(starts(listener))...) },
		},
		{
			ID: "settings.host-name", Name: "A host name or proxy port in the settings is not the one that others use",
			Symptom: "The issuer is wrong, the login redirects to another address, or \"Registered callback does not match with the provided url\".",
			Remedy:  howTo + ". For API-M's own portals, also correct the callback of their service providers, because API-M keeps the one of its first start",
			find: func(f *Facts) finding {
				if evidence := f.lacks(starts(hostname, "transport.https.properties.proxyPort")); len(evidence) > 0 {
					return sure(evidence...)
				}
				return likely(f.Logs.of(logCallback)...)
			},
		},
		{
			ID: "settings.differ", Name: "The settings of the server lack what the two products need",
			Symptom: "It depends on the setting. A server ignores a misspelt one without a word.",
			Remedy:  howTo,
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
			Symptom: "A token of any client gets scopes such as internal_user_mgt_create, or lists users over SCIM 1.1.",
			Remedy:  "leave SCOPES=authorize, and run agent run next to IS: it authorizes the applications first, and then closes both. docs/security.md has the details",
			find:    func(f *Facts) finding { return sure(f.Deployment.Open...) },
		},
		{
			ID: "revocation.handler", Name: "IS lacks the library that reports revoked tokens",
			Symptom: "Revoked tokens still work at the gateway until they expire.",
			Remedy:  "set ARTIFACTS=default for agent init next to IS, or put wso2is.notification.event.handlers-2.0.5.jar into repository/components/dropins of the artifact volume, and restart IS",
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
			Symptom: "Revoked tokens still work at the gateway, and IS's log has no error: IS ignores the status of the answer.",
			Remedy:  "write the account of API-M's administrator to the event listener in IS's deployment.toml, because ${admin.username} there is IS's own; agent run next to IS does that",
			find: func(f *Facts) finding {
				if f.Deployment.Listener == "" {
					return finding{}
				}
				return sure(f.Deployment.Listener)
			},
		},
		{
			ID: "revocation.notice", Name: "A notice of a revoked token did not reach API-M",
			Symptom: `"Error while sending Revocation Event" in IS's log. IS tries once, and the token stays valid until it expires.`,
			Remedy:  "the lines below that one in IS's log name the reason: a certificate (trust.name, trust.refused), or an API-M that was down",
			find:    func(f *Facts) finding { return sure(f.Logs.of(logNotice)...) },
		},
	}
}

func scopeTroubles() []Trouble {
	return []Trouble{
		{
			ID: "scopes.unauthorized", Name: "An application is not authorized for the scopes of APIs", Fix: FixScopes,
			Symptom: "The token has no scope, and the gateway answers 403 (900910).",
			Remedy:  "run agent scopes sync or agent doctor --fix; agent run next to IS does it all the time",
			find: func(f *Facts) finding {
				if f.Settings.AllScopes {
					return finding{}
				}
				return sure(f.Scopes.Unauthorized...)
			},
		},
		{
			ID: "scopes.absent", Name: "A scope of an API is not in IS",
			Symptom: "No token ever gets the scope (900910). API-M answers with success although nothing has reached IS: the key manager's user lacks a right, or the key manager did not work.",
			Remedy:  "correct the key manager first, then save the API again in the Publisher, or run agent apply",
			find:    absentScopes,
		},
		{
			ID: "scopes.roles", Name: "Roles of scopes do not arrive in IS",
			Symptom: `"Error while updating resource to scope attachment in Key Manager" or "Failed to create role" in API-M's log. Tokens of users lack the scope (900910).`,
			Remedy:  "run agent run next to API-M, which binds the scopes to IS's roles, and give users the role system_primary_<role> in IS; or set KM_RIGHTS=roles",
			find:    func(f *Facts) finding { return likely(f.Logs.of(logRoles)...) },
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

func apiTroubles() []Trouble {
	each := func(f *Facts, says func(API) string) (evidence []string) {
		for _, api := range f.APIs.List {
			if text := says(api); text != "" {
				evidence = append(evidence, fmt.Sprintf("API %q %s", api.Name, text))
			}
		}
		return evidence
	}
	return []Trouble{
		{
			ID: "api.undeployed", Name: "A published API has no deployed revision",
			Symptom: "The gateway answers 404, although the Developer Portal shows the API.",
			Remedy:  "deploy a revision in the Publisher, or run agent apply",
			find: func(f *Facts) finding {
				return sure(each(f, func(a API) string {
					if a.offered() && !a.Deployed {
						return "is " + a.State + ", and no revision is deployed"
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.not-loaded", Name: "The gateway does not have a deployed API",
			Symptom: "404 after a deployment. The gateway loads deployments one after the other, 5 s each unless event_waiting_time is lower, so the last of 20 APIs takes 100 s.",
			Remedy:  "wait; set GATEWAY_EVENT_WAIT for the agent next to API-M. If it stays, see trust.own, and deploy the revision again",
			find: func(f *Facts) finding {
				return likely(each(f, func(a API) string {
					if a.offered() && a.Deployed && a.Missing {
						return "is deployed, and the gateway answers 404"
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.unlisted", Name: "API-M's list lacks an API that exists",
			Symptom: "A search does not find the API, and creating it fails with 409. Lists come from an index, which is up to some seconds behind; one without its volume stays empty.",
			Remedy:  "wait some seconds. If it stays, the index is lost: keep repository/database and the folder solr of API-M together, or save the API again",
			find:    func(f *Facts) finding { return likely(f.APIs.Unlisted...) },
		},
		{
			ID: "api.invisible", Name: "The Developer Portal does not show an API of API_CONFIG",
			Symptom: "The API is missing in the Developer Portal, or only some users see it.",
			Remedy:  "publish it in the Publisher, or correct its visibility; agent plan shows the difference, and agent apply makes the change",
			find: func(f *Facts) finding {
				return sure(each(f, func(a API) string {
					switch {
					case a.Named && !a.offered():
						return "is " + a.State
					case a.Named && a.Hidden != "":
						return "has the visibility " + a.Hidden
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.any-token", Name: "An API accepts any valid token, subscribed or not",
			Symptom: "Applications without a subscription call the API: an update with an empty list of policies makes it so, and API-M answers 200.",
			Remedy:  "choose business plans for the API in the Publisher, and deploy a new revision",
			find: func(f *Facts) finding {
				return likely(each(f, func(a API) string {
					if a.AnyToken && a.offered() {
						return "has no policy that asks for a subscription"
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.other-manager", Name: "An API does not accept tokens of the key manager that makes the keys",
			Symptom: "900901 or 900908 with a valid token of a subscribed application.",
			Remedy:  "add the key manager to the API in the Publisher (or key_managers of the API in API_CONFIG), and deploy a new revision",
			find: func(f *Facts) finding {
				return likely(each(f, func(a API) string {
					if a.Named && a.offered() && !a.accepts(f.Settings.KeysFrom) {
						return fmt.Sprintf("accepts only tokens of %s, and KEY_MANAGER_NAME is %q", quoted(a.Managers), f.Settings.KeysFrom)
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.no-header", Name: "An API names no header for the token",
			Symptom: "The gateway refuses every token, because it looks for the header \"null\". An archive import without authorizationHeader makes it so.",
			Remedy:  "set the authorization header of the API to Authorization in the Publisher, and deploy a new revision",
			find: func(f *Facts) finding {
				return sure(each(f, func(a API) string {
					if a.NoHeader && a.offered() {
						return "has no authorizationHeader"
					}
					return ""
				})...)
			},
		},
	}
}

func volumeTroubles() []Trouble {
	return []Trouble{
		{
			ID: "volume.hidden", Name: "A volume hides stock files of the server",
			Symptom: "The server does not start, or says \"No such file or directory\": a volume over a folder of the image hides what the image has there. A Kubernetes volume is empty at first.",
			Remedy:  "mount volumes only at the config volume and the artifact volume, and fill them with the seed job (deploy/seed/seed.sh); or mount single files with subPath",
			find: func(f *Facts) finding {
				if len(f.Volume.Hidden) > 0 {
					return sure(f.Volume.Hidden...)
				}
				return likely(f.Logs.of(logNoFile)...)
			},
		},
		{
			ID: "volume.only-dots", Name: "The config volume has nothing but dot files",
			Symptom: "The server's container stops at once: its entrypoint copies <volume>/*, which matches nothing.",
			Remedy:  "put the server's stores and deployment.toml there (deploy/seed/seed.sh)",
			find: func(f *Facts) finding {
				if !f.Volume.OnlyDots {
					return finding{}
				}
				return sure("the top of the config volume has only names that begin with a dot")
			},
		},
		{
			ID: "volume.owner", Name: "The agent cannot change the files of its server",
			Symptom: "Permission denied. A fresh named volume belongs to root, and the servers run as 802:802 (IS) and 10001:10001 (API-M).",
			Remedy:  "run the agent as the user of the server, and give the volume to that user (agent install, or fsGroup on Kubernetes)",
			find: func(f *Facts) finding {
				if f.Volume.Refused == "" {
					return finding{}
				}
				return sure(f.Volume.Refused)
			},
		},
	}
}
