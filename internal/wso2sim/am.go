package wso2sim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// AM is a stand-in of API Manager, all in one, as its home is.
type AM struct {
	*server
	port, gatewayPort *port
	admin, password   string // of the database, which keeps the administrator that it was made with
	callsItself       bool   // whether the settings have that administrator too
	connector         *connector
	backends          *http.Client  // for the calls that the gateway passes on
	selfTrusted       bool          // whether its truststore has its own certificate
	eventWait         time.Duration // see readEventWait
	profilesInterval  time.Duration // between two looks at listenerprofiles.xml

	// guarded by server.mu
	oauth         *oauthServer // the Resident Key Manager, which serves the REST APIs as well
	keyManagers   []*keyManager
	eventsLost    time.Time // until when a key manager's event is lost
	loading       time.Time // until when the gateway is busy with deployments
	apis          map[string]*api
	index         map[string]*indexEntry
	lookup        lookup
	applications  map[string]*application
	subscriptions map[string]*subscription
	scopes        map[string]*sharedScope
	revoked       map[string]time.Time            // by jti: when the gateway begins to refuse the token
	keySets       map[string]jwks                 // of key managers, by address, as the gateway fetched them
	certificates  map[string]*endpointCertificate // of backends, by alias
	subscribed    bool                            // whether DefaultApplication was made
	environments  []*environmentDTO               // those of deployment.toml first
	policies      []*throttlePolicy
	categories    []*category
}

// StartAM starts a server. Its addresses are known on return; it comes up in the order and at the times of Delays. The
// errors of a home that cannot be used name the file and what is wrong with it.
func StartAM(_ context.Context, o Options) (*AM, error) {
	base, err := newServer(ProductAM, o)
	if err != nil {
		return nil, err
	}
	am := &AM{server: base}
	am.linger = am.delays.AMRestart
	am.signer.hexThumbprint = true
	am.isAdministrator = func(user, password string) bool { return user == am.admin && password == am.password }
	if am.port, err = am.bind(o.Listen); err != nil {
		return nil, errors.Join(err, am.shut())
	}
	if am.gatewayPort, err = am.bind(o.Gateway); err != nil {
		return nil, errors.Join(err, am.shut())
	}
	if am.plain, err = am.bindOptional(o.Plain); err != nil {
		return nil, errors.Join(err, am.shut())
	}
	if am.events, err = am.bindOptional(o.Events); err != nil {
		return nil, errors.Join(err, am.shut())
	}
	if am.socket, err = am.bindOptional(o.WebSocket); err != nil {
		return nil, errors.Join(err, am.shut())
	}
	if am.profilesInterval, err = readProfilesInterval(am.settings); err != nil {
		return nil, errors.Join(fmt.Errorf("start am: %w", err), am.shut())
	}
	if err := am.writeProfiles(); err != nil {
		return nil, errors.Join(fmt.Errorf("start am: %w", err), am.shut())
	}
	am.oauth = newOAuthServer(am.url(am.port)+"/oauth2/token", am.signer, am.residentRules())
	if err := am.keep(am.describe, am.restoreAll); err != nil {
		return nil, errors.Join(err, am.shut())
	}
	am.callsItself = am.knowsItself()
	am.connector = &connector{client: am.caller(allowAll), presenting: am.presentingItself()}
	am.backends = am.caller(allowAll)
	am.selfTrusted = am.trust.trusts(am.tls)
	am.eventWait = readEventWait(am.settings)
	am.after(am.delays.AMPorts, am.openPorts)
	return am, nil
}

func (am *AM) openPorts() {
	secured := am.secure(tls.VersionTLS13)
	err := am.open(am.gatewayPort, gatewayCalls(am.gateway), secured.config)
	if err == nil {
		am.pollProfiles(secured)
		err = am.openManagement(am.port, am.routes(), tls.VersionTLS13)
	}
	if err == nil && am.events != nil {
		err = am.open(am.events, http.NotFoundHandler(), am.secure(tls.VersionTLS13).config)
	}
	if err == nil && am.socket != nil {
		err = am.open(am.socket, http.NotFoundHandler(), am.readingEachTime())
	}
	if err != nil {
		am.fail(err)
		return
	}
	if !am.selfTrusted {
		am.log.Error("the gateway gets no APIs: the truststore lacks this server's own certificate", "error", errPKIX)
	}
	if !am.callsItself {
		am.log.Error("Failed to retrieve /internal/data/v1/scopes. Unauthenticated request: [super_admin] has another administrator than the database")
	}
	am.after(am.delays.AMReady, func() {
		am.log.Info("WSO2 Carbon started in 1 sec", "issuer", am.oauth.issuer)
		close(am.ready)
	})
}

// readingEachTime is the TLS of the port for WebSockets, which reads the store for each connection.
func (am *AM) readingEachTime() *tls.Config {
	config := am.presenting(tls.VersionTLS13, func() (*tls.Certificate, error) {
		_, pair, err := readKey(am.home, am.listener)
		return &pair, err
	})
	config.SessionTicketsDisabled = true
	return config
}

// URL is where REST APIs and token endpoint can be reached from this machine, without a path.
func (am *AM) URL() string { return dialURL(am.port) }

// GatewayURL is where published APIs can be called from this machine, without a path.
func (am *AM) GatewayURL() string { return dialURL(am.gatewayPort) }

// Issuer is the issuer of the Resident Key Manager's tokens, by the configured host name.
func (am *AM) Issuer() string { return am.oauth.issuer }

// Close ends the server, after as long as Delays.AMStop says.
func (am *AM) Close() error {
	am.sleep(am.delays.AMStop.pick())
	return am.shut()
}

func (am *AM) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /services/Version", am.version)
	mux.HandleFunc("POST /services/ServerAdmin", func(w http.ResponseWriter, r *http.Request) {
		am.serverAdmin(w, r, false)
	})
	mux.HandleFunc("GET /api/am/gateway/v2/server-startup-healthcheck", am.startupHealth)
	mux.HandleFunc("GET /publisher", am.portal)
	mux.HandleFunc("GET /devportal", am.portal)
	mux.HandleFunc("GET /admin", am.portal)
	rest := http.NewServeMux()
	am.anonymousRoutes(rest)
	am.runtimeRoutes(rest)
	am.registrationRoutes(rest)
	am.residentRoutes(rest)
	am.keyManagerRoutes(rest)
	am.apiRoutes(rest)
	am.revisionRoutes(rest)
	am.applicationRoutes(rest)
	am.adminApplicationRoutes(rest)
	am.subscriptionRoutes(rest)
	am.subscriptionChangeRoutes(rest)
	am.keyRoutes(rest)
	am.keyTypeRoutes(rest)
	am.sharedScopeRoutes(rest)
	am.operationPolicyRoutes(rest)
	am.publisherRoutes(rest)
	am.documentRoutes(rest)
	am.certificateRoutes(rest)
	am.graphQLRoutes(rest)
	am.asyncRoutes(rest)
	am.policyRoutes(rest)
	am.categoryRoutes(rest)
	am.environmentRoutes(rest)
	rest.HandleFunc("POST /internal/data/v1/notify", am.notified)
	for _, prefix := range []string{"/api/am/", "/client-registration/", "/oauth2/", "/internal/data/"} {
		mux.Handle(prefix, am.whenDeployed(am.durable(rest)))
	}
	return mux
}

// whenDeployed is how the web applications come up: 404, then a call that hangs until they are there.
func (am *AM) whenDeployed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if am.uptime() < am.delays.AMPortal {
			http.NotFound(w, r)
			return
		}
		if wait := am.delays.AMREST - am.uptime(); wait > 0 {
			select {
			case <-time.After(wait):
			case <-r.Context().Done():
				return
			case <-am.ctx.Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// version proves only that Axis2 is up.
func (am *AM) version(w http.ResponseWriter, r *http.Request) {
	if am.uptime() < am.delays.AMVersion {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	_, _ = io.WriteString(w, `<ns:getVersionResponse xmlns:ns="http://version.services.core.carbon.wso2.org"><return>`+am.behaviour.name(ProductAM)+`</return></ns:getVersionResponse>`)
}

// startupHealth is open to everyone without credentials, and 401 to those who send wrong ones.
func (am *AM) startupHealth(w http.ResponseWriter, r *http.Request) {
	switch user, password, ok := r.BasicAuth(); {
	case am.uptime() < am.delays.AMHealth:
		http.NotFound(w, r)
	case r.Header.Get("Authorization") != "" && !(ok && user == am.admin && password == am.password):
		errUnauthenticated.write(w)
	case am.uptime() < am.delays.AMReady || !am.selfTrusted || !am.callsItself:
		errInternal.write(w)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// portal says nothing of the REST APIs.
func (am *AM) portal(w http.ResponseWriter, r *http.Request) {
	if am.uptime() < am.delays.AMPortal {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Location", am.url(am.port)+r.URL.Path+"/")
	w.WriteHeader(http.StatusFound)
}

// notified takes the notices of revoked tokens. The header is the type of the handler, and a wrong one is answered as
// a right one is, and does nothing.
func (am *AM) notified(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if !ok || user != am.admin || password != am.password {
		errUnauthenticated.write(w)
		return
	}
	var notice struct{ AccessToken, Type string }
	if !readLoosely(w, r, &notice) {
		return
	}
	if hasHandler(r.Header.Get("X-WSO2-KEY-MANAGER")) && notice.Type == "token_revocation" {
		am.mu.Lock()
		am.refuse(notice.AccessToken)
		am.mu.Unlock()
	}
	writeJSON(w, http.StatusOK, object{})
}

// hasHandler says whether there is a handler of a type: that of the IS connectors, or the Resident Key Manager's.
func hasHandler(kind string) bool { return kind == "WSO2-IS" || kind == typeResident }

// knowsItself says whether the server's calls to itself, and to its message broker, have the database's administrator. They
// take the one of the settings.
func (am *AM) knowsItself() bool {
	user, password := am.settings.credentials()
	if !am.isAdministrator(user, password) {
		return false
	}
	// jndi.properties: the values go into an address as they stand in the file.
	broker, err := url.Parse("amqp://" + am.settings.broker("username", "admin") + ":" + am.settings.broker("password", "admin") + "@clientid/carbon")
	if err != nil {
		return false
	}
	password, _ = broker.User.Password()
	return am.isAdministrator(broker.User.Username(), password)
}

// hearsItself says whether a revocation at the Resident Key Manager reaches the gateway. The shipped deployment.toml
// has a listener for that, whose library comes with the product, and which sends its notice to this very server.
func (am *AM) hearsItself() bool {
	property, found := am.settings.revocationListener()
	return found && hasHandler(property(keyManagerHeader)) && property("username") == am.admin && property("password") == am.password
}

// refuse has the gateway refuse a token, a moment later. The lock is held.
func (am *AM) refuse(jti string) {
	if _, known := am.revoked[jti]; !known {
		am.revoked[jti] = time.Now().Add(am.delays.Revocation.pick())
		am.changed("revoked", jti)
	}
}
