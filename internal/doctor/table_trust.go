package doctor

import (
	"fmt"
)

func trustTroubles() []Trouble {
	return []Trouble{
		{
			ID: "trust.missing", Name: "The truststore lacks the certificate of the other server", Fix: FixTrust,
			Explains: []string{"trust.store", "trust.am", "km.jwks", "app.made", "api.called", "gateway.revoked"},
			Symptom:  `"unable to find valid certification path to requested target" or SSLHandshakeException in the server's log.`,
			Remedy:   "run agent run next to the server, or agent doctor --fix: it imports the certificate and requests the restart",
			find:     func(f *Facts) finding { return sure(f.Trust.Missing...) },
		},
		{
			ID: "trust.restart", Name: "A server runs with older files than those on disk", Fix: FixTrust,
			Explains: []string{"trust.am", "trust.is", "is.settings", "gateway.revoked"},
			Symptom:  "The certificate is in the truststore, and the server still refuses it: servers read their stores and settings only at a start.",
			Remedy:   "restart the server. With agent exec, agent run or agent doctor --fix requests the restart",
			find: func(f *Facts) finding {
				if f.Trust.Due != "" {
					return sure(append([]string{f.Trust.Due}, f.Trust.Untrusting...)...)
				}
				return likely(f.Trust.Untrusting...)
			},
		},
		{
			ID: "trust.own", Name: "The truststore lacks the server's own certificate", Fix: FixTrust,
			Explains: []string{"am.ready", "api.loaded"},
			Symptom:  "IS issues tokens, but its login page is 404. API-M's portals work, but its gateway gets no API, and its health check stays at 500.",
			Remedy:   "run agent run next to the server, or agent doctor --fix: it imports the server's own certificate too, and requests the restart",
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
			Explains: []string{"trust.am", "app.made", "gateway.revoked"},
			Symptom:  `"PKIX path building failed" or "unable to find valid certification path" in the server's log since its last start.`,
			Remedy:   "import the certificate into this server's truststore and restart it: agent run does both. For a backend, upload its certificate in the Publisher",
			find:     func(f *Facts) finding { return likely(f.Logs.of(logPKIX)...) },
		},
		{
			ID: "trust.expired", Name: "A certificate has expired",
			Symptom: "Browsers and clients refuse the server. The stock certificates of IS expire.",
			Remedy:  "set TLS_MODE=issue, or TLS_MODE=files with a certificate of yours, for the agent next to the server. Elsewhere, commands reach such a server by its pin in PEER_PINS, which agent up writes, or with EXCHANGE_DIR and PRODUCT by the certificate that is published there",
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
			Explains: []string{"trust.name", "gateway.revoked"},
			Symptom:  `"Certificate for <wso2am> doesn't match any of the subject alternative names": IS verifies host names, and the stock certificates are for localhost. Revoked tokens stay valid.`,
			Remedy:   "set TLS_MODE=issue for the agent next to that server: the certificate then has SERVER_NAME and TLS_NAMES",
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
			Explains: []string{"trust.am", "gateway.revoked"},
			Symptom:  `"TrustAnchor with subject NAME is not a CA certificate" in the server's log, after a certificate was replaced.`,
			Remedy:   "delete the old entry with agent certs delete, and restart the server. The agent does that for the aliases that it owns",
			find:     func(f *Facts) finding { return likely(f.Logs.of(logAnchor)...) },
		},
	}
}
