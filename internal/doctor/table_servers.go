package doctor

import (
	"fmt"
)

func serverTroubles() []Trouble {
	return []Trouble{
		{
			ID: "server.away", Name: "A server does not answer",
			Explains: []string{"is.ready", "am.ready"},
			Symptom:  "Connections are refused or time out. IS refuses connections until it is up completely.",
			Remedy:   "start the server, and see its log; check IS_HOST, IS_PORT, AM_HOST and AM_PORT, and that this machine reaches these addresses",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string { return s.Away })...)
			},
		},
		{
			ID: "server.starting", Name: "A server answers, but does not serve yet",
			Explains: []string{"is.ready", "am.ready"},
			Symptom:  `A script ends with "API setup failed": the pages of the Publisher and /services/Version answer long before the REST APIs and the gateway work.`,
			Remedy:   "wait: API-M needs one to three minutes on a busy machine. Ask /api/am/gateway/v2/server-startup-healthcheck, as agent bootstrap and agent apply do, and not /publisher. If it does not end, see trust.own and password.own-calls",
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
			Explains: []string{"is.ready", "am.ready", "trust.is"},
			Symptom:  "The agent refuses to connect, because the certificate is not the one that the peer published.",
			Remedy:   "if somebody has changed the certificate, start the agent next to that server, and restart the server. If not, something else answers at this address",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string { return s.Other })...)
			},
		},
		{
			ID: "server.unverified", Name: "This machine cannot verify the certificate of a server",
			Explains: []string{"is.ready", "am.ready"},
			Symptom:  "agent plan, apply and doctor on a laptop or in CI report an unknown authority or a wrong name.",
			Remedy:   "set TLS_CA_FILE to the CA of the servers, or PEER_PINS to their pins, or run the command next to a server, where it finds the certificates on the exchange volume",
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
			Explains: []string{"am.ready", "km.userinfo", "app.made"},
			Symptom:  "HTTP 401. Somebody has changed the password, or deployment.toml has another one than the database: a database keeps the password that it was made with.",
			Remedy:   "set AM_ADMIN_PASS or IS_ADMIN_PASS to the password that the server has",
			find: func(f *Facts) finding {
				return sure(f.eachServer(func(s Server) string { return s.Refused })...)
			},
		},
		{
			ID: "password.own-calls", Name: "API-M has another password of its administrator in its settings than in its database",
			Explains: []string{"am.ready", "api.loaded"},
			Symptom:  "The portals accept the password, but the gateway gets no APIs, and its health check stays at 500.",
			Remedy:   "write the present password to [super_admin] in API-M's deployment.toml, and restart API-M",
			find: func(f *Facts) finding {
				if f.Deployment.OwnCalls != "" {
					return sure(f.Deployment.OwnCalls)
				}
				return likely(f.Logs.of(logPassword)...)
			},
		},
		{
			ID: "clock.skew", Name: "The clocks of the servers differ",
			Explains: []string{"clock.skew", "token.lifetime"},
			Symptom:  "Tokens are refused as expired or not yet valid (900901), often only for some seconds after they were issued.",
			Remedy:   "keep all machines in step with NTP; on Kubernetes check the nodes",
			find:     clockSkew,
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
