package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/artifact"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// files reads the volumes of the own server. Without a config volume there is nothing to examine.
func (r *Reader) files(ctx context.Context, f *Facts) {
	entries, err := os.ReadDir(r.Config.Server.ConfigDir)
	if err != nil {
		f.unread("config volume", err)
		return
	}
	f.Volume.Read = true
	f.Volume.OnlyDots = len(entries) > 0 && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") })
	f.Volume.Hidden = hidden(r.Config)
	r.handler(&f.Volume)
	text, err := server.ReadOwn(ctx, r.Config)
	switch {
	case errors.Is(err, server.ErrRefused):
		f.Deployment.Refused = err.Error()
		return
	case err != nil:
		f.unread("deployment.toml", err)
		return
	}
	cfg, err := server.WithStores(r.Config, text)
	if err != nil {
		f.unread("stores that deployment.toml names", err)
		return
	}
	if text != nil {
		r.deployment(ctx, text, f)
	}
	r.trust(ctx, cfg, f)
}

// stock are files that every image of the product has, by their folder below the home. A start needs them.
var stock = map[string][]string{
	"repository/conf":               {"log4j2.properties"},
	"repository/resources/security": {"client-truststore", "wso2carbon"},
}

// hidden returns the stock files that are missing from folders that are there: of the home, if this process sees it.
func hidden(cfg config.Config) (evidence []string) {
	home := cfg.Server.Home
	if home == "" || home == cfg.Server.ConfigDir {
		return nil
	}
	for folder, names := range stock {
		entries, err := os.ReadDir(filepath.Join(home, folder))
		if err != nil {
			continue // not mounted here
		}
		for _, name := range names {
			if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), name) }) {
				evidence = append(evidence, fmt.Sprintf("%s is there, and lacks %s, which the image has", filepath.Join(home, folder), name))
			}
		}
	}
	slices.Sort(evidence)
	return evidence
}

// handler looks for the library with which IS reports revoked tokens.
func (r *Reader) handler(v *Volume) {
	if r.Config.Server.Product != config.IS {
		return
	}
	folders := []string{r.Config.Artifacts.Dir, r.Config.Server.ConfigDir, r.Config.Server.Home}
	v.HandlerRead = slices.ContainsFunc([]string{r.Config.Artifacts.Dir, r.Config.Server.Home}, func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	})
	v.Handlers = artifact.RevocationHandlers(folders...)
	loaded, others := false, []string(nil) // IS skips others, such as that of the version before an upgrade
	for _, path := range v.Handlers {
		resolves, err := artifact.Resolves(path, r.Config.Release)
		switch {
		case err != nil:
			v.Broken = append(v.Broken, fmt.Sprintf("%s is no jar: %v", path, err))
		case resolves:
			loaded = true
		default:
			others = append(others, fmt.Sprintf("%s needs another OSGi or Java than IS %s has", path, r.Config.Release.Version))
		}
	}
	if !loaded {
		v.Broken = append(v.Broken, others...)
	}
}

// deployment compares the settings of the own server with what it needs.
func (r *Reader) deployment(ctx context.Context, text []byte, f *Facts) {
	d := &f.Deployment
	if r.Config.Server.Product == config.IS {
		closed, err := server.ReadClosed(text)
		if err != nil {
			f.unread("deployment.toml", err)
			return
		}
		if !closed.Scopes && r.Config.Scopes.Mode != "all" {
			d.Open = append(d.Open, "[oauth] authorize_all_scopes is true: IS grants every client every scope")
		}
		if !closed.SCIM11 {
			d.Open = append(d.Open, "no first [[resource.access_control]] closes SCIM 1.1 (/wso2/scim): it accepts any client's token without a scope")
		}
		r.listener(ctx, text, f)
	}
	switch key, err := server.JudgeKey(r.Config, text); {
	case errors.Is(err, server.ErrKey):
		d.LostKey, _ = remedy.Split(err)
	case err != nil:
		f.unread("encryption key of the server", err)
	case key.Open:
		d.OpenKey = key.Warning
	case key.Lost:
		d.LostKey = key.Warning
	}
	var err error
	if d.OwnCalls, err = server.OwnCalls(r.Config); err != nil {
		f.unread("password in deployment.toml", err)
	}
	if r.Config.Settings.Mode == "none" {
		d.Read = true
		return
	}
	needs, err := server.NeedsWithoutSidecar(r.Config, text)
	if err == nil {
		var changes []server.Change
		if changes, _, err = server.SettingsFileOf(r.Config).Plan(text, needs, false); err == nil {
			d.Lacks = lacking(changes)
		}
	}
	if err != nil {
		f.unread("what deployment.toml lacks", err)
		return
	}
	d.Read = true
}

// lacking returns the settings that a server needs and does not have. One that waits for the sidecar, and one that the database has too,
// are none; neither are those that keep API subscribers out, which have a row of their own.
func lacking(changes []server.Change) (lacks []Lack) {
	for _, c := range changes {
		if slices.Contains([]server.Action{server.Waits, server.Settled, server.Removed}, c.Action) ||
			c.Setting == server.AllScopesSetting || strings.HasPrefix(c.Setting, "resource.access_control[(.*)/wso2/scim") {
			continue
		}
		text := c.Setting + " is missing"
		switch {
		case c.Secret && c.Was != "":
			text = c.Setting + " has another value"
		case c.Was != "":
			text = fmt.Sprintf("%s is %s, and should be %s (line %d)", c.Setting, c.Was, c.Now, c.Line)
		case !c.Secret:
			text += ", and should be " + c.Now
		}
		lacks = append(lacks, Lack{c.Setting, text, c.Action == server.Kept})
	}
	return lacks
}

// listener asks API-M whether it accepts the account with which IS reports revoked tokens. It tries no account on a server for which the
// account is not meant, and no password that AM_ADMIN_PASS contradicts: a few wrong ones lock the account of the administrator.
func (r *Reader) listener(ctx context.Context, text []byte, f *Facts) {
	variable := func(name string) (string, bool) {
		if value, ok := os.LookupEnv(name); ok {
			return value, true
		}
		return r.Config.Secret(name)
	}
	l, known, err := server.ReadListener(text, variable)
	if err != nil || !known {
		return // the settings row says so, or only IS can tell
	}
	s := r.Settings
	if endpoint, err := url.Parse(l.Endpoint); err != nil || !strings.EqualFold("https://"+endpoint.Host, s.AMURL) {
		return // the settings row says so, too
	}
	if serviceuser.Same(l.User, s.AMCredentials.User) && l.Password != string(s.AMCredentials.Password) {
		f.unread("account of the event listener token_revocation", fmt.Errorf("its password of %q is not AM_ADMIN_PASS, and wrong passwords lock the account", l.User))
		return
	}
	s.AMCredentials = wso2.Credentials{User: l.User, Password: wso2.Secret(l.Password), Source: "the event listener in IS's deployment.toml"}
	if _, err := bootstrap.Connect(r.HTTP, s).Admin.KeyManagers(ctx); wso2.HasStatus(err, http.StatusUnauthorized) {
		f.Deployment.Listener = fmt.Sprintf("API-M answers 401 to the user %q of the event listener token_revocation", l.User)
	}
}

// trust compares the truststore with what the exchange volume has.
func (r *Reader) trust(ctx context.Context, cfg config.Config, f *Facts) {
	t := &f.Trust
	store := trust.Store{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}
	t.Store = store.Path
	_, entries, err := store.List(ctx)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			f.Volume.Hidden = append(f.Volume.Hidden, err.Error())
		} else {
			t.Findings = append(t.Findings, err.Error())
		}
		return
	}
	report, err := store.Lint(ctx, f.At)
	if err == nil {
		for _, finding := range report.Findings {
			if finding.Severity == trust.Error {
				t.Findings = append(t.Findings, fmt.Sprintf("%s: %q: %s", store.Path, finding.Alias, finding.Message))
			}
		}
	}
	if err := store.Check(); err != nil {
		f.Volume.Refused = err.Error()
	} else {
		f.Volume.Writable = true
	}
	has := func(c keystore.Certificate) bool {
		return slices.ContainsFunc(entries, func(e keystore.Entry) bool { return e.Kind == keystore.TrustedCertificate && vouches(e, c) })
	}
	e, _ := r.exchange()
	if _, err := os.Stat(e.Dir); err != nil {
		f.unread("exchange volume", err)
	} else {
		r.peers(ctx, cfg, e, has, f)
	}
	if own, err := trust.OwnLeaf(ctx, cfg.KeystorePaths(), cfg.Keystore.Pass, cfg.Keystore.Alias); err != nil {
		f.unread("own certificate", err)
	} else {
		t.OwnMissing = !has(own)
	}
	control := notify.ControlOf(cfg)
	if started, ok, err := control.Started(); err != nil {
		f.unread("what agent exec reports", err)
	} else if ok {
		if due, err := control.Due(started); err == nil && due {
			t.Due = fmt.Sprintf("%s has started on %s with other files than those on disk, and agent exec has not restarted it yet", cfg.Server.Name, started.Since.UTC().Format("2006-01-02 15:04:05Z"))
		}
	}
	t.Read = true
}

// vouches reports whether a trusted entry is a certificate, or the CA that has signed it.
func vouches(e keystore.Entry, c keystore.Certificate) bool {
	if len(e.Chain) == 0 {
		return false
	}
	if e.Chain[0].Fingerprint() == c.Fingerprint() {
		return true
	}
	ca, err := e.Chain[0].Parse()
	leaf, leafErr := c.Parse()
	return err == nil && leafErr == nil && ca.IsCA && leaf.CheckSignatureFrom(ca) == nil
}

// peers finds out which peers the truststore lacks, and which running server does not trust another one.
func (r *Reader) peers(ctx context.Context, cfg config.Config, e trust.Exchange, has func(keystore.Certificate) bool, f *Facts) {
	t := &f.Trust
	own := cfg.Server.Name
	for _, peer := range cfg.Trust.Peers {
		accepted, _, err := e.Statement(ctx, peer).Believed(trust.PeerPins(cfg.Trust.Pins), cfg.Trust.Mode == "ca")
		switch {
		case err != nil:
			t.Unpublished = append(t.Unpublished, err.Error()) // which names the peer
			continue
		case len(accepted) == 0:
			t.Unpublished = append(t.Unpublished, peer+" has published no certificate that this agent accepts")
			continue
		}
		if !has(accepted[0]) {
			t.Missing = append(t.Missing, fmt.Sprintf("%s has no entry with the certificate %s of %s", t.Store, accepted[0].Fingerprint().Short(), peer))
			continue
		}
		for _, pair := range [][2]string{{own, peer}, {peer, own}} {
			said, err := e.Trusts(ctx, pair[0])
			if err != nil || said.Generation == "" { // no agent has made a statement of this server
				continue
			}
			if trusts, err := e.RunningTrusts(ctx, pair[0], pair[1]); err == nil && !trusts {
				t.Untrusting = append(t.Untrusting, fmt.Sprintf("the running %s does not trust the certificate of %s, as its agent states", pair[0], pair[1]))
			}
		}
	}
}
