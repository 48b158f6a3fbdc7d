package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// Reader reads the facts. It sends only GET requests, and writes no file.
type Reader struct {
	Config   config.Config
	HTTP     *http.Client
	Settings bootstrap.Settings // see [bootstrap.SettingsOf]
	Logs     []string           // files, or folders with logs; besides the known places next to the own server
	Desired  *desired.File      // what API_CONFIG says; nil if it cannot be read
}

// Bounds of what is read of the servers, so that a large installation costs as little as a small one.
const (
	managersLimit     = 20
	applicationsLimit = 100
	apisLimit         = 100
)

// Read reads the facts. What cannot be read is in Unread, also because ctx ends first.
func (r *Reader) Read(ctx context.Context) Facts {
	f := Facts{At: time.Now(), Unread: []Unread{}, Settings: Settings{Product: r.Config.Server.Product, Server: r.Config.Server.Name,
		KeyManager: r.Settings.KMName, KeysFrom: r.Settings.KeyManagerName, AllScopes: r.Config.Scopes.Mode == "all"}}
	if f.Settings.Product != "" {
		r.files(ctx, &f)
	}
	var known []string
	if f.Settings.Product != "" {
		known = knownLogs(r.Config.Server.Home, r.Config.Server.ConfigDir)
	}
	paths, unread := logFiles(known, r.Logs)
	f.Unread = append(f.Unread, unread...)
	f.Logs, unread = readLogs(paths, r.masker().Text)
	f.Unread = append(f.Unread, unread...)
	s := bootstrap.Connect(r.HTTP, r.Settings)
	r.servers(ctx, s, &f)
	for _, server := range f.servers() {
		if why := server.closed(); server.Asked && why != "" {
			f.Unread = append(f.Unread, Unread{server.name, why})
		}
	}
	if f.AM.serves() {
		r.keyManagers(ctx, s, &f)
		r.applications(ctx, s, &f)
		r.apis(ctx, s, &f)
	}
	if f.IS.serves() {
		r.scopes(ctx, s, &f)
	}
	f.Late = ctx.Err() != nil
	return f
}

// unread notes a part that could not be read.
func (f *Facts) unread(what string, err error) {
	f.Unread = append(f.Unread, Unread{what, err.Error()})
}

// servers asks both servers whether they serve.
func (r *Reader) servers(ctx context.Context, s bootstrap.Servers, f *Facts) {
	am, is := &f.AM, &f.IS
	am.Asked, am.Address = true, r.Config.AMAddress()
	r.look(ctx, am, r.Settings.AMURL+"/api/am/gateway/v2/server-startup-healthcheck", config.AM, r.Config.AM.Host)
	if am.reached() {
		am.note(ctx, s.Gateway.Healthy(ctx))
		if _, err := s.Admin.KeyManagers(ctx); err != nil { // a password that works is no news of the gateway
			am.note(ctx, err)
		}
	}
	if r.Settings.SkipKeyManager {
		return
	}
	is.Asked, is.Address = true, r.Config.ISAddress()
	r.look(ctx, is, r.Settings.ISURL+"/oauth2/token/.well-known/openid-configuration", config.IS, r.Config.IS.Host)
	if !is.reached() {
		return
	}
	d, err := s.IS.Discovery(ctx)
	is.Issuer = d.Issuer
	is.note(ctx, err)
	if _, err := s.Scopes.FindResource(ctx, scopes.Resource); err != nil {
		is.note(ctx, err)
	}
}

// note sorts an error of a request that reached the server.
func (s *Server) note(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if ctx.Err() != nil {
		s.Late = true
		return
	}
	text, _ := remedy.Split(err)
	var e *wso2.Error
	switch {
	case wso2.HasStatus(err, http.StatusUnauthorized), errors.Is(err, wso2.ErrHeldBack):
		s.Refused = text
	case errors.As(err, &e) && e.Status == 0:
		s.Away = text
	default:
		s.Starting = text
	}
}

// unreached sorts the error of a connection.
func (s *Server) unreached(ctx context.Context, err error) {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text, _ := remedy.Split(err)
	var unverified *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		s.Late = true
	case errors.Is(err, wso2.ErrNoPinYet): // the truststore's rows say so
		s.Pinless = true
	case errors.Is(err, wso2.ErrNotPinned):
		s.Other = text
	case errors.As(err, &unverified):
		s.Unverified = text
	default:
		s.Away = text
	}
}

// look sees whether a server answers, with which certificate, and what time it has.
func (r *Reader) look(ctx context.Context, s *Server, address, product, host string) {
	served, away := wso2.Served(ctx, r.Config.Trust.ConnectTo.To(s.Address))
	if away == nil {
		if c, err := served.Parse(); err == nil {
			s.NotAfter = c.NotAfter
			if s.CalledAs = r.calledAs(product, host); s.CalledAs != "" {
				s.Misnamed = c.VerifyHostname(s.CalledAs) != nil
			}
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		s.unreached(ctx, err)
		return
	}
	sent := time.Now()
	resp, err := r.HTTP.Do(req)
	if errors.Is(err, wso2.ErrNoPinYet) && away != nil { // the client connects to no such server, so only the handshake knows
		err = away
	}
	if err != nil {
		s.unreached(ctx, err)
		return
	}
	resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		now := sent.Add(time.Since(sent) / 2)
		s.Clock, s.Ahead = true, Seconds(date.Add(time.Second/2).Sub(now).Round(time.Second)/time.Second)
	}
}

// calledAs returns the host name by which the other server calls the server of a product; empty if that is not known, as on a laptop.
// API-M does not verify the host name of IS; the name of IS is that of its issuer.
func (r *Reader) calledAs(product, host string) string {
	if product == config.IS || r.Config.Server.Product == "" {
		return ""
	}
	if r.Config.Server.Product == config.IS {
		return host
	}
	return r.Config.Server.Name
}

// keyManagers reads the key managers, and what agent apply would change of the agent's own one.
func (r *Reader) keyManagers(ctx context.Context, s bootstrap.Servers, f *Facts) {
	k := &f.KeyManagers
	list, err := s.Admin.KeyManagers(ctx)
	if err != nil {
		f.unread("key managers", err)
		return
	}
	for _, info := range list[:min(len(list), managersLimit)] {
		km, err := s.Admin.KeyManagerObject(ctx, info.ID)
		if err != nil {
			f.unread(fmt.Sprintf("key manager %q", info.Name), err)
			return
		}
		text := func(field string) string { v, _ := km.Fields[field].(string); return v }
		one := KeyManager{Name: info.Name, Type: info.Type, Enabled: info.Enabled, Issuer: text("issuer"), UserInfo: text("userInfoEndpoint")}
		if one.Name == bootstrap.ResidentKeyManager && one.Issuer == "" { // API-M does not always show it
			if d, err := s.AM.Discovery(ctx); err == nil {
				one.Issuer = d.Issuer
			}
		}
		k.List = append(k.List, one)
	}
	k.Read = !r.Settings.SkipKeyManager
	if !k.Read {
		return
	}
	if r.Desired == nil {
		k.Unfixable = "API_CONFIG cannot be read, and may say something else of the key manager"
	}
	want, err := r.KeyManagerWanted(ctx)
	if err == nil {
		var have plan.Have
		if have, err = actual.Read(ctx, actual.Connect(r.HTTP, r.Settings), want); err == nil {
			k.Differ = differences(plan.Compare(want, have).Changes, r.Settings.KMName)
		}
	}
	if err != nil {
		f.unread("what the key manager should be", err)
	}
}

// KeyManagerWanted returns the desired state of the agent's own key manager alone: what the settings say, and what API_CONFIG says of it.
func (r *Reader) KeyManagerWanted(ctx context.Context) (plan.Wanted, error) {
	only := &desired.File{}
	if r.Desired != nil {
		for _, km := range r.Desired.KeyManagers.Value {
			if km.Value.Name.Value == r.Settings.KMName {
				only.KeyManagers.Value = append(only.KeyManagers.Value, km)
			}
		}
	}
	return actual.Want(ctx, only, r.Settings)
}

// own are fields of a key manager that have rows of their own in the table.
var own = []string{"enabled", "issuer", "user_info_endpoint"}

// differences returns the other fields of a key manager that a plan changes.
func differences(changes []plan.Change, name string) (lines []string) {
	for _, c := range changes {
		if c.Kind != plan.KindKeyManager || c.Name != name || c.Action != plan.Update {
			continue
		}
		for i, line := range c.Lines() {
			if !slices.Contains(own, c.Fields[i].Path) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// applications reads the keys and the subscriptions of the administrator's applications.
func (r *Reader) applications(ctx context.Context, s bootstrap.Servers, f *Facts) {
	a, made := &f.Applications, bootstrap.FilesOf(r.Config).Made()
	if !r.wantsKeysOf(made.KeyManager) {
		a.FileManager = made.KeyManager
	}
	if made.KeyManager == r.Settings.KMName && made.ConsumerKey != "" && f.IS.serves() { // API-M leaves such a key out of its list
		if there, err := s.IS.HasClient(ctx, made.ConsumerKey); err == nil && !there {
			a.Lost = fmt.Sprintf("IS has no client %s, which KEYS_FILE names for application %q", made.ConsumerKey, made.Application)
		}
	}
	list, err := s.DevPortal.Applications(ctx, "")
	if err != nil {
		f.unread("applications", err)
		return
	}
	for _, app := range list[:min(len(list), applicationsLimit)] {
		keys, err := s.DevPortal.Keys(ctx, app.ID)
		if err != nil {
			f.unread(fmt.Sprintf("keys of application %q", app.Name), err)
			return
		}
		subscriptions, err := s.DevPortal.Subscriptions(ctx, app.ID)
		if err != nil {
			f.unread(fmt.Sprintf("subscriptions of application %q", app.Name), err)
			return
		}
		for _, sub := range subscriptions {
			if sub.Status != "UNBLOCKED" {
				a.Blocked = append(a.Blocked, fmt.Sprintf("application %q: the subscription to API %q %s is %s", app.Name, sub.API.Name, sub.API.Version, sub.Status))
			}
		}
		for _, k := range keys {
			a.Keys = append(a.Keys, Key{Application: app.Name, Type: k.KeyType, Manager: k.KeyManager, Half: k.ConsumerKey == ""})
		}
	}
	a.Read = true
}

// wantsKeysOf reports whether the settings or API_CONFIG want keys of a key manager.
func (r *Reader) wantsKeysOf(manager string) bool {
	if manager == r.Settings.KeyManagerName || r.Desired == nil {
		return manager == r.Settings.KeyManagerName
	}
	return slices.ContainsFunc(r.Desired.Applications.Value, func(app desired.Field[desired.Application]) bool {
		return slices.ContainsFunc(plan.Keys(app, r.Settings.KeyManagerName), func(key desired.Field[desired.Key]) bool { return key.Value.KeyManager.Value == manager })
	})
}

// apis reads the APIs, and whether the gateway has them.
func (r *Reader) apis(ctx context.Context, s bootstrap.Servers, f *Facts) {
	list, err := s.Publisher.APIs(ctx)
	if err != nil {
		f.unread("APIs", err)
		return
	}
	named := r.namedAPIs()
	for name := range named {
		if slices.ContainsFunc(list, func(api wso2.API) bool { return api.Name == name.Name && api.Version == name.Version }) {
			continue
		}
		if there, err := s.Publisher.HasAPI(ctx, name.Name); err == nil && there && !slices.ContainsFunc(list, func(api wso2.API) bool { return api.Name == name.Name }) {
			f.APIs.Unlisted = append(f.APIs.Unlisted, fmt.Sprintf("API-M has API %q, and its list of APIs lacks it", name.Name))
		}
	}
	slices.Sort(f.APIs.Unlisted)
	asked := true // the gateway answers
	for _, listed := range list[:min(len(list), apisLimit)] {
		wanted, isNamed := named[bootstrap.APIName{Name: listed.Name, Version: listed.Version}]
		api, here, err := r.api(ctx, s, listed, wanted, isNamed)
		if err != nil {
			f.unread(fmt.Sprintf("API %q %s", listed.Name, listed.Version), err)
			return
		}
		if here && asked {
			if api.Missing, err = missing(ctx, s.Gateway, listed, api.operations); err != nil {
				f.unread("gateway", err)
				asked = false
			}
		}
		f.APIs.List = append(f.APIs.List, api)
	}
	f.APIs.Read = true
}

// namedAPIs returns the published APIs that API_CONFIG names.
func (r *Reader) namedAPIs() map[bootstrap.APIName]desired.API {
	named := map[bootstrap.APIName]desired.API{}
	if r.Desired == nil {
		return named
	}
	for _, api := range r.Desired.APIs.Value {
		if api.Value.Lifecycle.Or(wso2.StatePublished) == wso2.StatePublished {
			named[bootstrap.APIName{Name: api.Value.Name.Value, Version: api.Value.Version.Value}] = api.Value
		}
	}
	return named
}

// api reads one API. here reports whether the gateway is to have it.
func (r *Reader) api(ctx context.Context, s bootstrap.Servers, listed wso2.API, wanted desired.API, isNamed bool) (api API, here bool, err error) {
	api = API{Name: listed.Name + " " + listed.Version, State: listed.LifeCycle, Named: isNamed}
	object, err := s.Publisher.APIObject(ctx, listed.ID)
	if err != nil {
		return api, false, err
	}
	text := func(field string) string { v, _ := object.Fields[field].(string); return v }
	if visibility := text("visibility"); isNamed && visibility != wanted.Visibility.Or("PUBLIC") {
		api.Hidden = visibility
	}
	policies, ok := object.Fields["policies"].([]any)
	api.AnyToken = ok && (len(policies) == 0 || slices.Contains(policies, any(wso2.SubscriptionLess)))
	api.NoHeader = text("authorizationHeader") == ""
	for _, manager := range list(object.Fields["keyManagers"]) {
		if name, ok := manager.(string); ok {
			api.Managers = append(api.Managers, name)
		}
	}
	for _, op := range plan.ServedOf(plan.Object(object.Fields), nil).Operations {
		api.operations = append(api.operations, wso2.Operation{Target: op.Target, Verb: op.Verb, Open: op.Open})
	}
	for _, scope := range list(object.Fields["scopes"]) {
		outer, _ := scope.(map[string]any)
		inner, _ := outer["scope"].(map[string]any)
		if name, ok := inner["name"].(string); ok {
			api.Scopes = append(api.Scopes, name)
		}
	}
	revisions, err := s.Publisher.Revisions(ctx, listed.ID)
	for _, revision := range revisions {
		for _, d := range revision.Deployments {
			api.Deployed, here = true, here || d.Environment == "Default" // whose gateway the doctor can ask
		}
	}
	return api, here && api.offered() && listed.Type == "HTTP", err
}

// missing asks whether the gateway lacks an API. The token is wrong, and the call reaches no back end. If each one would, the API does not
// count as missing.
func missing(ctx context.Context, gateway *wso2.Gateway, listed wso2.API, operations []wso2.Operation) (bool, error) {
	path, ok := verify.Guarded(operations)
	if !ok {
		return false, nil
	}
	a, err := gateway.Get(ctx, bootstrap.GatewayPath(listed.Context, listed.Version)+path, "wso2agent-doctor")
	return a.NoAPI(), err
}

// list returns a list of JSON.
func list(v any) []any { l, _ := v.([]any); return l }

// scopes reads which scopes IS has, and which applications lack some.
func (r *Reader) scopes(ctx context.Context, s bootstrap.Servers, f *Facts) {
	state, lack, _, err := scopes.Lack(ctx, s.Scopes, r.Config.Scopes.Clients)
	if err != nil {
		f.unread("scopes in IS", err)
		return
	}
	for _, scope := range state.Scopes {
		f.Scopes.InIS = append(f.Scopes.InIS, scope.Name)
	}
	for _, l := range lack {
		f.Scopes.Unauthorized = append(f.Scopes.Unauthorized, fmt.Sprintf("application %s lacks %s", l.Application.Name, quoted(l.Scopes)))
	}
	f.Scopes.Read = true
}

// exchange returns the exchange volume and the names of all servers on it.
func (r *Reader) exchange() (e trust.Exchange, names []string) {
	return trust.ExchangeOf(r.Config), append(slices.Clone(r.Config.Trust.Peers), r.Config.Server.Name)
}
