package bootstrap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/wso2"
)

// ResidentKeyManager is the name of the key manager that is built into API-M.
const ResidentKeyManager = config.ResidentKeyManager

// Settings are what a run needs in addition to the desired state.
type Settings struct {
	AMURL         string // API-M's management address, such as https://wso2am:9443
	GatewayURL    string // the gateway's address for calls, such as https://wso2am:8243
	ISURL         string // IS's address, such as https://wso2is:9443, as seen by the agent and by API-M
	AMCredentials wso2.Credentials
	ISCredentials wso2.Credentials
	VHost         string // the gateway's virtual host in API-M; empty: localhost, as the product ships it

	KMName          string // the name under which IS is registered as key manager
	KeyManagerName  string // the key manager that makes the application's keys
	ISPublicURL     string // address of IS that people use; empty if it is that of KMTokenEndpoint
	KMTokenEndpoint string // address from which clients outside get its tokens; not used for the resident key manager
	SkipKeyManager  bool   // do not register IS, and do not wait for it

	// Known are the APIs that earlier runs have brought to the desired state, to find those that are no longer in the file.
	Known []APIName

	CAFile string // PEM file with the CAs of the sites that definitions of APIs come from; empty: those of the system

	// Owner is a short name of a program that runs one bootstrap at a time, such as an agent. No two runs at the same time have
	// the same one. Empty: a new name for this run.
	Owner string

	// MapsCertificates reports whether IS is known to take a client certificate only for the user that it is mapped to. nil: it is not known.
	MapsCertificates func(context.Context) bool

	KMUser ServiceUser // the user with which the key manager calls IS

	Authorize     bool     // authorize the applications in IS for the scopes of APIs
	ScopesClients []string // ids of further clients of IS to authorize

	RetryFirst time.Duration // wait after a first failure; 0 is 500 ms
	RetryMax   time.Duration // longest wait between two tries; 0 is 30 s
	EventWait  time.Duration // how long a key manager may stay unusable before the run sends it again; 0 is 10 s
}

// Normalised returns the settings with defaults filled in, and checks them. Every error wraps [ErrPermanent].
func (s Settings) Normalised() (Settings, error) {
	setDefault(&s.VHost, "localhost")
	setDefault(&s.KMName, "WSO2-IS")
	setDefault(&s.KeyManagerName, ResidentKeyManager)
	setDefault(&s.Owner, strings.ToLower(rand.Text()[:8]))
	setDefault(&s.RetryFirst, 500*time.Millisecond)
	setDefault(&s.RetryMax, 30*time.Second)
	setDefault(&s.EventWait, 10*time.Second)
	var errs []error
	check := func(name string, value *string, mayHavePath bool) {
		*value = strings.TrimRight(*value, "/")
		u, err := url.Parse(*value)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || !mayHavePath && u.Path != "" {
			errs = append(errs, fmt.Errorf("%s must be like https://host:9443, not %q", name, desired.Shown(*value)))
		}
	}
	check("API-M's address", &s.AMURL, false)
	check("the gateway's address", &s.GatewayURL, false)
	if !s.SkipKeyManager {
		check("IS's address", &s.ISURL, false)
		setDefault(&s.KMTokenEndpoint, s.ISURL+"/oauth2/token")
	}
	if !s.SkipKeyManager || s.KeyManagerName != ResidentKeyManager {
		check("KM_TOKEN_ENDPOINT", &s.KMTokenEndpoint, true)
	}
	if s.KMName == ResidentKeyManager {
		errs = append(errs, fmt.Errorf("KM_NAME must not be %q: that is API-M's own key manager", ResidentKeyManager))
	}
	if err := desired.CheckKeyManagerName(s.KMName); err != nil {
		errs = append(errs, fmt.Errorf("KM_NAME %w", err))
	}
	if len(errs) > 0 {
		return s, Permanent(fmt.Errorf("settings: %w", errors.Join(errs...)))
	}
	return s, nil
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// Servers are the clients of everything with which a run communicates.
type Servers struct {
	HTTP      *http.Client        // for token endpoints and signing keys, which may be at any address
	IS        *wso2.Identity      // IS's OAuth server
	AM        *wso2.Identity      // API-M's own OAuth server, behind the resident key manager
	Scopes    *wso2.Authorization // IS's authorized applications
	SCIM      *wso2.SCIM          // IS's users and roles
	Admin     *wso2.Admin
	Publisher *wso2.Publisher
	DevPortal *wso2.DevPortal
	Gateway   *wso2.Gateway
}

// Connect returns the clients for the addresses and credentials of s. It sends nothing.
func Connect(hc *http.Client, s Settings) Servers {
	am, is, gateway := strings.TrimRight(s.AMURL, "/"), strings.TrimRight(s.ISURL, "/"), strings.TrimRight(s.GatewayURL, "/")
	return Servers{
		HTTP:      hc,
		IS:        wso2.NewIdentity(hc, is, s.ISCredentials),
		AM:        wso2.NewIdentity(hc, am, s.AMCredentials),
		Scopes:    wso2.NewAuthorization(hc, is, s.ISCredentials),
		SCIM:      wso2.NewSCIM(hc, is, s.ISCredentials),
		Admin:     wso2.NewAdmin(hc, am, s.AMCredentials),
		Publisher: wso2.NewPublisher(hc, am, s.AMCredentials),
		DevPortal: wso2.NewDevPortal(hc, am, s.AMCredentials),
		Gateway:   wso2.NewGateway(hc, am, gateway, s.AMCredentials),
	}
}
