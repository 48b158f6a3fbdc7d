// Package actual reads what both servers have of what a file of the desired state names, for a comparison by package plan. It changes
// nothing.
package actual

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Clients are the clients of what is read.
type Clients struct {
	Admin     *wso2.Admin
	Publisher *wso2.Publisher
	DevPortal *wso2.DevPortal
	AM        *wso2.Identity // API-M's own OAuth server
	IS        *wso2.Identity // the OAuth server of IS; nil: there is no IS
	SCIM      *wso2.SCIM     // nil: there is no IS

	unlisted     question // about APIs that the list of API-M lacks
	readsClients bool     // whether IS may be asked for a client; no token that only reads may (AllRights)
}

// question says about which missing APIs a reading asks whether API-M has them and does not list them yet. Each costs a request.
type question int

const (
	askAll      question = iota
	askRecorded          // those that the agent has made
	askNone              // only those who may create APIs may ask
)

// Connect returns the clients for the addresses and credentials of s. It sends nothing.
func Connect(hc *http.Client, s bootstrap.Settings) Clients {
	servers := bootstrap.Connect(hc, s)
	c := Clients{Admin: servers.Admin, Publisher: servers.Publisher, DevPortal: servers.DevPortal, AM: servers.AM}
	if s.AMCredentials.Reading != nil {
		c.unlisted = askNone
	}
	if !s.SkipKeyManager {
		c.IS, c.readsClients = servers.IS, s.ISCredentials.Reading == nil
		c.SCIM = wso2.NewSCIM(hc, strings.TrimRight(s.ISURL, "/"), s.ISCredentials)
	}
	return c
}

// ErrMoving says that a server has changed while it was read, or that its list of APIs is behind. Another try finds it settled.
var ErrMoving = errors.New("the server is changing")

// tryAgain returns an error that wraps [ErrMoving] and no answer of a server: that answer is no reason to change anything by hand.
func tryAgain(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrMoving)
}

// atOnce is the most requests that are made at the same time.
const atOnce = 8

// reader reads both servers in two rounds: first the lists, then the single objects.
type reader struct {
	Clients
	want   plan.Wanted
	before memory // what an earlier read knows

	mu      sync.Mutex // guards what follows
	next    *memory    // what the next read is to know; nil: nothing
	have    plan.Have
	single  []job           // of the second round
	unnamed unnamed         // owned objects that the file does not name
	aliases map[string]bool // of all endpoint certificates, if their list is read
}

// job makes one request after the other.
type job func(context.Context) error

// Read returns what both servers have of what want names. Each kind of object that the file names costs its list, and each object one
// request if the list lacks fields. An API costs two requests, one more if its deployed revision may lack a change, one more if the file
// has a definition of it, and more if it names documents. Of what the file does not name, nothing is asked unless the agent owns it;
// without identity_server it asks IS for its issuer alone. A request that fails is tried up to [wso2.ReadTries] times. An error wraps [ErrMoving] if only
// another read is needed.
func Read(ctx context.Context, c Clients, want plan.Wanted) (plan.Have, error) {
	return read(ctx, c, want, memory{}, nil)
}

// read is Read. It knows what an earlier read has noted, and notes what a later one is to know; nil: nothing.
func read(ctx context.Context, c Clients, want plan.Wanted, before memory, next *memory) (plan.Have, error) {
	r := &reader{Clients: c, want: want, before: before, next: next, have: nothing(), unnamed: unnamedOf(plan.NotNamed(want, nil))}
	err := together(ctx, r.lists())
	if err == nil {
		r.unnamed.all = plan.NotNamed(want, r.have.Versions)
		err = together(ctx, append(r.single, r.unnamedJobs()...))
	}
	if err != nil {
		return plan.Have{}, Reachable(err)
	}
	r.settleUnnamed()
	return r.have, nil
}

// Reachable adds to an error what to do about a server from which no answer came, unless the error has a remedy.
func Reachable(err error) error {
	var e *wso2.Error
	if !errors.As(err, &e) || e.Status != 0 || errors.Is(err, context.Canceled) {
		return err
	}
	if _, remedies := remedy.Split(err); len(remedies) > 0 {
		return err
	}
	switch {
	case strings.Contains(e.URL, "/api/am/"):
		return remedy.Add(err, "check that API-M runs, and AM_HOST and AM_PORT")
	case strings.Contains(e.URL, "/oauth2/"): // both servers have these endpoints
		return remedy.Add(err, "check that the server runs, and its address in the settings")
	}
	return remedy.Add(err, "check that IS runs, and IS_HOST and IS_PORT")
}

// together does jobs, some at a time, until one fails.
func together(ctx context.Context, jobs []job) error {
	group, ctx := errgroup.WithContext(wso2.RepeatReads(ctx))
	group.SetLimit(atOnce)
	for _, do := range jobs {
		group.Go(func() error { return do(ctx) })
	}
	return group.Wait()
}

// lists returns the jobs of the first round. They find what the second round is to read.
func (r *reader) lists() (jobs []job) {
	if names := r.keyManagers(); len(names) > 0 || r.unnamed.has(plan.KindKeyManager) {
		jobs = append(jobs, func(ctx context.Context) error { return r.listKeyManagers(ctx, names) })
	}
	if own := r.want.Own; own.Name.Set && !own.Issuer.Set && r.IS != nil {
		jobs = append(jobs, r.readIssuer)
	}
	if r.namesScopes() || r.unnamed.has(plan.KindScope) {
		jobs = append(jobs, r.listScopes)
	}
	if named := r.certificates(); len(named) > 0 || r.unnamed.has(plan.KindCertificate) {
		jobs = append(jobs, func(ctx context.Context) error { return r.listCertificates(ctx, named) })
	}
	if len(r.want.File.APIs.Value) > 0 { // a subscription is to one of them
		jobs = append(jobs, r.listAPIs)
	}
	if len(r.want.File.Applications.Value) > 0 || r.unnamed.has(plan.KindApplication) {
		jobs = append(jobs, r.listApplications)
	}
	return append(jobs, r.identities()...)
}

// later adds a job to the second round.
func (r *reader) later(do job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.single = append(r.single, do)
}

// note changes what the servers have.
func (r *reader) note(change func(*plan.Have)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.have)
}

// about names the object of a failed request, whose own words have ids only. An object that a list has, and that is gone now, is
// [ErrMoving].
func about(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case wso2.HasCode(err, http.StatusNotFound), wso2.HasCode(err, wso2.CodeKeyManagerGone):
		return tryAgain("read %s: it is in the server's list, and no longer on the server", what)
	}
	return fmt.Errorf("read %s: %w", what, err)
}
