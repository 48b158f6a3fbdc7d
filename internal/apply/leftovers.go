package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// afterFailure clears what a failed generation of keys has left behind, so that the next try can succeed, and returns the error of the
// generation. API-M keeps a row without a client, and refuses every further try because of it (901409). IS may keep a client, with
// whose name the next try also fails. A row with a client is never cleared: it is the key.
func (r *round) afterFailure(ctx context.Context, k client, cause error) error {
	exists := wso2.HasCode(cause, wso2.CodeKeyMappingExists)
	switch {
	case ctx.Err() != nil:
		return cause
	case wso2.IsPermanent(cause) && !exists && !wso2.HasCode(cause, wso2.CodeNoKeyManager): // the last one is also about one that is not loaded
		return cause
	}
	err := r.clear(ctx, k, exists)
	if err == nil {
		err = r.sendAgain(ctx, k.manager)
	}
	switch {
	case err == nil:
		return again(cause)
	case wso2.HasStatus(err, http.StatusUnauthorized), errors.Is(err, errByHand): // further tries would lock the account
		return err
	}
	return again(fmt.Errorf("%w; the agent cannot clear what this failure left behind: %w", cause, err))
}

func (r *round) clear(ctx context.Context, k client, exists bool) error {
	rows, err := r.DevPortal.Keys(ctx, k.keyName.application)
	if err != nil {
		return err
	}
	var left []string
	for _, row := range rows {
		switch {
		case row.KeyManager != k.manager || row.KeyType != k.kind:
		case row.ConsumerKey != "": // only the answer or the first token failed
			return nil
		case exists && !r.past.since("row "+row.MappingID): // another run may be making it a key now
			return nil
		default:
			left = append(left, row.MappingID)
		}
	}
	if len(left) == 0 && exists {
		return r.clearHidden(ctx, k)
	}
	for _, mapping := range left {
		if err := orGone(r.DevPortal.CleanUpKeys(ctx, k.keyName.application, mapping)); err != nil {
			return err
		}
	}
	if len(left) == 0 || !r.ownKeyManager(k) || k.want.ClientID.Value != "" {
		return nil // without a row, a client can belong to a key that API-M does not show now
	}
	id, name, err := r.findClient(ctx, k)
	if err != nil || id == "" {
		return err
	}
	r.log.Info("deleting a client in IS that prevents new keys", "client", name)
	return r.IS.DeleteClient(ctx, id)
}

// clearHidden clears a key that API-M does not show because its client is lost. Only the id from an earlier run identifies that key. API-M
// does not show a key either while it has not loaded the key manager, or while IS answers it with an error. So the agent waits first,
// unless IS says that it has lost the client.
func (r *round) clearHidden(ctx context.Context, k client) error {
	known := r.past.key(k.keyName)
	lasts, lost := r.past.since(hidden(k)), k.manager == bootstrap.ResidentKeyManager
	if !lasts && (!r.ownKeyManager(k) || known.ConsumerKey == "") {
		return nil
	}
	if r.ownKeyManager(k) {
		found, err := r.hasClient(ctx, k, known)
		if err != nil || found && (known.ConsumerKey != "" || !r.past.lasts(hidden(k), hiddenRounds*r.past.wait)) {
			return err // API-M shows the key as soon as it has loaded the key manager
		}
		lost = !found
	}
	if !lost || known.MappingID == "" {
		return byHand(remedy.Add(fmt.Errorf("API-M has %s keys of application %q at key manager %q, and does not show them: the key manager is disabled, or it has lost the client, or another application has the client",
			strings.ToLower(k.kind), k.application, k.manager), "enable the key manager in the Admin Portal, correct client_id in the file, or delete the application in the Developer Portal, so that the next run makes it again"))
	}
	if err := orGone(r.DevPortal.CleanUpKeys(ctx, k.keyName.application, known.MappingID)); err != nil {
		return err
	}
	r.log.Warn("cleared a key whose client the key manager has lost", "application", k.application, "client", known.ConsumerKey)
	r.past.drop(k.keyName)
	return nil
}

// hiddenRounds is for how many waits API-M may hide a key that no earlier run knows, although IS has a client with its name. API-M loads a
// key manager within seconds.
const hiddenRounds = 6

// ownKeyManager reports whether IS, with which the agent works, has the client of a key.
func (r *round) ownKeyManager(k client) bool {
	return r.IS != nil && k.manager == r.want.Own.Name.Value
}

// hasClient reports whether IS has the client of a key that API-M does not show.
func (r *round) hasClient(ctx context.Context, k client, known Credentials) (bool, error) {
	if known.ConsumerKey != "" {
		return r.IS.HasClient(ctx, known.ConsumerKey)
	}
	id, _, err := r.findClient(ctx, k)
	return id != "", err
}

// findClient finds the client that API-M's connector has made in IS for a key; id is empty if there is none.
func (r *round) findClient(ctx context.Context, k client) (id, name string, err error) {
	app, err := r.DevPortal.Application(ctx, k.keyName.application)
	if err != nil {
		return "", "", err
	}
	name = strings.Join([]string{app.Owner, app.ID, k.kind}, "_") // as the connector calls it
	id, err = r.IS.FindClient(ctx, name)
	return id, name, err
}

// orGone returns nil for the error that the thing to delete does not exist.
func orGone(err error) error {
	if wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) {
		return nil
	}
	return err
}

func hidden(k client) string { return fmt.Sprintf("hidden %v", k.keyName) }

// past is what a round knows from those before.
type past struct {
	wait time.Duration // how long something must last before it counts

	mu    sync.Mutex
	first map[string]time.Time // when something was first seen
	times map[string]int       // how often
	keys  map[keyName]Credentials
	apis  map[string]plan.Object // what a new definition has reset of them, until it is there again
	// The revisions that each API had before this run made one, by the ids of both.
	revisions map[string]map[string]bool
}

func newPast(wait time.Duration, known []Credentials) *past {
	p := &past{wait: wait, first: map[string]time.Time{}, times: map[string]int{}, keys: map[keyName]Credentials{}, apis: map[string]plan.Object{}, revisions: map[string]map[string]bool{}}
	p.remember(known)
	return p
}

// remember notes the keys that the servers have shown.
func (p *past) remember(keys []Credentials) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		p.keys[k.name()] = k
	}
}

func (p *past) key(name keyName) Credentials {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[name]
}

func (p *past) drop(name keyName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, name)
}

// original returns what the first try to write the definition of an API resets, and whether this is the first one. now is the API as it is,
// and d the definition of this try.
func (p *past) original(name string, now plan.Object, d plan.Definition) (before plan.Object, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, is := p.apis[name]
	first = !is || before["id"] != now["id"]
	if first {
		before = plan.BeforeDefinition(now)
	}
	before = plan.Writing(before, d)
	p.apis[name] = before
	return before, first
}

// restored forgets an API that has again what its definition does not say.
func (p *past) restored(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.apis, name)
}

// unrestored returns the APIs that do not.
func (p *past) unrestored() map[string]plan.Object {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.apis)
}

// revised reports whether this run has made a revision of an API as it is. The API has the secrets of the file since then, which no stamp
// shows. The API has the revisions that this round has read.
func (p *past) revised(api plan.API) bool {
	id, stamp := textOf(api.Object, "id"), plan.Stamp(api.Object)
	p.mu.Lock()
	defer p.mu.Unlock()
	before, is := p.revisions[id]
	if !is {
		before = map[string]bool{}
		for _, r := range api.Revisions {
			before[r.ID] = true
		}
		p.revisions[id] = before
	}
	return slices.ContainsFunc(api.Revisions, func(r plan.Revision) bool { return !before[r.ID] && r.Description == stamp })
}

// since reports whether something has been seen for a while.
func (p *past) since(what string) bool { return p.lasts(what, p.wait) }

// seen reports whether since or lasts was called for something.
func (p *past) seen(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, seen := p.first[what]
	return seen
}

// lasts reports whether something has been seen for some time.
func (p *past) lasts(what string, least time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, seen := p.first[what]; !seen {
		p.first[what] = time.Now()
	}
	return time.Since(p.first[what]) >= least
}

// count returns how often it was called for something.
func (p *past) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times[what]++
	return p.times[what]
}

// due is since, which then begins again.
func (p *past) due(what string) bool {
	due := p.since(what)
	if due {
		p.forget(what)
	}
	return due
}

func (p *past) forget(all ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, what := range all {
		delete(p.first, what)
		delete(p.times, what)
	}
}
