package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// trustPatience is how long a bootstrap waits until the agents have said that both running servers trust each other.
// Some agents cannot know (RESTART=none), so it then goes on, and the servers' answers decide.
const trustPatience = 2 * time.Minute

// configLimit is the most that the API configuration may hold, in bytes.
const configLimit = 4 << 20

// Bootstrap brings the servers to the desired state once, within BOOTSTRAP_TIMEOUT, and proves it. An error that wraps
// bootstrap.ErrPermanent names what to change; one that wraps ErrTimeout means that time ran out.
func (a Agent) Bootstrap(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.cfg.BootstrapTimeout,
		fmt.Errorf("%w: BOOTSTRAP_TIMEOUT, %s, has passed", ErrTimeout, a.cfg.BootstrapTimeout))
	defer cancel()
	if _, err := a.desired(); err != nil { // told at once, and not after the servers have come up
		return err
	}
	if err := a.keysFolder(); err != nil {
		return err
	}
	// Where agent exec runs the server and its sidecar waits for this to end, what the sidecar does for trust must be done
	// meanwhile. One that is there does the same, and finds it done.
	if _, supervised, err := a.restarter().Started(ctx); err == nil && supervised && a.supervised() {
		go a.keepTrust(ctx, telemetry.NewHealth(time.Hour, trustCondition, restartCondition))
	}
	if err := a.testPasswords(ctx, func(string) {}); err != nil { // told as soon as the servers answer
		return err
	}
	if err := a.awaitTrust(ctx); err != nil {
		return err
	}
	if err := a.reach(ctx, func(string) {}); err != nil || len(a.cfg.Peers) == 0 {
		return err
	}
	return a.secure(ctx)
}

// reach brings the servers to the desired state, writes the keys and proves that they work. tell is called with what
// it is doing.
func (a Agent) reach(ctx context.Context, tell func(doing string)) error {
	desired, err := a.desired()
	if err != nil {
		return err
	}
	roots, err := a.roots()
	if err != nil {
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	if err := a.keysFolder(); err != nil {
		return err
	}
	tell("trying the administrators' passwords")
	if err := a.testPasswords(ctx, tell); err != nil {
		return err
	}
	unlock, err := a.lockKeys(ctx, tell)
	if err != nil {
		return err
	}
	defer unlock()
	tell("bringing the servers to the desired state")
	before, _ := file.Read(a.cfg.KeysFile, configLimit) // of an earlier run, if there was one
	settings := a.settings()
	if settings.Owner, err = a.keysOwner(); err != nil {
		return err
	}
	record := a.readRecord()
	record.APIs = desired.Names(record.APIs)
	settings.Known = record.APIs
	if err := a.writeRecord(record); err != nil { // before anything is made: a run that is killed forgets nothing
		return err
	}
	servers := bootstrap.Connect(wso2.NewHTTPClient(a.pins(), roots), settings)
	result, err := bootstrap.Run(ctx, a.log, servers, settings, desired)
	if err != nil {
		return err
	}
	a.tellOtherKey(bootstrap.MadeBefore(before), result)
	if _, err := file.Write(a.cfg.KeysFile, bootstrap.EncodeKeys(result), 0o600, a.keysWorkDir()); err != nil {
		return fmt.Errorf("write the application's keys: %w", err)
	}
	if err := a.tellLeftOver(record, desired, result); err != nil {
		return err
	}
	tell("proving it")
	prove := func(ctx context.Context) error { return a.prove(ctx, servers, result) }
	return a.steady(ctx, servers.Gateway.Healthy, func(ctx context.Context) error {
		if len(a.cfg.Peers) == 0 {
			return prove(ctx)
		}
		return a.whileServing(ctx, "IS", func(ctx context.Context) error {
			_, err := servers.IS.Discovery(ctx)
			return err
		}, prove)
	})
}

// verified is what a verification has found that the next one and /status need to know. They never run side by side.
type verified struct {
	failed     map[string]bool // ids of APIs that did not pass: they count as changed until they do
	revocation verify.Check    // of the last one
}

// recall has APIs that did not pass the last time verified as changed ones are: though nothing has changed since, they have not
// been seen to work.
func (v *verified) recall(apis []bootstrap.PublishedAPI) {
	for i, api := range apis {
		apis[i].Changed = api.Changed || v.failed[api.ID]
	}
}

// note keeps what the checks have found, and returns how many APIs were called.
func (v *verified) note(checks []verify.Check) (called int) {
	for _, c := range checks {
		if c.API != "" {
			v.failed[c.API] = c.Verdict != verify.Pass
		}
		if c.Called {
			called++
		}
		if c.Name == verify.Revocation {
			v.revocation = c
		}
	}
	return called
}

// prove verifies what was reached. Each check tells of itself in the log, and the last line says what holds.
func (a Agent) prove(ctx context.Context, servers bootstrap.Servers, result bootstrap.Result) error {
	a.verified.recall(result.APIs)
	is, _, err := a.closingOfIS(ctx)
	if err != nil {
		a.log.Warn("what IS's agent says about its settings cannot be read", "error", err)
	}
	owner, err := a.keysOwner()
	if err != nil {
		return err
	}
	checks, err := verify.Run(ctx, a.log, servers, verify.Options{EventWait: a.cfg.EventWait(), Handler: a.promises(is, result.KeyManager), Owner: owner, WaitInVain: a.waitInVain}, result)
	called := a.verified.note(checks)
	if err != nil {
		return err
	}
	facts := []any{"application", result.Application, "key manager", result.KeyManager, "token endpoint", result.TokenEndpoint,
		"APIs", len(result.APIs), "called", called, "changes", result.Changes, "no longer in the file", len(result.LeftOver), "keys", a.cfg.KeysFile, "try", a.tryIt(result)}
	if r := a.verified.revocation; r.Verdict == verify.Warn {
		a.log.Warn("everything works, but "+verify.StillValid, append(facts, "remedy", r.Remedy)...)
		return nil
	}
	a.log.Info("everything works", facts...)
	return nil
}

// promises reports whether revoked tokens of a key manager are to be refused: IS has the handler that tells API-M of its own, and
// runs with it. One that has come late waits for a restart.
func (a Agent) promises(is trust.Closing, keyManager string) bool {
	return is.Handler && is.Restart != trust.RestartDue && keyManager == a.cfg.KMName
}

// advise says in /status whether revoked tokens are refused.
func (a Agent) advise(health *telemetry.Health) {
	switch c := a.verified.revocation; c.Verdict {
	case verify.Warn:
		health.Advise(revocationCondition, false, c.Evidence+"; "+c.Remedy)
	case verify.Pass:
		health.Advise(revocationCondition, true, "the gateway refuses revoked tokens")
	default:
		health.Advise(revocationCondition, true, "not verified: "+c.Evidence)
	}
}

// tryIt is a command that calls an API, by the name that people have for the gateway. It has no quotes, which the log
// would escape. API-M's own certificate is signed by nobody: without -k curl wants it named with --cacert.
func (a Agent) tryIt(result bootstrap.Result) string {
	for _, api := range result.APIs {
		if api.Subscribed {
			return fmt.Sprintf("curl -k --oauth2-bearer $(%s token) https://%s%s/", a.cfg.AgentCommand, net.JoinHostPort(a.cfg.VHost, strconv.Itoa(a.cfg.GWPort)), api.Path)
		}
	}
	return ""
}

func (a Agent) settings() bootstrap.Settings {
	c := a.cfg
	keys, _ := file.Read(c.KeysFile, configLimit) // of an earlier run, if there was one
	return bootstrap.Settings{
		AMURL: "https://" + c.AMAddress(), AMCredentials: a.amCredentials(),
		ISURL: "https://" + c.ISAddress(), ISCredentials: a.isCredentials(),
		GatewayURL: "https://" + c.GatewayAddress(), VHost: c.VHost,
		KMName: c.KMName, KeyManagerName: c.KeyManagerName, KMTokenEndpoint: c.KMTokenEndpoint, ISPublicURL: c.ISPublicURL,
		SkipKeyManager: len(c.Peers) == 0,
		KeyMappingID:   bootstrap.KeyMappingID(keys),
		Authorize:      c.Scopes == "authorize", ScopesClients: c.ScopesClients,
	}
}

// desired reads the API configuration. Its mistakes wrap bootstrap.ErrPermanent.
func (a Agent) desired() (*bootstrap.Desired, error) {
	data, err := file.Read(a.cfg.APIConfig, configLimit)
	if err != nil {
		return nil, fmt.Errorf("%w: read the API configuration: %w; put it there, or set API_CONFIG", bootstrap.ErrPermanent, err)
	}
	desired, err := bootstrap.Load(data, a.cfg.APIConfig)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	return desired, nil
}

// keysFolder makes sure before anything is made on a server that its keys can be kept.
func (a Agent) keysFolder() error {
	dir := filepath.Dir(a.cfg.KeysFile)
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		err = fmt.Errorf("%s is no folder", dir)
	case err == nil:
		if err = file.CheckOwner(a.cfg.KeysFile); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = file.Writable(a.keysWorkDir())
		}
	}
	if err != nil {
		return fmt.Errorf("%w: the application's keys could not be written to %s: %w; mount a folder there that this user may write to, or set KEYS_FILE",
			bootstrap.ErrPermanent, a.cfg.KeysFile, err)
	}
	return nil
}

// tellOtherKey tells of a consumer key that is another than before, for the same application and key manager: clients have to
// learn it.
func (a Agent) tellOtherKey(before bootstrap.Made, now bootstrap.Result) {
	if before.ConsumerKey == "" || before.ConsumerKey == now.ConsumerKey || before.Application != now.Application || before.KeyManager != now.KeyManager {
		return
	}
	a.log.Warn("the application has another consumer key than before, because the old one was lost; clients have to take it from the keys file",
		"application", now.Application, "was", before.ConsumerKey, "now", now.ConsumerKey, "keys", a.cfg.KeysFile)
}

// lockKeys keeps other agents with the same KEYS_FILE from the servers until unlock is called: a restart of a whole Compose
// project runs a bootstrap and API-M's sidecar at once. The lock ends with its process, however that ends.
func (a Agent) lockKeys(ctx context.Context, tell func(doing string)) (unlock func(), err error) {
	return file.Lock(ctx, filepath.Join(a.keysWorkDir(), "bootstrap.lock"), func() {
		tell("waiting for another agent that brings the servers to the desired state")
		a.log.Info("waiting", "for", "another agent that brings the servers to the desired state", "keys", a.cfg.KeysFile)
	})
}

// keysOwner is a short name of all agents with the same KEYS_FILE, of which one at a time works on the servers. It is made
// when it is not there.
func (a Agent) keysOwner() (string, error) {
	path := filepath.Join(a.keysWorkDir(), "owner")
	data, err := file.Read(path, 64)
	if owner := strings.TrimSpace(string(data)); err == nil && ownerForm.MatchString(owner) {
		return owner, nil
	}
	owner := strings.ToLower(rand.Text()[:8])
	if _, err := file.Write(path, []byte(owner+"\n"), 0o600, a.keysWorkDir()); err != nil {
		return "", fmt.Errorf("write the name under which this agent works on the servers: %w", err)
	}
	return owner, nil
}

var ownerForm = regexp.MustCompile(`^[a-z0-9]{8}$`)

func (a Agent) keysWorkDir() string { return filepath.Join(filepath.Dir(a.cfg.KeysFile), file.WorkDir) }

// awaitTrust waits until the agents of both servers have said that the running servers trust each other: a key manager
// registered before would not be usable.
func (a Agent) awaitTrust(ctx context.Context) error {
	am, is := a.nameOf(config.AM, a.cfg.AMHost), a.nameOf(config.IS, a.cfg.ISHost)
	if am == "" || is == "" {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, trustPatience)
	defer cancel()
	changes := a.watch().Changes(limit)
	for waited := ""; ; {
		waiting := ""
		for _, pair := range [][2]string{{am, is}, {is, am}} {
			if ok, err := a.runningTrusts(ctx, pair[0], pair[1]); err != nil {
				waiting = err.Error()
			} else if !ok {
				waiting = fmt.Sprintf("the running %s to trust %s", pair[0], pair[1])
			}
		}
		if waiting == "" {
			return nil
		}
		if waiting != waited {
			a.log.Info("waiting", "for", waiting, "at most", trustPatience.String())
			waited = waiting
		}
		switch {
		case waitFor(limit, changes, time.After(a.cfg.Poll), a.cfg.Poll, func() {}, never):
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for %s: %w", waiting, context.Cause(ctx))
		default:
			a.log.Warn("going on, though no agent has confirmed it", "waited for", waiting)
			return nil
		}
	}
}

// runningTrusts tells whether server's agent has said that the running server trusts peer's certificate in use.
func (a Agent) runningTrusts(ctx context.Context, server, peer string) (bool, error) {
	certs, err := a.exchange().Certificates(ctx, peer)
	if err != nil {
		return false, err
	}
	said, err := a.exchange().Trusts(ctx, server)
	return slices.Contains(said.Fingerprints, certs[0].Fingerprint().String()), err
}
