package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/wso2"
)

// ProbeApplication begins the names of the throw-away applications that prove a key manager. Each run has one of its own,
// since two runs at once would remove each other's keys: the owner's name follows (see [Settings]).
const ProbeApplication = "wso2agent-probe"

// probeDescription tells a probe's application from what others may name like it.
const probeDescription = "proves a key manager; removed again"

// staleProbe is the age at which another run's probe counts as left behind: one proof takes seconds.
const staleProbe = 10 * time.Minute

// proveKeyManager makes keys with the key manager for a throw-away application. API-M loads a new or changed key manager
// only some time after it has answered 201 or 200, and does not tell when. A key manager that this run did not change
// and that was proved before is not proved again: proving makes and removes things on the servers. A probe of this owner
// that is there when a run begins tells that the run before it did not get to the end of its proof.
func (r *run) proveKeyManager(ctx context.Context) error {
	probe, err := r.findProbe(ctx)
	if err != nil {
		return err
	}
	if probe.ID == "" {
		proved, err := r.provedBefore(ctx)
		if err != nil || proved {
			return err
		}
		probe, err = r.DevPortal.CreateApplication(ctx, r.probeName(), defaultPolicy, probeDescription)
		if err != nil {
			return orConflict(err)
		}
	}
	if err := r.probe(ctx, probe); err != nil {
		// Another run may have taken the key manager for the duplicate of its own, and deleted it.
		if lookErr := r.registerKeyManager(ctx); lookErr != nil {
			return lookErr
		}
		return r.sendAgain(ctx, err)
	}
	if err := orGone(r.DevPortal.DeleteApplication(ctx, probe.ID)); err != nil {
		return err
	}
	r.km.changed = false
	r.log.Info("key manager "+r.KMName+" is usable", "proof", "made and removed keys of application "+probe.Name)
	return nil
}

func (r *run) probeName() string { return ProbeApplication + "-" + r.Owner }

// findProbe finds this owner's probe; the ID is empty where there is none. What other runs have left behind goes.
func (r *run) findProbe(ctx context.Context) (own wso2.Application, err error) {
	list, err := r.DevPortal.Applications(ctx, ProbeApplication)
	if err != nil {
		return own, err
	}
	for _, app := range list {
		switch {
		case app.Name == r.probeName():
			own = app
		case strings.HasPrefix(app.Name, ProbeApplication) && app.Description == probeDescription && olderThan(app, staleProbe):
			if _, err := r.clearKeys(ctx, app, r.KMName); err != nil {
				return own, err
			}
			if err := orGone(r.DevPortal.DeleteApplication(ctx, app.ID)); err != nil {
				return own, err
			}
			r.log.Info("deleted an application that an earlier run left behind", "application", app.Name)
		}
	}
	return own, nil
}

// olderThan reports whether an application was made so long ago. One that does not say when was.
func olderThan(app wso2.Application, age time.Duration) bool {
	made, err := strconv.ParseInt(app.CreatedTime, 10, 64)
	return err != nil || time.Since(time.UnixMilli(made)) > age
}

// provedBefore: the key manager is as an earlier run left it, and that run went on to make the application's keys.
func (r *run) provedBefore(ctx context.Context) (bool, error) {
	if r.km.changed {
		return false, nil
	}
	app, err := r.findApplication(ctx, r.desired.Application.Name)
	if err != nil || app.ID == "" {
		return false, err
	}
	keys, err := r.keysOf(ctx, app.ID, r.KeyManagerName)
	return keys.ConsumerKey != "", err
}

// probe makes keys for an application and takes them away again.
func (r *run) probe(ctx context.Context, app wso2.Application) error {
	keys, err := r.DevPortal.GenerateKeys(ctx, app.ID, r.km.id)
	if err == nil {
		return orGone(r.DevPortal.DeleteKeys(ctx, app.ID, keys.MappingID))
	}
	if ctx.Err() != nil {
		return err
	}
	cleared, clearErr := r.clearKeys(ctx, app, r.KMName)
	if clearErr == nil && cleared == 0 && wso2.HasCode(err, wso2.CodeKeyMappingExists) {
		// A row that is there but not shown: it goes with its application.
		clearErr = orGone(r.DevPortal.DeleteApplication(ctx, app.ID))
	}
	switch {
	case wso2.HasStatus(err, http.StatusUnauthorized):
		return err
	case wso2.HasStatus(clearErr, http.StatusUnauthorized):
		// Of IS's refusal API-M says no more than 500. But IS refuses this run, too, which has the same password; tried over
		// and over, it would lock the account.
		return fmt.Errorf("key manager %s cannot be used: %w", r.KMName, clearErr)
	case clearErr != nil:
		r.log.Warn("could not clear what a failed proof left behind", "application", app.Name, "error", clearErr)
	}
	// 400/901403, "not registered", passes, too: it is what API-M says of a key manager that it has not loaded.
	return transient(fmt.Errorf("key manager %s is not usable yet: %w", r.KMName, err))
}

// sendAgain updates the key manager when it has not become usable for a while: the event that makes API-M load it gets lost at
// times, and an update sends another one. Or the password that API-M has is no longer IS's, and the update has the right one.
func (r *run) sendAgain(ctx context.Context, cause error) error {
	switch now := time.Now(); {
	case isPermanent(cause):
		return cause
	case r.km.unusable.IsZero():
		r.km.unusable = now
		return cause
	case now.Sub(r.km.unusable) < r.EventWait:
		return cause
	default:
		r.km.unusable = now
	}
	stored, err := r.readKeyManager(ctx, r.km.id)
	if err == nil {
		err = r.sendKeyManager(ctx, stored.Raw)
	}
	if err != nil {
		return errors.Join(cause, err)
	}
	r.log.Warn("sent key manager "+r.KMName+" again, with the password of IS as it is set now: API-M has not loaded it, or had another password", "after", r.EventWait)
	return cause
}

// orConflict: a name that is taken, though the list did not have it, will be in the next list.
func orConflict(err error) error {
	if wso2.HasStatus(err, http.StatusConflict) {
		return transient(err)
	}
	return err
}
