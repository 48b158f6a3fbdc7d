package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/wso2"
)

// Facts are what the doctor has read at one moment: plain data without secrets. A part that it could not read is not Read, so that
// nobody takes it for empty; Unread says why.
type Facts struct {
	At       time.Time `json:"at"`       // by the own clock
	Settings Settings  `json:"settings"` // the names of the parts, by the agent's settings

	AM           Server       `json:"apiManager"`
	IS           Server       `json:"identityServer"`
	KeyManagers  KeyManagers  `json:"keyManagers"`
	Applications Applications `json:"applications"`
	APIs         APIs         `json:"apis"`
	Scopes       Scopes       `json:"scopes"`

	Volume     Volume     `json:"volume"`
	Deployment Deployment `json:"deployment"`
	Trust      Trust      `json:"trust"`
	Logs       Logs       `json:"logs"`

	Unread []Unread `json:"unread"`
	Late   bool     `json:"late,omitempty"` // the time was up before everything was read
}

// Unread is a part that the doctor could not read, and so did not examine.
type Unread struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Settings are the agent's settings that the table needs.
type Settings struct {
	Product    string `json:"product"`    // is or am; empty if the doctor runs next to no server
	Server     string `json:"server"`     // name of the own server
	KeyManager string `json:"keyManager"` // under which IS is registered (KM_NAME)
	KeysFrom   string `json:"keysFrom"`   // the key manager of the application's keys (KEY_MANAGER_NAME)
	AllScopes  bool   `json:"allScopes"`  // SCOPES is all
}

// Server is what a server shows from outside.
type Server struct {
	Asked      bool      `json:"asked"`
	Address    string    `json:"address"`
	Away       string    `json:"away,omitempty"`       // why no answer came
	Late       bool      `json:"late,omitempty"`       // the time was up before it had answered
	Pinless    bool      `json:"pinless,omitempty"`    // its agent has published no certificate, so nothing was sent
	Other      string    `json:"other,omitempty"`      // it presents another certificate than its agent has published
	Unverified string    `json:"unverified,omitempty"` // this machine cannot verify its certificate
	Starting   string    `json:"starting,omitempty"`   // it answers, but does not serve yet
	Refused    string    `json:"refused,omitempty"`    // it refuses the administrator's password
	Issuer     string    `json:"issuer,omitempty"`     // of its tokens, by its own word
	Ahead      Seconds   `json:"ahead"`                // of its clock before the own one
	Clock      bool      `json:"clock"`                // its clock is known
	NotAfter   time.Time `json:"notAfter,omitzero"`    // of the certificate that it presents
	// CalledAs is the host name by which the other server calls it, if that is known, and Misnamed says that its certificate does not have
	// that name.
	CalledAs string `json:"calledAs,omitempty"`
	Misnamed bool   `json:"misnamed,omitempty"`
}

// Seconds is a duration in whole seconds.
type Seconds int64

// timeIsUp says why a part was not examined: a server that is slow is not away.
const timeIsUp = "the time is up"

// closed returns why the server could not be examined, with the row that says more; empty if it serves the administrator.
func (s Server) closed() string {
	switch {
	case s.Late:
		return timeIsUp
	case s.Away != "":
		return "it does not answer (server.away)"
	case s.Pinless:
		return "its agent has published no certificate (trust.unpublished)"
	case s.Other != "":
		return "it presents another certificate (server.other-certificate)"
	case s.Unverified != "":
		return "this machine cannot verify its certificate"
	case s.Starting != "":
		return "it does not serve yet (server.starting)"
	case s.Refused != "":
		return "it refuses the password (password.refused)"
	}
	return ""
}

// expired reports whether the certificate that the server presents is too old.
func (s Server) expired(at time.Time) bool { return !s.NotAfter.IsZero() && !at.Before(s.NotAfter) }

// serves reports whether the server was asked, and serves the administrator.
func (s Server) serves() bool { return s.Asked && s.closed() == "" }

// reached reports whether the server was asked and has answered.
func (s Server) reached() bool {
	return s.Asked && !s.Late && s.Away == "" && !s.Pinless && s.Other == "" && s.Unverified == ""
}

// KeyManagers are the key managers of API-M.
type KeyManagers struct {
	Read      bool         `json:"read"`
	List      []KeyManager `json:"list"`
	Differ    []string     `json:"differ"`              // fields of the agent's own one that agent apply would change, as "field: is -> should be"
	Unfixable string       `json:"unfixable,omitempty"` // why the agent must not change it by itself
}

// KeyManager is one of them.
type KeyManager struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Enabled  bool   `json:"enabled"`
	Issuer   string `json:"issuer"`
	UserInfo string `json:"userInfo"` // endpoint
}

// own returns the key manager that the settings name.
func (f *Facts) own() (km KeyManager, found bool) {
	i := slices.IndexFunc(f.KeyManagers.List, func(km KeyManager) bool { return km.Name == f.Settings.KeyManager })
	if !f.KeyManagers.Read || i < 0 {
		return km, false
	}
	return f.KeyManagers.List[i], true
}

// Applications are those of the administrator in the Developer Portal, and the one in the keys file.
type Applications struct {
	Read bool  `json:"read"`
	Keys []Key `json:"keys"`
	// FileManager is the key manager of the keys in KEYS_FILE, if neither KEY_MANAGER_NAME nor API_CONFIG names it; empty otherwise.
	FileManager string `json:"fileManager,omitempty"`
	Lost        string `json:"lost,omitempty"` // IS does not know the client in KEYS_FILE
	// Blocked are subscriptions that do not work, each with its state.
	Blocked []string `json:"blocked,omitempty"`
}

// Key is a client of an application.
type Key struct {
	Application string `json:"application"`
	Type        string `json:"type"`
	Manager     string `json:"manager"`
	Half        bool   `json:"half,omitempty"` // a row without a client, which a failed generation has left behind
}

// APIs are those of the Publisher.
type APIs struct {
	Read bool  `json:"read"`
	List []API `json:"list"`
	// Unlisted are APIs of API_CONFIG that API-M has and its list lacks.
	Unlisted []string `json:"unlisted"`
}

// API is one of them.
type API struct {
	Name     string   `json:"name"` // with the version
	State    string   `json:"state"`
	Deployed bool     `json:"deployed"`           // a revision is deployed in some environment
	Missing  bool     `json:"missing,omitempty"`  // the gateway answers 404 to its path
	Named    bool     `json:"named,omitempty"`    // API_CONFIG names it
	Hidden   string   `json:"hidden,omitempty"`   // its visibility, if that is not public and API_CONFIG does not say so
	AnyToken bool     `json:"anyToken,omitempty"` // it has no policy, so that the gateway wants no subscription
	NoHeader bool     `json:"noHeader,omitempty"` // it names no header for the token
	Managers []string `json:"managers"`           // key managers whose tokens it accepts; "all" for all
	Scopes   []string `json:"scopes"`

	operations []wso2.Operation // those that decide how to ask the gateway for it
}

// offered reports whether the gateway is to serve the API.
func (a API) offered() bool {
	return slices.Contains([]string{"PUBLISHED", "PROTOTYPED", "DEPRECATED"}, a.State)
}

// accepts reports whether the API accepts tokens of a key manager.
func (a API) accepts(manager string) bool {
	return len(a.Managers) == 0 || slices.Contains(a.Managers, "all") || slices.Contains(a.Managers, manager)
}

// Scopes are the scopes of APIs in IS.
type Scopes struct {
	Read         bool     `json:"read"`
	InIS         []string `json:"inIS"`
	Unauthorized []string `json:"unauthorized"` // applications, each with the scopes that it lacks
}

// Volume is the config volume and the home of the own server, as far as this process sees them.
type Volume struct {
	Read     bool     `json:"read"`
	Writable bool     `json:"writable"` // the agent may work here
	Refused  string   `json:"refused,omitempty"`
	Hidden   []string `json:"hidden"`   // stock files that are missing from a folder that is there
	OnlyDots bool     `json:"onlyDots"` // nothing but dot files at its top
	// Handlers are the libraries of the revocation handler, and Broken says which are no jar, or why IS loads none of them. HandlerRead
	// says that the folders with it were seen.
	HandlerRead bool     `json:"handlerRead"`
	Handlers    []string `json:"handlers"`
	Broken      []string `json:"broken"`
}

// Deployment is the deployment.toml of the own server.
type Deployment struct {
	Read     bool     `json:"read"`
	Refused  string   `json:"refused,omitempty"`  // why the server does not start with it
	Lacks    []Lack   `json:"lacks"`              // settings that the server needs and does not have
	Open     []string `json:"open"`               // settings that let API subscribers administer IS
	OpenKey  string   `json:"openKey,omitempty"`  // why everybody knows the key with which the server encrypts secrets in its database
	LostKey  string   `json:"lostKey,omitempty"`  // why the server cannot read secrets that it has encrypted
	OwnCalls string   `json:"ownCalls,omitempty"` // why API-M's calls to itself fail
	Listener string   `json:"listener,omitempty"` // why API-M refuses the account with which IS reports revoked tokens
}

// Lack is a setting that is missing, or has another value. The text has no secret.
type Lack struct {
	Setting string `json:"setting"`
	Text    string `json:"text"`
	Kept    bool   `json:"kept"` // somebody has given it the other value, perhaps on purpose
}

// lacks returns the texts of the lacking settings that want accepts.
func (f *Facts) lacks(want func(setting string) bool) (texts []string) {
	for _, l := range f.Deployment.Lacks {
		if want(l.Setting) {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// Trust is the truststore of the own server, and what agents have stated on the exchange volume.
type Trust struct {
	Read        bool     `json:"read"`
	Store       string   `json:"store"`       // path
	Missing     []string `json:"missing"`     // peers whose certificate it lacks, with the fingerprint
	OwnMissing  bool     `json:"ownMissing"`  // it lacks the certificate of the own server
	Unpublished []string `json:"unpublished"` // peers that have published no usable certificate, with the reason
	Untrusting  []string `json:"untrusting"`  // statements that a running server does not trust another one, although its truststore has the certificate
	Due         string   `json:"due,omitempty"`
	// Findings are errors in the store that keep the server from reading it.
	Findings []string `json:"findings"`
}

// plural returns a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// quoted lists names in quotes.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(list, ", ")
}
